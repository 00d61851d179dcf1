"""FineWeb-2's measures for Korean web text, on the words of the morphological analyser Kiwi.

In goes a cleaned text, out comes the name of the first measure that it fails. The filters are
datatrove's, with the limits of FineWeb-2 for kor_Hang (arXiv 2506.20920), so that a corpus cleaned
here can be put beside FineWeb-2. Its language score is not among them: it belongs to another
model, and the share of Hangul has been asked for already. On request only: Kiwi reads tens of
kilobytes a second.
"""

import functools
import importlib.util
import re

from datatrove.data import Document
from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import load_word_tokenizer

from gemma_ko_lib.corpus.cleaning.filters import Measured
from gemma_ko_lib.corpus.cleaning.rules import Rule
from gemma_ko_lib.runtime import UserError

_repetition = functools.partial(
    GopherRepetitionFilter,
    dup_para_frac=None,
    dup_line_char_frac=None,
    dup_para_char_frac=None,
    language=Languages.korean,
)
_FILTERS = (
    _repetition(dup_line_frac=0.374, top_n_grams=(), dup_n_grams=()),
    FineWebQualityFilter(
        line_punct_thr=0.062,
        short_line_thr=1,  # no share is larger: these two are not measured
        char_duplicates_ratio=1,
        new_line_ratio=0.196,
        language=Languages.korean,
    ),
    GopherQualityFilter(
        min_doc_words=None,
        max_doc_words=None,
        min_avg_word_length=1,
        max_avg_word_length=6,
        max_symbol_word_ratio=None,
        max_bullet_lines_ratio=None,
        max_ellipsis_lines_ratio=None,
        max_non_alpha_words_ratio=0.791,
        stop_words="의 다 이 는 에 을 한 년 하 은 를 했 고 에서 가 있 으로 인 월 로 되".split(),
        language=Languages.korean,
    ),
    _repetition(
        dup_line_frac=None,
        top_n_grams=((2, 0.282), (3, 0.228), (4, 0.185)),
        dup_n_grams=((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127)),
    ),
)
# datatrove's reasons, without the lengths of n-grams → names of the rules below.
_RULE_OF = {
    "dup_line_frac": "quality_duplicate_lines",
    "line_punct_ratio": "quality_unpunctuated_lines",
    "list_ratio": "quality_line_breaks",
    "gopher_below_avg_threshold": "quality_word_length",
    "gopher_above_avg_threshold": "quality_word_length",
    "gopher_below_alpha_threshold": "quality_words_without_letters",
    "gopher_enough_stop_words": "quality_stop_words",
    "top_gram": "quality_top_ngram",
    "duplicated_n_grams": "quality_duplicate_ngrams",
}


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
    words = load_word_tokenizer(Languages.korean)
    words.model_type = None  # Kiwi's own choice: the one that datatrove names is no longer in Kiwi
    return words.tokenizer


def failed_measure(doc: Measured) -> str | None:
    """Name the first measure of FineWeb-2 that a Korean text fails, or None.

    Example: a column of names and prices → "quality_stop_words".
    """
    kiwi()  # which datatrove then has, too
    for measures in _FILTERS:
        verdict = measures.filter(Document(doc.text, id=""))
        if verdict is not True:
            return _RULE_OF[re.sub(r"\d+_", "", verdict[1])]
    return None


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
