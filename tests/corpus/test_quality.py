"""FineWeb-2's measures: each example fails the one it is for."""

import pytest

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import quality
from gemma_ko_lib.runtime import UserError

EXAMPLES = {
    "quality_unpunctuated_lines": (
        "차림표와 값을 적은 종이\n김치찌개는 팔천 원\n된장찌개는 칠천 원\n계란말이는 오천 원"
    ),
    "quality_duplicate_lines": (
        "오늘은 맑다.\n예\n내일은 흐리고 비가 온다고 한다.\n예\n모레는 다시 갠다고 한다.\n예\n예"
    ),
    "quality_line_breaks": (
        "봄이 온다.\n꽃이\n핀다.\n새가\n운다.\n물이\n흐른다.\n나는\n간다.\n길이\n멀다."
    ),
    "quality_word_length": (
        "브라키오사우루스 1234567890123456789 티라노사우루스 1234567890123456789 는 을 의."
    ),
    "quality_words_without_letters": (
        "승률 0.512, 0.498, 0.611 / 득점 31, 28, 45 / 실점 22, 30, 41 / "
        "순위는 3, 5, 1 순서로 적은 표이다."
    ),
    "quality_stop_words": (
        "김하늘 서울 남산 도서관 책상 의자 연필 공책.\n박바다 부산 영도 등대 배 그물 밧줄 돛."
    ),
    "quality_top_ngram": (
        "우리 집 고양이 나비. 우리 집 강아지 보리. 우리 집 앵무새 콩이. 우리 집 거북이는 느리다."
    ),
    "quality_duplicate_ngrams": (
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오. 그늘지고 서늘한 곳에 두고 어린이 "
        "손이 닿지 않게 하십시오. 눈에 들어가면 흐르는 물로 씻어 냅니다. "
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오."
    ),
}


@pytest.mark.parametrize("rule", sorted(set(quality._RULE_OF.values())))
def test_each_measure_drops_its_example_and_only_on_request(rule):
    assert clean_text(EXAMPLES[rule], "blog", quality=True).dropped_by == rule
    assert clean_text(EXAMPLES[rule], "blog").dropped_by is None


def test_a_missing_analyser_is_named_before_a_run_begins(monkeypatch):
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"gemma-ko\[korean\]"):
        CleanSettings(names=True)
    CleanSettings()


def test_one_line_registers_are_not_measured_as_web_pages():
    assert clean_text("배송빨라요굿", "review", quality=True).dropped_by is None
