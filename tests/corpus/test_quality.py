"""FineWeb-2's measures: each example fails the one it is for, and datatrove's filters agree."""

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import quality
from gemma_ko_lib.corpus.cleaning.filters import Measured
from gemma_ko_lib.corpus.cleaning.quality import QUALITY
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import UserError


@pytest.mark.parametrize("rule", QUALITY, ids=lambda rule: rule.name)
def test_each_measure_drops_its_example_and_only_on_request(rule):
    assert clean_text(rule.example, "blog", quality=True).dropped_by == rule.name
    assert clean_text(rule.example, "blog").dropped_by is None


def test_a_missing_analyser_is_named_before_a_run_begins(monkeypatch):
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"gemma-ko\[korean\]"):
        CleanSettings(names=True)
    CleanSettings()


def test_one_line_registers_are_not_measured_as_web_pages():
    assert clean_text("배송빨라요굿", "review", quality=True).dropped_by is None


def _datatrove_filters():
    """FineWeb-2's filters as datatrove builds them, with the settings for kor_Hang."""
    return [
        GopherRepetitionFilter(
            dup_line_frac=0.374,
            dup_para_frac=None,
            dup_line_char_frac=None,
            dup_para_char_frac=None,
            top_n_grams=((2, 0.282), (3, 0.228), (4, 0.185)),
            dup_n_grams=((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127)),
        ),
        FineWebQualityFilter(
            line_punct_thr=0.062,
            short_line_thr=999,
            char_duplicates_ratio=999,
            new_line_ratio=0.196,
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
            stop_words=sorted(quality._STOP_WORDS),
        ),
    ]


def test_verdicts_are_those_of_datatrove(monkeypatch):
    for module in ("gopher_repetition_filter", "fineweb_quality_filter", "gopher_quality_filter"):
        path = f"datatrove.pipeline.filters.{module}.split_into_words"
        monkeypatch.setattr(path, lambda text, language: quality.words(text))
    filters = _datatrove_filters()
    texts = [rule.example for rule in QUALITY]
    texts += [sample["text"] for sample in read_samples("ko")[::25]]
    ours = [quality.failed_measure(Measured(text)) is None for text in texts]
    theirs = [
        all(filter_.filter(Document(text, "0")) is True for filter_ in filters) for text in texts
    ]
    assert ours == theirs
    assert {*ours} == {True, False}
