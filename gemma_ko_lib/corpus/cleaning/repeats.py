"""The rule against phrases that are pasted over and over.

In goes a text, out comes the text with one copy of what stood three times in a row.
"""

import functools
import re

from gemma_ko_lib.corpus.cleaning.rules import rule

_EOJEOL = re.compile(r"\S+")
# Digits and single letters repeat in tables.
_LETTER = re.compile(r"[가-힣ㄱ-ㅣ]|[^\W\d_]{2}")
_SHORTEST, _LONGEST = 3, 13
_COPIES = 3


@functools.lru_cache(maxsize=1)
def eojeol_of(text: str) -> list[str]:
    """The words of a text, as spaces separate them; once, for the filters need them again."""
    return text.split()


@rule(
    "제발 꼭 도와주세요 제발 꼭 도와주세요 제발 꼭 도와주세요 부탁입니다",
    "제발 꼭 도와주세요 부탁입니다",
)
def collapse_repeats(text: str) -> str:
    """Keep the first of three or more copies, in a row, of a phrase of 3 to 13 eojeol.

    dps looks for phrases of the same lengths, and deletes every copy, the first included.
    Twice is emphasis or a refrain, and stays.

    Example: "제발 꼭 도와주세요 제발 꼭 도와주세요 제발 꼭 도와주세요" → "제발 꼭 도와주세요".
    """
    words = eojeol_of(text)
    if len(words) < _COPIES * _SHORTEST:
        return text
    if not _may_repeat(words):
        return text
    starts = _phrase_starts(words)
    if not starts:
        return text
    spans = [match.span() for match in _EOJEOL.finditer(text)]
    kept, position, reached = [], 0, 0
    for first in starts:
        if first < reached:
            continue
        length, copies = _copies_from(words, first)
        if copies >= _COPIES:
            # Up to the end of the first copy, and on after the last.
            kept.append(text[position : spans[first + length - 1][1]])
            reached = first + length * copies
            position = spans[reached - 1][1]
    return "".join([*kept, text[position:]])


def _may_repeat(words: list[str]) -> bool:
    """Whether two words stand together that come again within the length of a phrase.

    Looking at every fifth place is enough: in three copies of three words, five places in a
    row have their like in the next copy.
    """
    for place in range(0, len(words) - _SHORTEST - 1, 5):
        word = words[place]
        window = words[place + _SHORTEST : place + _LONGEST + 1]
        if word in window:
            after = words[place + 1]
            again = zip(window, words[place + _SHORTEST + 1 : place + _LONGEST + 2], strict=False)
            if (word, after) in again:
                return True
    return False


def _phrase_starts(words: list[str]) -> list[int]:
    """Where three words stand that come again within the length of a phrase."""
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    # Three copies hold at least four trigrams that were there before.
    if len(trigrams) - len(set(trigrams)) <= _SHORTEST:
        return []
    last: dict[tuple[str, ...], int] = {}
    starts = []
    for position, trigram in enumerate(trigrams):
        before = last.get(trigram)
        if before is not None and position - before <= _LONGEST:
            starts.append(before)
        last[trigram] = position
    return sorted(starts)


def _copies_from(words: list[str], first: int) -> tuple[int, int]:
    """Length of the shortest phrase that stands here three times or more, and how often."""
    if not _LETTER.search(" ".join(words[first : first + _LONGEST])):
        return 0, 0
    for length in range(_SHORTEST, _LONGEST + 1):
        phrase = words[first : first + length]
        if not _LETTER.search(" ".join(phrase)):
            continue
        copies = 1
        while phrase == words[first + copies * length : first + (copies + 1) * length]:
            copies += 1
        if copies >= _COPIES:
            return length, copies
    return 0, 0
