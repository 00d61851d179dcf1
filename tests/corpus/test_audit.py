"""What a run shows of its work has no personal data in it, also where a piece is cut."""

import io
import json

import pytest
from datatrove.data import Document

from gemma_ko_lib import corpus
from gemma_ko_lib.corpus.audit import Examples
from gemma_ko_lib.corpus.blocks import Masker
from gemma_ko_lib.corpus.clean_settings import CleanSettings

PHONE = "010-2345-6789"


def shown(before, after=None, **settings):
    file = io.StringIO()
    Examples(file, CleanSettings(**settings)).add("rule", Document(before, "1"), before, after)
    return json.loads(file.getvalue() or "null")


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


def test_a_number_that_only_the_rule_makes_one_is_not_shown_in_its_pieces():
    assert shown("연락은 010-<b>2345</b>-6789 로", "연락은 010-2345-6789 로") is None
    assert shown("연락은 01\u200b0-2345-6789 로", "연락은 010-2345-6789 로") is None
    found = shown(f"연락은 <b>{PHONE}</b> 로", f"연락은 {PHONE} 로")
    assert found["after"] == "연락은 [전화번호] 로"


def test_an_example_of_a_kind_shows_one_of_that_kind(tmp_path):
    text = f"{PHONE} " + "가 " * 200 + "hong@example.com 으로"
    list(Masker(tmp_path, CleanSettings()).run([Document(text, "1")]))
    lines = (tmp_path / "examples-mask-00000.jsonl").read_text("utf-8").splitlines()
    first, second = sorted(map(json.loads, lines), key=lambda line: line["rule"])
    assert "[이메일]" in first["after"] and "[전화번호]" in second["after"]


def test_a_run_that_masks_nothing_shows_no_number_in_its_lists(tmp_path):
    words = " ".join(chr(0xAC00 + 17 * n) + chr(0xB000 + 23 * n) for n in range(62))
    text = f"{words} {PHONE} 으로 전화하세요."
    (tmp_path / "a.jsonl").write_text(f'{{"text": "{text}"}}\n' * 2, "utf-8")
    corpus.clean(tmp_path / "a.jsonl", tmp_path / "out", CleanSettings(pii="keep"), progress=False)
    for path in (tmp_path / "out").glob("*.json*"):
        if path.suffix != ".gz":
            assert "2345" not in path.read_text("utf-8")


def test_what_the_run_calls_personal_is_masked_in_its_examples():
    text = "https://example.com/news/1 에 있다"
    assert "example.com" in shown(text)["before"]
    assert "example.com" not in shown(text, urls="all")["before"]
    pytest.importorskip("kiwipiepy")
    assert "김하늘" in shown("김하늘 기자가 썼다.")["before"]
    assert "김하늘" not in shown("김하늘 기자가 썼다.", names=True)["before"]
