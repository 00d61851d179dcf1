"""Languages by document and paragraph, offline, and mostly without asking the model."""

import socket

import pytest

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.cleaning import language
from gemma_ko_lib.corpus.cleaning.language import identify
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import UserError

ALL = ("ko", "en", "zh", "ja")
KOREAN = "군산시는 옛 곡물 창고를 고쳐 도서관으로 다시 연다고 3일 밝혔다. 책은 3만 권이다."
ENGLISH = "The city will reopen the old granary as a library. It holds thirty thousand books."
FRENCH = "La ville rouvrira l'ancien grenier comme bibliothèque, avec trente mille livres."


@pytest.mark.parametrize("code", ALL)
def test_every_sample_is_in_its_own_language(code):
    for sample in read_samples(code)[::3]:
        assert identify(sample["text"], ALL).main == code, sample["text"][:60]


@pytest.mark.parametrize(
    ("text", "main"),
    [
        ("iPhone 14 Pro Max 좋아요", "ko"),
        ("大韓民國은 民主共和國이다", "ko"),
        ("東京都は本日、新しい図書館を公開した", "ja"),
        ("本馆于今日重新开放，欢迎广大读者前来参观，馆内藏书三万册。", "zh"),
        (FRENCH, "other"),
        ("Библиотека открыта каждый день", "other"),
        ("12345 !!", "ko"),
    ],
)
def test_main_language(text, main):
    assert identify(text, ALL).main == main


def test_a_korean_page_that_is_really_english_is_dropped():
    page = f"한국어 홈페이지\n{ENGLISH}"
    assert clean_text(page, "blog", language="ko").dropped_by == "foreign"
    assert clean_text(page, "blog", languages=("ko", "en")).dropped_by is None


def test_a_half_translated_page_says_how_much_and_keeps_every_paragraph():
    page = f"{KOREAN}\n{KOREAN.replace('군산', '목포')}\n{ENGLISH}"
    result = clean_text(page, "blog")
    assert result.dropped_by is None
    assert result.text == page
    assert 0.5 < result.scores["language_share"] < 0.9
    assert "language" not in result.scores


@pytest.mark.parametrize("code", ["en", "zh", "ja"])
def test_other_languages_are_kept_where_they_are_wanted_and_only_there(code):
    samples = read_samples(code)
    kept = [clean_text(s["text"], s["register"], languages=("ko", code)) for s in samples]
    assert [result.dropped_by for result in kept] == [None] * len(samples)
    assert {result.scores["language"] for result in kept} == {code}
    assert all(clean_text(s["text"], s["register"]).dropped_by for s in samples)


def test_one_language_is_given_alone_and_an_unknown_one_is_no_reason_to_drop_all():
    assert clean_text(KOREAN, languages="ko").dropped_by is None
    assert clean_text(ENGLISH, languages="ko").dropped_by == "foreign"
    for wrong in ("kr", ("ko", "kr"), ()):
        with pytest.raises(UserError, match="languages are among ko, en, zh, ja, not"):
            clean_text(KOREAN, languages=wrong)
    # Twice as wanted is no more of a text.
    half = f"{KOREAN[:20]}\n{ENGLISH}"
    once, twice = (clean_text(half, languages=("ko",) * n).dropped_by for n in (1, 2))
    assert once == twice == "foreign"


def test_what_the_corpus_says_settles_only_what_the_script_leaves_open():
    assert identify(ENGLISH, ALL, hint="ko").main == "en"
    assert identify(KOREAN, ALL, hint="en").main == "ko"
    assert identify("図書館", ALL).main == "zh"
    assert identify("図書館", ALL, hint="ja").main == "ja"
    assert identify("図書館\n今日から開きます", ALL).wanted == 1
    assert clean_text(KOREAN, "blog", language="en").scores["language"] == "ko"


def test_korean_texts_never_ask_the_model(monkeypatch):
    asked, ask = [], language._ask_model
    monkeypatch.setattr(language, "_ask_model", lambda text: asked.append(text) or ask(text))
    for sample in read_samples("ko"):
        clean_text(sample["text"], sample["register"], languages=ALL)
    assert asked == []


def test_the_model_needs_no_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *arguments, **named: pytest.fail("network"))
    language._model.cache_clear()
    assert identify(ENGLISH, ALL).main == "en"
