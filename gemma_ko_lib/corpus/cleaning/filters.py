"""Filters: what makes a document not worth training on, and how strict each register is.

A filter looks at the cleaned text and says yes or no; the first no names the rule that
dropped the document. Limits follow dps' korean_job and FineWeb-2's settings for Korean,
loosened where they would throw whole registers away: dps drops everything below 50
characters, which is nearly every review.
"""

import dataclasses
import functools
import re
from collections import Counter

from gemma_ko_lib.corpus.cleaning.mojibake import is_broken


@dataclasses.dataclass(frozen=True)
class RegisterSettings:
    """Limits for one register (문체/매체: news, review, chat …).

    Attributes:
        min_chars, max_chars: length of the document, in characters.
        min_eojeol, max_eojeol: mean length of an eojeol (어절), in characters.
        max_symbols: "#", "..." and "…" per eojeol.
        max_bullet_lines: share of lines that start with a bullet.
        max_ellipsis_lines: share of lines that end in an ellipsis.
        min_hangul: share of Hangul among characters that are not white space.
        max_duplicate_lines: share of characters in lines that were there before.
        max_repeated_ngrams: share of 5-eojeol n-grams that were there before.
        max_unspaced: share of characters in eojeol of more than 20 syllables.
        boilerplate: whether news boilerplate is looked for.
        quality: whether FineWeb-2's measures apply, if they are asked for: they were made
            for web pages, and few one-line reviews hold two stop words.
    """

    min_chars: int
    max_chars: int = 1_000_000
    min_eojeol: float = 1.5
    max_eojeol: float = 15.0
    max_symbols: float = 0.5
    max_bullet_lines: float = 0.9
    max_ellipsis_lines: float = 0.3
    min_hangul: float = 0.25
    max_duplicate_lines: float = 0.374
    max_repeated_ngrams: float = 0.3
    max_unspaced: float = 0.3
    boilerplate: bool = True
    quality: bool = True


# One line each: no lines to compare, spaces are optional, an ellipsis is punctuation.
_ONE_LINE = RegisterSettings(
    min_chars=2,
    max_chars=20_000,
    min_eojeol=1.0,
    max_eojeol=1000.0,
    max_symbols=5.0,
    max_ellipsis_lines=1.0,
    max_unspaced=1.0,
    min_hangul=0.15,
    boilerplate=False,
    quality=False,
)
_ARTICLE = RegisterSettings(min_chars=50, min_eojeol=2.0, max_eojeol=10.0, max_symbols=0.1)
# Leaving spaces out is how some people write, and no sign of a broken page.
_POST = RegisterSettings(
    min_chars=20, max_eojeol=100.0, max_unspaced=1.0, max_symbols=1.0, max_ellipsis_lines=0.6
)
_MODERATE = RegisterSettings(min_chars=20)

REGISTERS = {
    "news": _ARTICLE,
    "encyclopedia": _ARTICLE,
    "book": _ARTICLE,
    "blog": _POST,
    "community": dataclasses.replace(_POST, min_chars=10),
    "notice": dataclasses.replace(_MODERATE, max_bullet_lines=1.0),
    "review": _ONE_LINE,
    "comment": _ONE_LINE,
    "chat": dataclasses.replace(_ONE_LINE, max_chars=1_000_000, max_duplicate_lines=0.5),
    "spoken": dataclasses.replace(_ONE_LINE, max_chars=5_000_000, max_duplicate_lines=0.5),
    "expert": dataclasses.replace(_MODERATE, max_bullet_lines=1.0),
    "sentence": _ONE_LINE,
}
# A single line below this many characters, of a register that nobody named, is taken for a
# review or a comment.
_ONE_LINE_CHARS = 200
_UNKNOWN_ONE_LINE = dataclasses.replace(_ONE_LINE, boilerplate=True)


def settings_for(text: str, register: str | None) -> RegisterSettings:
    """The limits of a register; of moderate strictness, by the text's length, if unknown."""
    known = REGISTERS.get(register)
    if known:
        return known
    if len(text) < _ONE_LINE_CHARS and "\n" not in text:
        return _UNKNOWN_ONE_LINE
    return _MODERATE


# Neither a share of Hangul nor the length of an eojeol means anything where there is none.
_WITHOUT_HANGUL = {"min_hangul": 0.0, "max_unspaced": 1.0}
# Chinese and Japanese have no eojeol to count symbols by either.
_ANY_EOJEOL = {"min_eojeol": 0.0, "max_eojeol": float("inf"), "max_symbols": float("inf")}
_WITHOUT_SPACES = {**_WITHOUT_HANGUL, **_ANY_EOJEOL}


def for_language(limits: RegisterSettings, language: str) -> RegisterSettings:
    """The same limits without what only fits Korean."""
    if language == "ko":
        return limits
    return _for_other_language(limits, language)


@functools.cache
def _for_other_language(limits: RegisterSettings, language: str) -> RegisterSettings:
    loosened = _WITHOUT_SPACES if language in ("zh", "ja") else _WITHOUT_HANGUL
    return dataclasses.replace(limits, **loosened)


_SINGLE_LETTER = re.compile("[ㄱ-ㅣ]")
_BULLETS = ("-", "*", "•", "●", "○", "■", "□", "▪", "▶", "◆", "◇", "·", "ㆍ", "※", "►", "‣")
_FEWEST_LINES = 4  # a share of fewer lines says nothing
_NGRAM = 5
_FEWEST_EOJEOL = 25
_UNSPACED = re.compile("[가-힣]{21,}")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_MOST_PRIVATE_USE = 0.02


class Measured:
    """A cleaned text with what several filters count, counted once.

    Attributes:
        text: the text.
        eojeol: its words, as spaces separate them.
        visible: characters that are not white space.
        hangul: syllables and single letters of Hangul.
        hangul_bytes, visible_bytes: the same in UTF-8.
    """

    def __init__(self, text: str):
        self.text = text
        self.eojeol = text.split()
        self.visible = sum(map(len, self.eojeol))
        encoded = text.encode()
        # The first byte of a syllable, and of hardly anything else, is one of these four.
        syllables = len(encoded) - len(encoded.translate(None, b"\xea\xeb\xec\xed"))
        self.hangul = syllables + len(_SINGLE_LETTER.findall(text))
        self.hangul_bytes = 3 * self.hangul
        self.visible_bytes = len(encoded) - (len(text) - self.visible)

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line for line in self.text.split("\n") if line]


# --- Of the whole text ----------------------------------------------------------------


def _too_short(doc: Measured, limits: RegisterSettings) -> bool:
    """Shorter than the register's shortest useful text."""
    return len(doc.text) < limits.min_chars


def _too_long(doc: Measured, limits: RegisterSettings) -> bool:
    """A dump rather than a document."""
    return len(doc.text) > limits.max_chars


def _hangul_share(doc: Measured, limits: RegisterSettings) -> bool:
    """Hardly any Hangul: a table, a row of stars, a name in another script."""
    return doc.hangul < limits.min_hangul * doc.visible


def _private_use(doc: Measured, limits: RegisterSettings) -> bool:
    """Characters that only one font could show: old Hangul in Hanyang's private codes."""
    if doc.text.isascii():
        return False
    return len(_PRIVATE_USE.findall(doc.text)) > _MOST_PRIVATE_USE * doc.visible


def _broken_characters(doc: Measured, limits: RegisterSettings) -> bool:
    """Bytes were lost in decoding: U+FFFD, or "?" between syllables that nobody uses."""
    return is_broken(doc.text, doc.hangul)


def _eojeol_length(doc: Measured, limits: RegisterSettings) -> bool:
    """Words too short or too long on average: letters spaced out, or spaces left out."""
    mean = doc.visible / max(len(doc.eojeol), 1)
    return not limits.min_eojeol <= mean <= limits.max_eojeol


def _unspaced(doc: Measured, limits: RegisterSettings) -> bool:
    """The spaces are gone from much of the text."""
    if limits.max_unspaced >= 1 or max(map(len, doc.eojeol), default=0) <= 20:
        return False
    return sum(map(len, _UNSPACED.findall(doc.text))) > limits.max_unspaced * doc.visible


def _symbols(doc: Measured, limits: RegisterSettings) -> bool:
    """Mostly hashtags and dots."""
    text = doc.text
    symbols = text.count("#") + text.count("...") + text.count("…")
    return symbols > limits.max_symbols * len(doc.eojeol)


def _repeated_characters(doc: Measured, limits: RegisterSettings) -> bool:
    """The same few characters over and over."""
    # A text that repeats itself holds its own beginning more than once; counting that is
    # cheaper than looking at every character.
    text = doc.text
    return text.count(text[4:8]) > 1 and len(set(text)) < min(len(text) / 5, 20)


def _repeated_ngrams(doc: Measured, limits: RegisterSettings) -> bool:
    """Sequences of five eojeol that stood in this document before."""
    eojeol = doc.eojeol
    if len(eojeol) < _FEWEST_EOJEOL:
        return False
    total = len(eojeol) - _NGRAM + 1
    distinct = len(set(zip(*(eojeol[i:] for i in range(_NGRAM)), strict=False)))
    return total - distinct > limits.max_repeated_ngrams * total


# --- Of its lines ---------------------------------------------------------------------


def _bullet_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """A menu or a sitemap: nearly every line starts with a bullet."""
    bullets = sum(line.startswith(_BULLETS) for line in doc.lines)
    return bullets > limits.max_bullet_lines * len(doc.lines)


def _ellipsis_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """Teasers: too many lines break off in an ellipsis."""
    broken_off = sum(line.endswith(("...", "…")) for line in doc.lines)
    return broken_off > limits.max_ellipsis_lines * len(doc.lines)


def _duplicate_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """Lines that stood in this document before."""
    repeated = sum(len(line) * (count - 1) for line, count in Counter(doc.lines).items())
    return repeated > limits.max_duplicate_lines * sum(map(len, doc.lines))


# Each name is what reports show.
TEXT_FILTERS = {
    "too_short": _too_short,
    "too_long": _too_long,
    "hangul_share": _hangul_share,
    "broken_characters": _broken_characters,
    "private_use": _private_use,
    "eojeol_length": _eojeol_length,
    "unspaced": _unspaced,
    "symbols": _symbols,
    "repeated_characters": _repeated_characters,
    "repeated_ngrams": _repeated_ngrams,
}
LINE_FILTERS = {
    "bullet_lines": _bullet_lines,
    "ellipsis_lines": _ellipsis_lines,
    "duplicate_lines": _duplicate_lines,
}


def failed_filter(doc: Measured, limits: RegisterSettings) -> str | None:
    """Name the first filter that a text fails, or None."""
    for name, fails in TEXT_FILTERS.items():
        if fails(doc, limits):
            return name
    if "\n" in doc.text and len(doc.lines) >= _FEWEST_LINES:
        for name, fails in LINE_FILTERS.items():
            if fails(doc, limits):
                return name
    return None
