"""Filters: what makes a document not worth training on, and how strict each register is.

A filter looks at the cleaned text and says yes or no; the first no names the rule that
dropped the document. Limits follow dps' korean_job and FineWeb-2's settings for Korean,
loosened where they would throw whole registers away: dps drops everything below 50
characters, which is nearly every review.
"""

import dataclasses
import re
from collections import Counter


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
        boilerplate: whether news boilerplate is looked for.
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
    max_repeated_ngrams: float = 0.201
    boilerplate: bool = True


# One line each: no lines to compare, spaces are optional, an ellipsis is punctuation.
_ONE_LINE = RegisterSettings(
    min_chars=2,
    max_chars=20_000,
    min_eojeol=1.0,
    max_eojeol=100.0,
    max_symbols=5.0,
    max_ellipsis_lines=1.0,
    boilerplate=False,
)
_ARTICLE = RegisterSettings(min_chars=50, min_eojeol=2.0, max_eojeol=10.0, max_symbols=0.1)
_POST = RegisterSettings(min_chars=20, max_symbols=1.0, max_ellipsis_lines=0.6)
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


_NEITHER_ASCII_NOR_HANGUL = re.compile("[^\x00-\x7f가-힣ㄱ-ㅣ]")
_BULLETS = ("-", "*", "•", "●", "○", "■", "□", "▪", "▶", "◆", "◇", "·", "ㆍ", "※", "►", "‣")
_FEWEST_LINES = 4  # a share of fewer lines says nothing
_NGRAM = 5
_FEWEST_EOJEOL = 25


# --- Of the whole text ----------------------------------------------------------------


def _too_short(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """Shorter than the register's shortest useful text. Example: "굿" as a review."""
    return len(text) < limits.min_chars


def _too_long(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """A dump rather than a document. Example: a text of two million characters."""
    return len(text) > limits.max_chars


def _hangul_share(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """Hardly any Hangul: another language, a table, a row of stars. Example: "★★★★★"."""
    # Counted as what is left, which needs no list of all the Hangul.
    others = len(text.encode("ascii", "ignore")) + len(_NEITHER_ASCII_NOR_HANGUL.findall(text))
    return len(text) - others < limits.min_hangul * sum(map(len, eojeol))


def _eojeol_length(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """Words too short or too long for Korean. Example: "안 녕 하 세 요 여 러 분" in an article."""
    mean = sum(map(len, eojeol)) / max(len(eojeol), 1)
    return not limits.min_eojeol <= mean <= limits.max_eojeol


def _symbols(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """Mostly hashtags and dots. Example: "#맛집 #강남 #일상 #소통" as news."""
    symbols = text.count("#") + text.count("...") + text.count("…")
    return symbols > limits.max_symbols * len(eojeol)


def _repeated_characters(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """The same few characters over and over. Example: "최고최고최고최고최고최고최고"."""
    # A text that repeats itself holds its own beginning more than once; counting that is
    # cheaper than looking at every character.
    return text.count(text[4:8]) > 1 and len(set(text)) < min(len(text) / 5, 20)


def _repeated_ngrams(text: str, eojeol: list[str], limits: RegisterSettings) -> bool:
    """Sequences of five eojeol that stood in this document before (of 25 eojeol or more)."""
    if len(eojeol) < _FEWEST_EOJEOL:
        return False
    total = len(eojeol) - _NGRAM + 1
    distinct = len(set(zip(*(eojeol[i:] for i in range(_NGRAM)), strict=False)))
    return total - distinct > limits.max_repeated_ngrams * total


# --- Of its lines ---------------------------------------------------------------------


def _bullet_lines(lines: list[str], limits: RegisterSettings) -> bool:
    """A menu or a sitemap: nearly every line starts with a bullet."""
    return sum(line.startswith(_BULLETS) for line in lines) > limits.max_bullet_lines * len(lines)


def _ellipsis_lines(lines: list[str], limits: RegisterSettings) -> bool:
    """Teasers: too many lines break off in an ellipsis."""
    broken_off = sum(line.endswith(("...", "…")) for line in lines)
    return broken_off > limits.max_ellipsis_lines * len(lines)


def _duplicate_lines(lines: list[str], limits: RegisterSettings) -> bool:
    """Lines that stood in this document before."""
    repeated = sum(len(line) * (count - 1) for line, count in Counter(lines).items())
    return repeated > limits.max_duplicate_lines * sum(map(len, lines))


# Each name is what reports show.
TEXT_FILTERS = {
    "too_short": _too_short,
    "too_long": _too_long,
    "hangul_share": _hangul_share,
    "eojeol_length": _eojeol_length,
    "symbols": _symbols,
    "repeated_characters": _repeated_characters,
    "repeated_ngrams": _repeated_ngrams,
}
LINE_FILTERS = {
    "bullet_lines": _bullet_lines,
    "ellipsis_lines": _ellipsis_lines,
    "duplicate_lines": _duplicate_lines,
}


def failed_filter(text: str, limits: RegisterSettings) -> str | None:
    """Name the first filter that a text fails, or None."""
    eojeol = text.split()
    for name, fails in TEXT_FILTERS.items():
        if fails(text, eojeol, limits):
            return name
    if "\n" in text:
        lines = [line for line in text.split("\n") if line]
        if len(lines) >= _FEWEST_LINES:
            for name, fails in LINE_FILTERS.items():
                if fails(lines, limits):
                    return name
    return None
