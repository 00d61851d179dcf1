"""JSON of any size: damage costs the record that it stands in, and no other."""

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_ko_lib.corpus.sources import formats, json_stream, json_values, records
from gemma_ko_lib.corpus.sources.records import Reject


def split(data: bytes | str, at_once: int = 0):
    data = data.encode() if isinstance(data, str) else data
    stream = io.BufferedReader(io.BytesIO(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_AT_ONCE", at_once)
        found = list(json_stream.read_json("a.json", stream, formats.is_corpus_record))
    rejects = [item for item in found if isinstance(item, Reject)]
    return [item for item in found if not isinstance(item, Reject)], rejects


def found_records(data, **options) -> list[dict]:
    return [item.record for item in split(data, **options)[0]]


def newspaper(texts: list[str], indent: int | None = None) -> str:
    documents = [
        {
            "id": f"NWRW1.{n}",
            "metadata": {"title": text, "date": "20200101"},
            "paragraph": [{"id": f"NWRW1.{n}.{p}", "form": text} for p in (1, 2)],
        }
        for n, text in enumerate(texts)
    ]
    root = {"id": "NWRW1", "metadata": {"title": "신문 말뭉치"}, "document": documents}
    return json.dumps(root, ensure_ascii=False, indent=indent)


# --- Layouts --------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [0, 1 << 20])
@pytest.mark.parametrize(
    ("root", "container"),
    [
        ({"id": "x", "document": [{"n": 1}, {"n": 2}]}, "document"),
        ({"data": [{"n": 1}, {"n": 2}], "count": 2}, "data"),
        ([{"n": 1}, {"n": 2}], ""),
    ],
)
def test_records_are_found_in_a_list_under_its_key_or_bare(root, container, at_once):
    found, rejects = split(json.dumps(root), at_once)
    assert [(item.number, item.record) for item in found] == [(1, {"n": 1}), (2, {"n": 2})]
    assert {item.origin.container for item in found} == {container}
    assert rejects == []


@pytest.mark.parametrize("at_once", [0, 1 << 20])
def test_a_file_may_be_one_record_and_a_document_may_be_an_object(at_once):
    one = {"header": {"dialogueInfo": {}}, "body": [{"utterance": "네"}]}
    assert found_records(json.dumps(one), at_once=at_once) == [one]
    inner = {"id": "SBRW1.1", "utterance": [{"form": "네"}]}
    (found,), _ = split(json.dumps({"id": "SBRW1", "document": inner}), at_once)
    assert (found.record, found.origin.root["id"]) == (inner, "SBRW1")


@pytest.mark.parametrize("at_once", [0, 1 << 20])
def test_every_record_and_every_list_of_them_within_an_object_is_read(at_once):
    reviews = {str(n): {"RawText": f"{n}번 리뷰"} for n in range(3)}
    found, _ = split(json.dumps({"version": 1, **reviews}), at_once)
    assert [item.record for item in found] == list(reviews.values())
    assert {item.origin.root["version"] for item in found} == {1}
    parts = {"train": {"data": [{"n": 1}]}, "test": {"data": [{"n": 2}]}}
    assert found_records(json.dumps(parts), at_once=at_once) == [{"n": 1}, {"n": 2}]


def test_an_object_too_long_for_memory_is_given_up(monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 2000)
    monkeypatch.setattr(json_values, "CHUNK", 500)
    found, rejects = split(json.dumps({f"key {n}": "값" for n in range(500)}))
    assert (found, rejects[0].reason[:8]) == ([], "too long")


def test_objects_side_by_side_are_records_each():
    data = '{"a": 1}\n{"a": 2}\n\n{\n "a": 3}'
    assert found_records(data) == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_large_file_is_cut_into_the_records_that_parsing_finds(indent, monkeypatch):
    monkeypatch.setattr(json_values, "CHUNK", 100)
    monkeypatch.setattr(json_values, "SHORT", 30)
    data = newspaper([f'따옴표 "{n}" {{괄호]}} \\ 끝' for n in range(50)], indent)
    assert found_records(data) == json.loads(data)["document"]


def test_a_record_that_ends_like_none_before_it_is_read(monkeypatch):
    monkeypatch.setattr(json_values, "CHUNK", 200)
    items = [{"n": n, "list": [{"m": n}] if n % 7 else [[n]]} for n in range(100)]
    assert found_records(json.dumps({"data": items})) == items


def test_what_writers_produce_against_the_standard_is_read():
    data = '{"data": [{"n": NaN, "text": "반쪽\\ud83d"}, {"text": "탭\t과 줄\n"}]}'
    assert found_records(data) == [{"n": None, "text": "반쪽?"}, {"text": "탭\t과 줄\n"}]


def test_comments_between_records_are_skipped():
    data = '# 만든 날\n[\n# 첫째\n{"n": 1},\n# 둘째 {"n": 0}\n{"n": 2}\n]\n'
    found, rejects = split(data)
    assert ([item.record for item in found], rejects) == ([{"n": 1}, {"n": 2}], [])


def test_a_record_too_long_for_memory_costs_only_itself(monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 2000)
    monkeypatch.setattr(json_values, "CHUNK", 500)
    items = [{"id": 1, "form": "앞"}, {"id": 2, "form": "길다" * 5000}, {"id": 3, "form": "뒤"}]
    found, (reject,) = split(json.dumps({"data": items}, ensure_ascii=False))
    assert [item.record["form"] for item in found] == ["앞", "뒤"]
    assert reject.reason == "too long for a document (2,000 bytes)"


# --- Damage that users' files have ----------------------------------------------------

THREE = ["가을이 왔다", "나무가 붉다", "다람쥐가 바쁘다"]


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"title": "나무가 붉다"', '"title": "나무가 붉다'),  # open string
        ('"title": "나무가 붉다"', '"title" "나무가 붉다"'),  # missing colon
        ('"date": "20200101"', '"date" "20200101"'),
        ('"title": "나무가 붉다",', '"title": "나무가 붉다"'),  # missing comma
        ('"id": "NWRW1.1",', '"id": (반사회적용어),'),  # unquoted value
        ('"id": "NWRW1.1",', 'ㅁ"id": "NWRW1.1",'),  # stray character
        ('"paragraph": [', '"paragraph": '),  # missing bracket
        ("나무가 붉다", "나무가 \\붉다"),  # wrong escape
    ],
)
def test_damage_costs_its_record_only_and_is_named_with_its_line(old, new, indent):
    whole = newspaper(THREE, indent)
    place = whole.index(old, whole.index("나무가 붉다") - 80)
    found, (reject,) = split(whole[:place] + whole[place:].replace(old, new, 1))
    assert [item.record["metadata"]["title"] for item in found] == [THREE[0], THREE[2]]
    assert (reject.file, reject.reason[:13]) == ("a.json", "broken JSON (")
    line = whole[:place].count("\n") + 1
    assert line <= reject.line <= line + 5  # where it can no longer be right
    assert reject.start.startswith("{")


@pytest.mark.parametrize("indent", [None, 4])
def test_a_missing_comma_between_records_costs_none(indent):
    data = json.dumps({"data": [{"n": 1}, {"n": 2}, {"n": 3}]}, indent=indent)
    end = data.index("2") + data[data.index("2") :].index("}") + 1
    found, (reject,) = split(data[:end] + data[end + 1 :])
    assert [item.record["n"] for item in found] == [1, 2, 3]
    assert reject.reason == "broken JSON (a comma is missing)"


def test_a_cut_file_keeps_what_is_whole():
    data = newspaper(THREE, 2)
    found, (reject,) = split(data[: data.index("다람쥐")])
    assert [item.record["metadata"]["title"] for item in found] == THREE[:2]
    assert reject.reason.startswith("the file ends within a record")


def test_bytes_that_are_no_utf8_cost_their_record():
    data = newspaper(THREE).encode().replace("나무가".encode(), "나무가".encode("cp949"), 1)
    found, (reject,) = split(data)
    assert [item.record["metadata"]["title"] for item in found] == [THREE[0], THREE[2]]
    assert reject.reason.startswith("not UTF-8")


def test_what_is_against_the_standard_is_read_after_damage_too():
    bad, good = '{"n": 2 "text": "둘"}', '{"n": NaN, "text": "셋\t줄"}'
    found, (_,) = split(f'{{"data": [{{"n": 1, "text": "하나"}}, {bad}, {good}, {good}]}}')
    assert [item.record["text"] for item in found] == ["하나", "셋\t줄", "셋\t줄"]


def test_a_damaged_single_record_is_not_read_as_its_parts():
    # Each utterance alone would be a text without its dialogue.
    data = '{"info": {"topic" "취미"}, "utterances": [{"speaker": "1", "text": "네"}]}'
    found, (reject, nothing) = split(data)
    assert found == []
    assert (reject.line, nothing.reason) == (1, "no records in the file")


def test_many_damaged_records_take_linear_time():
    # Tried one by one to the end of the file, these would take minutes.
    bad = '{"id": "x", "paragraph": [{"form": "열린}]},\n' * 3000
    good = '{"id": "y", "paragraph": [{"form": "닫힌"}]}'
    assert found_records('{"document": [' + bad + good + "]}")[-1]["id"] == "y"
    assert found_records('{"data": ' + '{"a":' * 20_000) == []
    assert found_records("[" * 50_000 + '{"a": "' * 2000) == []


# --- Any damage -----------------------------------------------------------------------

TEXTS = ["가을이 왔다", "나무 {가} 붉다", 'ㅋㅋ "네"', "라면[1], 물", "마음"]


def passages(data: bytes | str) -> list[str]:
    found, _ = split(data)
    texts = []
    for item in found:
        got = formats.passages_of(item.record, item.origin)
        texts += [] if isinstance(got, str) else [passage.text for passage in got]
    return texts


EXPECTED = {indent: passages(newspaper(TEXTS, indent)) for indent in (None, 2, 4)}


@given(st.data(), st.sampled_from([None, 2, 4]))
@settings(max_examples=400, deadline=None)
def test_one_changed_character_costs_one_record_at_most(data, indent):
    whole = newspaper(TEXTS, indent)
    place = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 1))
    inserted = data.draw(st.sampled_from(["", *'{}[]",:\\\n x1한']))
    changed = whole[:place] + inserted + whole[place + length :]
    got = passages(changed)
    starts = [whole.index(f'"NWRW1.{n}"') for n in range(len(TEXTS))]
    # A record begins at its bracket, and the comma before it belongs to it, too.
    starts = [whole.rindex("{", 0, start) - 8 for start in starts] + [len(whole)]
    for n, text in enumerate(EXPECTED[indent]):
        if not starts[n] <= place < starts[n + 1] + 8:
            assert text in got


@given(st.integers(0, len(newspaper(TEXTS, 2).encode())))
@settings(max_examples=150, deadline=None)
def test_a_file_cut_anywhere_keeps_every_whole_record(length):
    whole = newspaper(TEXTS, 2).encode()
    got = passages(whole[:length])
    ends = [whole.index(b'"NWRW1.%d"' % n) for n in range(1, 5)]
    whole_records = sum(length >= end for end in ends)
    assert got[:whole_records] == EXPECTED[2][:whole_records]


@given(st.binary(max_size=300))
@example(b'{"a":')
@example(b'\xef\xbb\xbf{"data": [{}]}')
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_rejected(data):
    found, rejects = split(data)
    assert found or rejects


@given(st.text(alphabet='{}[]",:\\ ab1#\n', max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_brackets_are_read_or_rejected(text):
    found, rejects = split(text)
    assert found or rejects
