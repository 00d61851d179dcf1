"""Dialogues as text: one utterance a line, each with the label of who speaks.

    A: 밥 먹었어?
    B: 아직. 너는?

Labels are letters in order of appearance, so a dialogue says who answers whom and nothing
about who they are. Each line has its label: when cleaning takes a line out, the next one
still has its speaker. One speaker alone needs none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count, product
from string import ascii_uppercase


def dialogue(turns: Iterable[tuple[object, str]]) -> str:
    """Write (speaker, utterance) pairs as a text; utterances without text are left out."""
    unused = _labels()
    labels: defaultdict[str, str] = defaultdict(lambda: next(unused))
    said = []
    for speaker, utterance in turns:
        if line := " ".join(utterance.split()):
            said.append((labels[str(speaker)], line))
    if len(labels) < 2:
        return "\n".join(line for _, line in said)
    return "\n".join(f"{label}: {line}" for label, line in said)


def _labels() -> Iterator[str]:
    """A, B … Z, AA, AB …: the minutes of an assembly have more than 26 speakers."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))
