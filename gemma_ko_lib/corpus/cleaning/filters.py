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
from gemma_ko_lib.corpus.cleaning.repeats import eojeol_of
from gemma_ko_lib.corpus.cleaning.rules import rule


@dataclasses.dataclass(frozen=True)
class RegisterSettings:
    """Limits for one register (문체/매체: news, review, chat …).

    Attributes:
        min_chars, max_chars: length of the document, in characters.
        min_eojeol, max_eojeol: mean length of an eojeol (어절), in characters.
        max_symbols: hashtags, "..." and "…" per eojeol.
        max_bullet_lines: share of lines that start with a bullet.
        max_ellipsis_lines: share of lines that end in an ellipsis, and of their characters.
        min_hangul: share of Hangul among what is not white space, in bytes of UTF-8: a
            syllable says about as much as three Latin letters.
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
    max_eojeol: float = 50.0
    max_symbols: float = 0.5
    max_bullet_lines: float = 0.9
    max_ellipsis_lines: float = 0.3
    min_hangul: float = 0.25
    # Half of a manual may be in phrases that it uses again; what is pasted three times is more.
    max_duplicate_lines: float = 0.5
    max_repeated_ngrams: float = 0.6
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
    "chat": dataclasses.replace(_ONE_LINE, max_chars=1_000_000),
    "spoken": dataclasses.replace(_ONE_LINE, max_chars=5_000_000),
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


@functools.cache
def for_other_language(limits: RegisterSettings, language: str) -> RegisterSettings:
    """The same limits without what only fits Korean."""
    loosened = _WITHOUT_SPACES if language in ("zh", "ja") else _WITHOUT_HANGUL
    return dataclasses.replace(limits, **loosened)


_SINGLE_LETTER = re.compile("[ㄱ-ㅣ]")
_BULLETS = frozenset("-*•●○■□▪▶◆◇·ㆍ※►‣")
_FEWEST_LINES = 4  # a share of fewer lines says nothing
_NGRAM = 5
_FEWEST_EOJEOL = 25
_LONG_EOJEOL = 5
# Not the signs of a heading.
_HASHTAG = re.compile(r"#(?=[^\s#])")
_UNSPACED = re.compile("[가-힣]{21,}")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_PRIVATE_BYTES = (b"\xee", b"\xef", b"\xf3", b"\xf4")  # one of which those begin with in UTF-8
_MOST_PRIVATE_USE = 0.02


class Measured:
    """A cleaned text with what several filters count, counted once.

    Attributes:
        text: the text.
        eojeol: its words, as spaces separate them.
        visible: characters that are not white space.
        hangul: syllables and single letters of Hangul.
        may_be_private: there may be characters for private use.
        hangul_bytes, visible_bytes: the same in UTF-8.
    """

    def __init__(self, text: str):
        self.text = text
        self.eojeol = eojeol_of(text)
        self.visible = sum(map(len, self.eojeol))
        encoded = text.encode()
        # The first byte of a syllable, and of hardly anything else, is one of these four, and
        # that of a single letter this one.
        self.hangul = len(encoded) - len(encoded.translate(None, b"\xea\xeb\xec\xed"))
        if b"\xe3" in encoded:
            self.hangul += len(_SINGLE_LETTER.findall(text))
        self.may_be_private = any(map(encoded.__contains__, _PRIVATE_BYTES))
        self.hangul_bytes = 3 * self.hangul
        self.visible_bytes = len(encoded) - (len(text) - self.visible)

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line for line in self.text.split("\n") if line]


_EXAMPLE = (
    "군산시는 옛 곡물 창고를 고쳐 도서관으로 다시 연다고 3일 밝혔다. 책은 3만 권이다.\n\n"
    "설계를 맡은 건축가는 벽돌의 흔적을 지우지 않으려고 물로만 씻었다고 말했다."
)

# --- Of the whole text ----------------------------------------------------------------


@rule("굿", register="review")
def too_short(doc: Measured, limits: RegisterSettings) -> bool:
    """Shorter than the register's shortest useful text."""
    return len(doc.text) < limits.min_chars


@rule(" ".join(f"{number}번 손님 잘 먹고 갑니다." for number in range(2000)), register="comment")
def too_long(doc: Measured, limits: RegisterSettings) -> bool:
    """A dump rather than a document."""
    return len(doc.text) > limits.max_chars


@rule("★★★★★ 굿 ★★★★★", register="review")
def hangul_share(doc: Measured, limits: RegisterSettings) -> bool:
    """Hardly any Hangul: a table, a row of stars, a name in another script."""
    return doc.hangul_bytes < limits.min_hangul * doc.visible_bytes


@rule("나랏\uebd4미 듕귁에 달아 문자와로 서르", register="sentence")
def private_use(doc: Measured, limits: RegisterSettings) -> bool:
    """Characters that only one font can show: old Hangul in Hanyang's private codes."""
    if not doc.may_be_private:
        return False
    return len(_PRIVATE_USE.findall(doc.text)) > _MOST_PRIVATE_USE * doc.visible


@rule("?덈뀞?섏꽭?? 諛섍컩?듬땲??", register="review")
def broken_characters(doc: Measured, limits: RegisterSettings) -> bool:
    """Bytes were lost in decoding: U+FFFD, or "?" between syllables that nobody uses."""
    return is_broken(doc.text, doc.hangul)


@rule(
    "날 씨 가 참 좋 습 니 다 그 래 서 오 늘 은 다 같 이 강 가 에 나 가 기 로 했 습 니 다",
    register="news",
)
def eojeol_length(doc: Measured, limits: RegisterSettings) -> bool:
    """Words too short or too long on average: letters spaced out, or spaces left out."""
    words = max(len(doc.eojeol), 1)
    if doc.visible < limits.min_eojeol * words:
        return True
    if doc.visible <= limits.max_eojeol * words:
        return False
    # Who writes without spaces still ends sentences.
    return doc.visible > limits.max_eojeol * doc.text.count(".")


@rule(
    f"{_EXAMPLE} 그뒤로는띄어쓰기가모두사라져서어디까지가한낱말인지알수없는글이이어진다",
    register="news",
)
def unspaced(doc: Measured, limits: RegisterSettings) -> bool:
    """The spaces are gone from much of the text."""
    if limits.max_unspaced >= 1 or max(map(len, doc.eojeol), default=0) <= 20:
        return False
    return sum(map(len, _UNSPACED.findall(doc.text))) > limits.max_unspaced * doc.visible


@rule(
    "#맛집 #강남 #일상 #소통 #맞팔 #선팔 오늘의 점심은 강남에서 먹은 김치찌개 백반과 계란말이",
    register="news",
)
def symbols(doc: Measured, limits: RegisterSettings) -> bool:
    """Mostly hashtags and dots."""
    text = doc.text
    hashes, dots = text.count("#"), text.count("...") + text.count("…")
    # Who leaves spaces out writes no fewer words.
    most = limits.max_symbols * max(len(doc.eojeol), doc.visible / _LONG_EOJEOL)
    if hashes + dots <= most:
        return False
    return len(_HASHTAG.findall(text)) + dots > most


@rule("최고 최고 최고 최고 최고 최고 최고 최고", register="review")
def repeated_characters(doc: Measured, limits: RegisterSettings) -> bool:
    """The same few characters over and over."""
    # A text that repeats itself holds its own beginning more than once; counting that is
    # cheaper than looking at every character.
    text = doc.text
    return text.count(text[4:8]) > 1 and len(set(text)) < min(len(text) / 5, 20)


@rule(f"{_EXAMPLE} {_EXAMPLE} {_EXAMPLE}", register="comment")
def repeated_ngrams(doc: Measured, limits: RegisterSettings) -> bool:
    """Sequences of five eojeol that stood in this document before."""
    eojeol = doc.eojeol
    if len(eojeol) < _FEWEST_EOJEOL:
        return False
    total = len(eojeol) - _NGRAM + 1
    most = limits.max_repeated_ngrams * total
    # There are as many sequences as words that they start with, at least.
    if total - (len(set(eojeol)) - _NGRAM + 1) <= most:
        return False
    distinct = len(set(zip(*(eojeol[i:] for i in range(_NGRAM)), strict=False)))
    return total - distinct > most


# --- Of its lines ---------------------------------------------------------------------


@rule("\n".join(f"- 차림표 {number}번의 값과 재료" for number in range(12)), register="news")
def bullet_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """A menu or a sitemap: nearly every line starts with a bullet."""
    bullets = sum([line[0] in _BULLETS for line in doc.lines])
    return bullets > limits.max_bullet_lines * len(doc.lines)


@rule(
    "\n".join(f"{number}번째 충격적인 사실은 바로 다음 쪽에서..." for number in range(8)),
    register="notice",
)
def ellipsis_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """Teasers: too much of the text breaks off in an ellipsis."""
    broken_off = [line for line in doc.lines if line.endswith(("...", "…"))]
    if len(broken_off) <= limits.max_ellipsis_lines * len(doc.lines):
        return False
    # A menu's entries end so too, and are short beside what is said of them.
    return sum(map(len, broken_off)) > limits.max_ellipsis_lines * sum(map(len, doc.lines))


@rule(
    "오늘의 운세 보기\n쥐띠는 동쪽\n오늘의 운세 보기\n소띠는 서쪽\n오늘의 운세 보기\n"
    "오늘의 운세 보기",
    register="blog",
)
def duplicate_lines(doc: Measured, limits: RegisterSettings) -> bool:
    """Lines that stood in this document before."""
    if len(set(doc.lines)) == len(doc.lines):
        return False
    repeated = sum(len(line) * (count - 1) for line, count in Counter(doc.lines).items())
    return repeated > limits.max_duplicate_lines * sum(map(len, doc.lines))


TEXT_FILTERS = (
    too_short,
    too_long,
    hangul_share,
    broken_characters,
    private_use,
    eojeol_length,
    unspaced,
    symbols,
    repeated_characters,
    repeated_ngrams,
)
LINE_FILTERS = (bullet_lines, ellipsis_lines, duplicate_lines)


def failed_filter(doc: Measured, limits: RegisterSettings) -> str | None:
    """Name the first filter that a text fails, or None."""
    filters = TEXT_FILTERS
    if "\n" in doc.text and len(doc.lines) >= _FEWEST_LINES:
        filters += LINE_FILTERS
    for fails in filters:
        if fails(doc, limits):
            return fails.__name__
    return None
