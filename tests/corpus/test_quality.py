"""FineWeb-2's measures: each example fails the one it is for."""

import pytest

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import quality
from gemma_ko_lib.corpus.cleaning.quality import QUALITY
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
