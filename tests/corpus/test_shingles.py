"""Words and shingles: what counts as equal, and that texts never reach into one another."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemma_ko_lib.corpus import shingles


def _words(text):
    return [word.decode() for word in shingles.words(text)]


def test_case_and_punctuation_do_not_count_and_words_do():
    assert _words("맛있어요!! ^^ 또 갈게요.") == ["맛있어요", "또", "갈게요"]
    assert _words("“세계_1위”·É̈…K℃, ㅋㅋ 3٣") == ["세계_1위", "é", "k", "ㅋㅋ", "3٣"]
    assert shingles.key(shingles.words("Good, 좋아요")) == shingles.key(
        shingles.words("good 좋아요!")
    )
    assert shingles.key(shingles.words("가 나")) != shingles.key(shingles.words("가나"))


@given(st.text())
def test_words_are_those_that_a_pattern_of_letters_and_digits_finds(text):
    alone = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    found = re.findall(rf"[^\W{alone}]+|[{alone}]", text.lower())
    assert _words(text) == (found or [text.encode("utf-8", "replace").decode()])


def test_chinese_and_japanese_which_write_no_spaces_are_cut_into_characters():
    assert _words("今日は雨。rain") == ["今", "日", "は", "雨", "rain"]


def test_a_text_without_words_is_not_equal_to_another():
    assert shingles.key(shingles.words("★★★")) != shingles.key(shingles.words("♥"))


@given(st.lists(st.lists(st.sampled_from("가나다라"), min_size=1, max_size=9), min_size=1))
def test_shingles_are_those_of_each_text_alone(texts):
    texts = [[word.encode() for word in text] for text in texts]
    together = shingles.shingle(texts, 3)
    for number, text in enumerate(texts):
        mine = together.hashes[together.starts[number] : together.starts[number + 1]]
        alone = shingles.shingle([text], 3).hashes
        assert np.array_equal(mine, alone)
        assert len(mine) == max(len(text) - 2, 1)
    grams = {tuple(text[i : i + 3]) for text in texts for i in range(max(len(text) - 2, 1))}
    assert len(set(together.hashes.tolist())) == len(grams)
