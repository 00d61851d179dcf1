"""Shares come out as they were asked for, and a key that names nothing is an error."""

import math
from fractions import Fraction

import pytest
from datatrove.data import Document
from hypothesis import given
from hypothesis import strategies as st

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import Mixture, parse_weights
from gemma_ko_lib.tokenization.mixture import apportion, group_of, language_of, shares

SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(2, 10**12), min_size=1, max_size=8)


# --- What is asked for --------------------------------------------------------------------


def test_weights_are_read_as_typed():
    assert parse_weights(["ko=0.7", "ko/news=2"]) == {"ko": 0.7, "ko/news": 2.0}


@pytest.mark.parametrize("text", ["ko", "ko=", "=1", "ko=much", "", "ko:1"])
def test_what_is_not_a_weight_is_reported(text):
    with pytest.raises(UserError, match=f"KEY=NUMBER.*not '{text}'"):
        parse_weights(["en=1", text])


def test_two_weights_for_one_group_are_reported():
    with pytest.raises(UserError, match="two weights for 'ko'"):
        parse_weights(["ko=1", "ko=2"])


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_is_above_zero_and_finite(weight):
    with pytest.raises(UserError, match="weight of 'ko'.*above 0"):
        Mixture(weights={"ko": weight})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"temperature": 0.5}, "temperature is 0.5; give 1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 2.0, "weights": {"ko": 1.0}}, "give one of them"),
        ({"by": "language", "weights": {"ko": 1.0}}, "leave the grouping out"),
        ({"by": "source"}, "No grouping by 'source'; there are language, register"),
        ({"tokens": 0}, "number of tokens is 0"),
        ({"once": "ko"}, "'ko' is to come once.*give it a weight"),
        ({"once": "ko", "weights": {"ko": 1.0}, "tokens": 9}, "and no number of tokens"),
    ],
)
def test_settings_without_sense_are_reported(settings, told):
    with pytest.raises(UserError, match=told):
        Mixture(**settings)


# --- Groups -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("오늘은 서점에 들러 소설책 두 권을 샀다.", "ko"),
        ("갤럭시 Tab S9 Ultra Wi-Fi 256GB 샀는데 화면이 좋아요", "ko"),
        ("She bought two novels. The shop is called 책방 in Korean.", "en"),
        ("駅前の本屋で小説を二冊買いました。", "ja"),
        ("昨天我在车站旁边的书店买了两本小说。", "zh"),
        ("12345", "ko"),
    ],
)
def test_the_language_is_guessed_from_most_letters(text, language):
    assert language_of(Document(text=text, id="1")) == language


@pytest.mark.parametrize("field", ["language", "lang"])
def test_a_known_language_is_not_guessed(field):
    assert language_of(Document(text="책방", id="1", metadata={field: "ja"})) == "ja"


def test_the_most_exact_key_wins():
    mixture = Mixture(weights={"ko": 1, "news": 1, "ko/news": 1, "rest": 1})
    assert group_of("ko", "news", mixture) == "ko/news"
    assert group_of("ko", "blog", mixture) == "ko"
    assert group_of("en", "news", mixture) == "news"
    assert group_of("en", "blog", mixture) == "rest"
    assert group_of("en", "blog", Mixture(weights={"ko": 1})) is None


def test_a_document_that_two_keys_name_is_reported():
    with pytest.raises(UserError, match="ko/news are named by 'ko' and by 'news'"):
        group_of("ko", "news", Mixture(weights={"ko": 1, "news": 1}))


@pytest.mark.parametrize(
    ("by", "group"),
    [("language", "ko"), ("register", "news"), ("language/register", "ko/news")],
)
def test_without_weights_every_document_has_a_group(by, group):
    assert group_of("ko", "news", Mixture(by=by)) == group


# --- Shares -------------------------------------------------------------------------------


@given(sizes=SIZES, temperature=st.floats(1, 100))
def test_shares_add_up_and_a_temperature_draws_them_together(sizes, temperature):
    natural = shares(Mixture(), sizes)
    tempered = shares(Mixture(temperature=temperature), sizes)
    assert sum(natural.values()) == sum(tempered.values()) == 1
    assert natural == {name: Fraction(n, sum(sizes.values())) for name, n in sizes.items()}
    largest, smallest = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
    assert tempered[largest] <= natural[largest] + Fraction(1, 10**9)
    assert tempered[smallest] >= natural[smallest] - Fraction(1, 10**9)


def test_the_temperature_is_that_of_the_papers():
    # mT5 writes p ∝ n^α with α = 0.3; here α = 1/T.
    found = shares(Mixture(temperature=1 / 0.3), {"en": 1000, "ko": 10})
    assert float(found["en"] / found["ko"]) == pytest.approx(100**0.3)


def test_a_large_temperature_makes_groups_equal():
    found = shares(Mixture(temperature=1e9), {"en": 10**12, "ko": 10, "ja": 2})
    assert [float(part) for part in found.values()] == pytest.approx([1 / 3] * 3)


@given(sizes=SIZES, total=st.integers(1, 10**12))
def test_a_budget_is_divided_without_rest(sizes, total):
    parts = shares(Mixture(), sizes)
    found = apportion(total, parts)
    assert sum(found.values()) == total
    assert all(abs(found[name] - total * part) < 1 for name, part in parts.items())


@given(sizes=SIZES, total=st.integers(1, 10**12))
def test_the_largest_remainders_get_what_rounding_down_left(sizes, total):
    parts = shares(Mixture(), sizes)
    found = apportion(total, parts)
    remainders = {name: total * part - math.floor(total * part) for name, part in parts.items()}
    more = [name for name, part in parts.items() if found[name] > total * part]
    least = min((remainders[name] for name in more), default=1)
    assert all(remainders[name] <= least for name in parts if name not in more)


def test_of_equal_remainders_the_first_name_gets_the_token():
    assert apportion(
        10, {"ko": Fraction(15, 100), "en": Fraction(27, 100), "ja": Fraction(58, 100)}
    ) == {"ko": 1, "en": 3, "ja": 6}
    half = Fraction(1, 2)
    assert apportion(3, {"ko": half, "en": half}) == {"ko": 1, "en": 2}


@given(sizes=SIZES)
def test_as_many_tokens_as_there_are_is_every_token_once(sizes):
    assert apportion(sum(sizes.values()), shares(Mixture(), sizes)) == sizes
