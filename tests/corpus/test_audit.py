"""What a run shows of its work has no personal data in it, also where a piece is cut."""

import io
import json

import pytest
from datatrove.data import Document

from gemma_ko_lib.corpus.audit import Examples
from gemma_ko_lib.corpus.clean_settings import CleanSettings

PHONE = "010-2345-6789"


def shown(before, after=None, **settings):
    file = io.StringIO()
    Examples(file, CleanSettings(**settings)).add("rule", Document(before, "1"), before, after)
    return json.loads(file.getvalue())


@pytest.mark.parametrize("place", range(225, 245))
def test_a_number_that_the_end_of_the_piece_cuts_is_masked(place):
    found = shown("가" * (place - 1) + " " + PHONE + " 끝" * 100)
    assert "2345" not in found["before"] and "010" not in found["before"]
    assert found["after"] is None and found["before"].startswith("가")


@pytest.mark.parametrize("distance", [*range(16, 46), *range(70, 125)])
def test_a_number_around_the_place_where_two_versions_differ_is_masked(distance):
    for before in (
        "나" * 300 + f" {PHONE} " + "다" * distance + "!! " + "라" * 300,
        "나" * 300 + "!! " + "다" * distance + f" {PHONE} " + "라" * 300,
    ):
        found = shown(before, before.replace("!!", "!"))
        assert not any(digits in str(found) for digits in ("010", "2345", "6789"))
        assert "!!" in found["before"] and "!!" not in found["after"]


def test_what_the_run_calls_personal_is_masked_in_its_examples():
    text = "https://example.com/news/1 에 있다"
    assert "example.com" in shown(text)["before"]
    assert "example.com" not in shown(text, urls="all")["before"]
    pytest.importorskip("kiwipiepy")
    assert "김하늘" in shown("김하늘 기자가 썼다.")["before"]
    assert "김하늘" not in shown("김하늘 기자가 썼다.", names=True)["before"]
