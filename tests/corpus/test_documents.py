"""Reading: damaged input is named and never stops the good documents around it."""

import gzip
import json

import pytest

from gemma_ko_lib.corpus import Reject, read_documents, read_records
from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.runtime import UserError


def write(path, *lines) -> str:
    data = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def split(paths):
    found = list(read_records(paths))
    rejects = [record for record in found if isinstance(record, Reject)]
    return [record for record in found if not isinstance(record, Reject)], rejects


def line(text="한 문장이다.", **fields) -> str:
    return json.dumps({**fields, "text": text}, ensure_ascii=False)


def test_jsonl_keeps_the_id_and_the_scalar_fields(tmp_path):
    record = line(id=7, register="review", movie_id="10001", rating=9, spoiler=False, tags=["a"])
    path = write(tmp_path / "a.jsonl", "\ufeff" + record, "", line("둘째"))
    (first, second), rejects = split(path)
    assert (first.id, first.text, rejects) == ("7", "한 문장이다.", [])
    assert first.metadata == {
        "register": "review",
        "movie_id": "10001",
        "rating": 9,
        "spoiler": False,
        "source_file": "a.jsonl",
    }
    assert second.id == "a.jsonl:3"


@pytest.mark.parametrize("field", records.TEXT_FIELDS)
def test_text_is_found_under_any_of_its_names(tmp_path, field):
    path = write(tmp_path / "a.jsonl", json.dumps({field: "본문", "label": 1}))
    assert [document.text for document in read_documents(path)] == ["본문"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"text": "열린 채로', "broken JSON"),
        ("그냥 글", "broken JSON"),
        ("[1, 2]", "a JSON object was expected, not list"),
        ("[" * 100_000, "broken JSON"),
        ('{"title": "제목뿐"}', "no text field"),
        ('{"text": ["목록"]}', "the field 'text' is list, not a string"),
        ('{"text": null}', "the field 'text' is NoneType, not a string"),
        ('{"text": " \\n "}', "empty text"),
        ('{"text": "완성형"}'.encode("cp949"), "not UTF-8 (byte 10 of the line)"),
    ],
)
def test_a_bad_line_is_rejected_alone_with_its_number_and_reason(tmp_path, bad, reason):
    path = write(tmp_path / "a.jsonl", line("앞"), bad, line("뒤"))
    found, (reject,) = split(path)
    assert [document.text for document in found] == ["앞", "뒤"]
    assert (reject.file, reject.line) == ("a.jsonl", 2)
    assert reject.reason.startswith(reason)
    assert len(reject.start) <= 600


def test_what_writers_produce_against_the_standard_is_read(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "점수", "score": NaN}', '{"text": "반쪽\\ud83d"}')
    (first, second), rejects = split(path)
    assert (first.text, second.text, rejects) == ("점수", "반쪽?", [])
    assert "score" not in first.metadata


def test_txt_is_one_document(tmp_path):
    path = write(tmp_path / "글.txt", "\ufeff첫 문단\n\n둘째 문단")
    (document,), _ = split(path)
    assert (document.id, document.text) == ("글.txt", "첫 문단\n\n둘째 문단")
    packed = write(tmp_path / "글.txt.gz", "묶은 글")
    assert [document.text for document in read_documents(packed)] == ["묶은 글"]


def test_cp949_text_is_decoded_and_marked(tmp_path):
    path = write(tmp_path / "old.txt", "똠방각하는 완성형에 없던 글자다".encode("cp949"))
    (document,), _ = split(path)
    assert document.text == "똠방각하는 완성형에 없던 글자다"
    assert document.metadata["decoded_from"] == "cp949"


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\x00\xff", "déjà vu, très réussi".encode("latin-1")]
)
def test_other_bytes_are_no_korean_text(tmp_path, data):
    _, (reject,) = split(write(tmp_path / "a.txt", data))
    assert reject.reason.startswith(("neither UTF-8", "not text"))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.jsonl", b"", "empty file"),
        ("a.txt", b"", "empty file"),
        ("a.txt", b" \n", "empty text"),
        ("a.jsonl", b"\n\n", "no records in the file"),
        ("a.bin", b"\x00\x01\x80", "unknown kind of file (.bin)"),
    ],
)
def test_a_file_without_documents_is_named(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    found, (reject,) = split(tmp_path)
    assert (found, reject.line) == ([], None)
    assert reject.reason.startswith(reason)


def test_a_truncated_gzip_keeps_what_came_before_the_cut(tmp_path):
    lines = [line(f"{i}번째 문장이고 {i * 7919 % 1000} 번호를 단다.") for i in range(5000)]
    whole = gzip.compress("\n".join(lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    found, (reject,) = split(tmp_path)
    assert 1000 < len(found) < 5000
    assert [document.text for document in found[:2]] == [json.loads(x)["text"] for x in lines[:2]]
    # The line that the cut broke and the cut are one damage.
    assert (reject.line, reject.reason) == (
        len(found) + 1,
        "truncated file; what came before was kept",
    )


def test_a_damaged_gzip_is_named_and_one_that_is_none_is_read(tmp_path):
    packed = bytearray(gzip.compress(line().encode()))
    packed[12] ^= 0xFF
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    (tmp_path / "b.jsonl.gz").write_text(line("한 번 더"))
    found, (*_, reject) = split(tmp_path)
    assert [document.text for document in found] == ["한 번 더"]
    assert (reject.file[-10:], reject.reason[:12]) == ("a.jsonl.gz", "damaged file")


def test_a_line_too_long_for_memory_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 1000)
    path = write(tmp_path / "a.jsonl", line("앞"), line("길다" * 2000), line("뒤"))
    found, (reject,) = split(path)
    assert [document.text for document in found] == ["앞", "뒤"]
    assert (reject.line, reject.reason[:8]) == (2, "too long")


def test_reading_documents_only_tells_what_was_left_out(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl", "{", line("글"), "[]")
    assert [document.text for document in read_documents(path)] == ["글"]
    assert capsys.readouterr().err.startswith(
        "2 records left out; the first, a.jsonl:1: broken JSON"
    )
    list(read_documents(write(tmp_path / "b.jsonl", "{", line("글"))))
    assert capsys.readouterr().err.startswith("1 record left out; the first, b.jsonl:1: ")


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        list(read_records(tmp_path / "nowhere.jsonl"))


def test_folders_are_read_in_order_without_hidden_files(tmp_path):
    for name in ("b/2.jsonl", "b/.hidden.jsonl", "a/1.jsonl", ".git/3.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, line(name))
    assert [document.text for document in read_documents(tmp_path)] == ["a/1.jsonl", "b/2.jsonl"]
    twice = read_documents([tmp_path, tmp_path / "a" / "1.jsonl"])
    assert len(list(twice)) == 2


def test_ids_made_from_names_differ_for_files_of_one_name(tmp_path):
    paths = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "train.jsonl", line(folder)))
    assert [document.id for document in read_documents(paths)] == [
        "x/train.jsonl:1",
        "y/train.jsonl:1",
    ]
