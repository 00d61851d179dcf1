"""One written form for digits and signs: text in, text of the same length out.

Patterns for personal data are written for ASCII. Koreans also write "０１０－１２３４", "010‑1234",
"공일공-일이삼사" and "o1o". Every character is replaced by one character, so that what a
pattern finds has the same place in the original.
"""

import re

from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS

# Stands for each character of a placeholder: no pattern and no cue runs through it.
BLOCK = "\x1a"
_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())))

_DASHES = "\u2010-\u2015\u2212\ufe58\ufe63\u2500\u2501\u3161\u30fc\xb7\u318d\u30fb\u2022\xad"
_SPACES = "\xa0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff\t"
_FULL_WIDTH = "\uff01-\uff5e"
_BOLD_DIGITS = "\U0001d7ce-\U0001d7ff"
_ODD = re.compile(f"[{_DASHES}{_SPACES}{_FULL_WIDTH}{_BOLD_DIGITS}]")


def _members(characters: str) -> list[str]:
    """The characters that the inside of a character class stands for."""
    singles = re.sub("(.)-(.)", "", characters, flags=re.DOTALL)
    ranges = re.findall("(.)-(.)", characters, re.DOTALL)
    return [*singles, *(chr(i) for a, b in ranges for i in range(ord(a), ord(b) + 1))]


_PLAIN = {
    **dict.fromkeys(_members(_DASHES), "-"),
    **dict.fromkeys(_members(_SPACES), " "),
    **{character: chr(ord(character) - 0xFEE0) for character in _members(_FULL_WIDTH)},
    **{character: str((ord(character) - 0x1D7CE) % 10) for character in _members(_BOLD_DIGITS)},
}

# Digits as they are spelled, each beside the letters that are taken for it.
_SPELLED = {
    **dict(zip("공영일이삼사오육륙칠팔구", "001234566789", strict=True)),
    **dict(zip("oOㅇ", "000", strict=True)),
}
_SAID = r"(?: {0,2}(?:[-.,/] ?|다시 ?|대시 ?|에 )| {1,2})?"
_DIGIT = "[0-9공영일이삼사오육륙칠팔구oOㅇ]"
# 010 and eight digits, or 011, 016 … and seven or eight. No more are taken: in "…오육칠팔이에요"
# the 이 belongs to the verb.
_SPELLED_MOBILE = re.compile(
    # The look behind comes second: a pattern that starts with a class is searched faster.
    rf"[공영0oOㅇ](?<![0-9A-Za-z].){_SAID}[일1]{_SAID}[공영일육칠팔구oOㅇ016-9]"
    rf"(?:{_SAID}{_DIGIT}){{8}}"
)
_DIGIT_OF = str.maketrans({**_SPELLED, "다": "-", "대": "-", "시": "-", "에": "-"})


# Each digit -> the ten digits of its script, for who writes another number the same way.
_SCRIPTS = ("공일이삼사오육칠팔구", "영일이삼사오육칠팔구", "０１２３４５６７８９")
DIGITS_OF_SCRIPT = {digit: script for script in reversed(_SCRIPTS) for digit in script}


def plain_forms(text: str) -> str:
    """Rewrite digits, dashes, spaces and spelled mobile numbers to ASCII, one for one.

    Example: "０１０–1234 공일공 일이삼사 오육칠팔" → "010-1234 010 1234 5678".
    """
    if not text.isascii():
        # Few are odd: `str.translate` would look up every character.
        text = _ODD.sub(lambda match: _PLAIN[match[0]], text)
        if "[" in text:
            text = _PLACEHOLDER.sub(lambda match: BLOCK * len(match[0]), text)
    return _SPELLED_MOBILE.sub(lambda match: match[0].translate(_DIGIT_OF), text)
