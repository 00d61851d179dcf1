"""Dialogues as text: one utterance a line, each with the label of who speaks.

    A: 밥 먹었어?
    B: 아직. 너는?

Labels are letters in order of appearance, so a dialogue says who answers whom and nothing
about who they are. Each line has its label: when cleaning takes a line out, the next one
still has its speaker. One speaker alone needs none.
"""

from collections.abc import Iterable
from string import ascii_uppercase


def dialogue(turns: Iterable[tuple[object, str]]) -> str:
    """Write (speaker, utterance) pairs as a text; utterances without text are left out."""
    labels: dict[str, str] = {}
    said = []
    for speaker, utterance in turns:
        if line := " ".join(utterance.split()):
            label = labels.setdefault(str(speaker), speaker_label(len(labels)))
            said.append((label, line))
    if len(labels) < 2:
        return "\n".join(line for _, line in said)
    return "\n".join(f"{label}: {line}" for label, line in said)


def speaker_label(number: int) -> str:
    """A, B … Z, AA, AB …: the minutes of an assembly have more than 26 speakers."""
    label = ""
    while number >= 0:
        number, letter = divmod(number, 26)
        label = ascii_uppercase[letter] + label
        number -= 1
    return label
