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
# datatrove's reasons, without the lengths of n-grams → names of the rules.
_RULE_OF = {
    # Lines that stood in this document before, however short.
    "dup_line_frac": "quality_duplicate_lines",
    # Hardly a line ends in punctuation: no sentences.
    "line_punct_ratio": "quality_unpunctuated_lines",
    # More than a line break for every five words.
    "list_ratio": "quality_line_breaks",
    # Words too short or too long on average.
    "gopher_below_avg_threshold": "quality_word_length",
    "gopher_above_avg_threshold": "quality_word_length",
    # Mostly numbers and signs.
    "gopher_below_alpha_threshold": "quality_words_without_letters",
    # Fewer than two of the 21 commonest words and endings.
    "gopher_enough_stop_words": "quality_stop_words",
    # One sequence of two to four words makes up much of the text.
    "top_gram": "quality_top_ngram",
    # Sequences of 5 to 10 words that stood in this document before.
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
