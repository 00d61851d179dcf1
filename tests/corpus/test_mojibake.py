"""Wrongly decoded Korean comes back exactly, and what was decoded correctly is never touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.cleaning.mojibake import is_broken, repair_mojibake
from gemma_ko_lib.corpus.samples import read_samples

LETTER = (
    "안녕하세요, 저는 ‘감사합니다’라고 적었습니다. “뷁” 젠장… 똠방각하 ㅋㅋㅋ 1·2번 ★ 84㎡ 大韓民國"
)


def as_latin_1(data: bytes) -> str:
    return data.decode("latin-1")


def as_windows_1252(data: bytes) -> str:
    # Browsers show the five bytes that the standard leaves free as control characters.
    free = b"\x81\x8d\x8f\x90\x9d"
    return "".join(chr(b) if b in free else bytes([b]).decode("cp1252") for b in data)


MISREADINGS = {
    "UTF-8 as Latin-1": lambda text: as_latin_1(text.encode()),
    "UTF-8 as Windows-1252": lambda text: as_windows_1252(text.encode()),
    "cp949 as Latin-1": lambda text: as_latin_1(text.encode("cp949")),
    "cp949 as Windows-1252": lambda text: as_windows_1252(text.encode("cp949")),
    "UTF-8 as Latin-1 on a page without byte A0": lambda text: as_latin_1(text.encode()).replace(
        "\xa0", " "
    ),
}


@pytest.mark.parametrize("misread", MISREADINGS.values(), ids=MISREADINGS)
def test_what_was_misread_comes_back_exactly(misread):
    assert misread(LETTER) != LETTER
    assert repair_mojibake(misread(LETTER)) == LETTER
    mixed = f"제대로 읽힌 앞부분\n{misread('잘못 읽힌 뒷부분입니다')}"
    assert repair_mojibake(mixed) == "제대로 읽힌 앞부분\n잘못 읽힌 뒷부분입니다"


@pytest.mark.parametrize("misread", MISREADINGS.values(), ids=MISREADINGS)
def test_the_samples_come_back_exactly(misread):
    for sample in read_samples("ko")[::10]:
        text = sample["text"].encode("cp949", "ignore").decode("cp949")
        if sum("가" <= character <= "힣" for character in text) >= 10:
            assert repair_mojibake(misread(text)) == text


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("¾È³ç", "안녕"),
        ("¤»¤»¤»", "ㅋㅋㅋ"),
        ("itâ€™s a â€œtestâ€\x9d", "it’s a “test”"),
        ("재미있다ã…‹ã…‹", "재미있다ㅋㅋ"),
    ],
)
def test_short_misreadings(text, repaired):
    assert repair_mojibake(text) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(chr, range(0xAC00, 0xD7A4))),  # every syllable, the rarest too
        "뷁, 똠방각하, 쀍, 펲시맨, 핰ㅋㅋ",
        "大韓民國은 民主共和國이다. 한글과 漢字를 섞어 쓴 글.",
        "Ça va? Ångström, Øresund, ÅÄÖ, «citation», São Paulo, ¿Cómo está?",
        "“localization” and “basic” café……………… 30°C ±0.5 ¶3 ×2",
        "문자가 깨지면 “Ã©” 또는 “â€™” 처럼 보인다고 설명하는 글입니다.",
        "ÀÀÀÀÀÀÀÀ ÄÄÄÄÄÄÄÄ ÈÈÈÈ",
        "日本語の文章です。中文也是一樣。Привет, мир! สวัสดี",
    ],
)
def test_correct_text_is_not_touched(text):
    assert repair_mojibake(text) == text


@pytest.mark.parametrize("language", ["ko", "en", "ja", "zh"])
def test_no_sample_is_touched_or_called_broken(language):
    for sample in read_samples(language):
        text = sample["text"]
        assert repair_mojibake(text) == text
        assert not is_broken(text, sum("가" <= character <= "힣" for character in text))


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x3000), max_size=60))
def test_repairing_twice_changes_nothing(text):
    once = clean_text(text, "review")
    assert clean_text(once.text, "review") == once


@given(st.lists(st.text("가나다라마바사뷁똠쀍", min_size=1, max_size=9), max_size=12), st.data())
def test_korean_of_any_syllables_is_not_touched(words, data):
    separator = data.draw(st.sampled_from([" ", "\n", "? ", "! ", " · ", "… "]))
    text = separator.join(words)
    assert repair_mojibake(text) == text


def test_lost_bytes_are_a_reason_to_drop_and_not_guessed():
    for lost in ("\ufffd", "?"):
        text = "안녕하세요? 반갑습니다".encode().decode("cp949", "replace").replace("\ufffd", lost)
        assert clean_text(text, "review").dropped_by == "broken_characters"
    assert clean_text("어? 뷁? 쀍? 이게 뭐야? 핰ㅋㅋ", "review").dropped_by is None
