"""FineWeb-2's measures for Korean web text, on the words of the morphological analyser Kiwi.

In goes a cleaned text, out comes the name of the first measure that it fails. Limits are
those of FineWeb-2 for kor_Hang (arXiv 2506.20920), formulas those of Gopher (arXiv
2112.11446, table A1) as datatrove computes them, so that a corpus cleaned here can be put
beside FineWeb-2. Its language score is not among them: it belongs to another model, and the
share of Hangul has been asked for already. On request only: Kiwi reads tens of kilobytes a
second.
"""

import functools
import importlib.util
import re
from collections import Counter
from collections.abc import Iterable

from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

from gemma_ko_lib.corpus.cleaning.filters import Measured
from gemma_ko_lib.corpus.cleaning.rules import Rule
from gemma_ko_lib.runtime import UserError

_DUPLICATE_LINES = 0.374
_TOP_NGRAM = {2: 0.282, 3: 0.228, 4: 0.185}
_DUPLICATE_NGRAM = {5: 0.201, 6: 0.184, 7: 0.168, 8: 0.154, 9: 0.14, 10: 0.127}
_PUNCTUATED_LINES = 0.062
_LINE_BREAKS = 0.196
_MEAN_WORD = (1, 6)
_WORDS_WITH_LETTERS = 0.791
_STOP_WORDS = frozenset(
    "의 다 이 는 에 을 한 년 하 은 를 했 고 에서 가 있 으로 인 월 로 되".split()
)
_FEWEST_STOP_WORDS = 2
_LINE_END = tuple(TERMINAL_PUNCTUATION)
# Kiwi takes very long over a number of that length.
_LONG_NUMBER = re.compile("[0-9,]{20,}")


def require_kiwi() -> None:
    """Raise a UserError where the analyser, an extra, is not installed."""
    if importlib.util.find_spec("kiwipiepy") is None:
        raise UserError(
            "The morphological analyser is not installed: pip install 'gemma-ko[korean]', or in a "
            "checkout pip install -c constraints.txt -e '.[korean]' (100 MB)."
        )


@functools.cache
def kiwi():
    """One analyser for each process: it takes seconds and half a gigabyte to load.

    Raises:
        UserError: it is not installed.
    """
    require_kiwi()
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)


def words(text: str) -> list[str]:
    """The words and endings of a text, as they stand in it: 배웠습니다 → 배웠, 습니다."""
    text = _LONG_NUMBER.sub("", text)
    spans = ((token.start, token.end) for token in kiwi().tokenize(text))
    return [word for start, end in spans if (word := text[start:end].strip())]


def failed_measure(doc: Measured) -> str | None:
    """Name the first measure of FineWeb-2 that a Korean text fails, or None.

    Example: a column of names and prices → "quality_stop_words".
    """
    text = doc.text
    lines = doc.lines
    if sum(line.endswith(_LINE_END) for line in lines) < _PUNCTUATED_LINES * len(lines):
        return "quality_unpunctuated_lines"
    if len(lines) - len(set(lines)) > _DUPLICATE_LINES * len(lines):
        return "quality_duplicate_lines"
    found = words(text)
    if text.count("\n") > _LINE_BREAKS * len(found):
        return "quality_line_breaks"
    return _failed_by_words(found) or _failed_by_repetition(found, len(text))


def _failed_by_words(found: list[str]) -> str | None:
    lengths = [len(word) for word in found if not PUNCTUATION_SET.issuperset(word)]
    if not lengths or not _MEAN_WORD[0] <= sum(lengths) / len(lengths) <= _MEAN_WORD[1]:
        return "quality_word_length"
    with_letters = sum(any(map(str.isalpha, word)) for word in found)
    if with_letters < _WORDS_WITH_LETTERS * len(found):
        return "quality_words_without_letters"
    if len(_STOP_WORDS.intersection(found)) < _FEWEST_STOP_WORDS:
        return "quality_stop_words"
    return None


def _failed_by_repetition(found: list[str], characters: int) -> str | None:
    for n, most in _TOP_NGRAM.items():
        if len(found) >= n:
            ngram, count = Counter(_ngrams(found, n)).most_common(1)[0]
            if len(" ".join(ngram)) * count > most * characters:
                return "quality_top_ngram"
    for n, most in _DUPLICATE_NGRAM.items():
        if _duplicate_characters(found, n) > most * characters:
            return "quality_duplicate_ngrams"
    return None


def _ngrams(found: list[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(found[i:] for i in range(n)), strict=False)


def _duplicate_characters(found: list[str], n: int) -> int:
    """Characters in n-grams that were there before; copies that overlap count once."""
    seen: set[str] = set()
    characters = position = 0
    while position <= len(found) - n:
        ngram = "".join(found[position : position + n])
        if ngram in seen:
            characters += len(ngram)
            position += n
        else:
            seen.add(ngram)
            position += 1
    return characters


# What each name means; all examples are of a blog.
QUALITY = (
    Rule(
        "quality_unpunctuated_lines",
        "Hardly a line ends in punctuation: no sentences.",
        "차림표와 값을 적은 종이\n김치찌개는 팔천 원\n된장찌개는 칠천 원\n계란말이는 오천 원",
    ),
    Rule(
        "quality_duplicate_lines",
        "Lines that stood in this document before, however short.",
        "오늘은 맑다.\n예\n내일은 흐리고 비가 온다고 한다.\n예\n모레는 다시 갠다고 한다.\n예\n예",
    ),
    Rule(
        "quality_line_breaks",
        "More than a line break for every five words.",
        "봄이 온다.\n꽃이\n핀다.\n새가\n운다.\n물이\n흐른다.\n나는\n간다.\n길이\n멀다.",
    ),
    Rule(
        "quality_word_length",
        "Words too short or too long on average.",
        "브라키오사우루스 1234567890123456789 티라노사우루스 1234567890123456789 는 을 의.",
    ),
    Rule(
        "quality_words_without_letters",
        "Mostly numbers and signs.",
        "승률 0.512, 0.498, 0.611 / 득점 31, 28, 45 / 실점 22, 30, 41 / "
        "순위는 3, 5, 1 순서로 적은 표이다.",
    ),
    Rule(
        "quality_stop_words",
        "Fewer than two of the 21 commonest words and endings.",
        "김하늘 서울 남산 도서관 책상 의자 연필 공책.\n박바다 부산 영도 등대 배 그물 밧줄 돛.",
    ),
    Rule(
        "quality_top_ngram",
        "One sequence of two to four words makes up much of the text.",
        "우리 집 고양이 나비. 우리 집 강아지 보리. 우리 집 앵무새 콩이. 우리 집 거북이는 느리다.",
    ),
    Rule(
        "quality_duplicate_ngrams",
        "Sequences of 5 to 10 words that stood in this document before.",
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오. 그늘지고 서늘한 곳에 두고 어린이 "
        "손이 닿지 않게 하십시오. 눈에 들어가면 흐르는 물로 씻어 냅니다. "
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오.",
    ),
)
