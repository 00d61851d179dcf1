"""The rule against phrases that are pasted over and over.

In goes a text, out comes the text with one copy of what stood three times in a row.
"""

import re

_EOJEOL = re.compile(r"\S+")
_SHORTEST, _LONGEST = 3, 13
_COPIES = 3


def collapse_repeats(text: str) -> str:
    """Keep the first of three or more copies, in a row, of a phrase of 3 to 13 eojeol.

    dps looks for phrases of the same lengths, and deletes both copies with whatever else
    stands between them. Twice is emphasis or a refrain, and stays.

    Example: "제발 꼭 도와주세요 제발 꼭 도와주세요 제발 꼭 도와주세요" → "제발 꼭 도와주세요".
    """
    eojeol = text.split()
    if len(eojeol) < _COPIES * _SHORTEST or not _may_repeat(eojeol):
        return text
    spans = [match.span() for match in _EOJEOL.finditer(text)]
    words = [text[start:end] for start, end in spans]
    kept, position, first = [], 0, 0
    while first < len(words):
        length, copies = _copies_from(words, first)
        if copies >= _COPIES:
            # Up to the end of the first copy, and on after the last.
            kept.append(text[position : spans[first + length - 1][1]])
            first += length * copies
            position = spans[first - 1][1]
        else:
            first += 1
    kept.append(text[position:])
    return "".join(kept)


def _may_repeat(eojeol: list[str]) -> bool:
    """Cheap: three copies hold at least four trigrams that were there before."""
    trigrams = set(zip(eojeol, eojeol[1:], eojeol[2:], strict=False))
    return len(eojeol) - 2 - len(trigrams) >= _SHORTEST + 1


def _copies_from(words: list[str], first: int) -> tuple[int, int]:
    """Length of the shortest phrase that stands here three times or more, and how often."""
    for length in range(_SHORTEST, _LONGEST + 1):
        end = first + length
        if words[first : first + 1] != words[end : end + 1]:
            continue
        copies = 1
        while words[first:end] == words[first + copies * length : end + copies * length]:
            copies += 1
        if copies >= _COPIES:
            return length, copies
    return 0, 0
