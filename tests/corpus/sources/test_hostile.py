"""One bad input costs itself: names, links, pipes, bombs, claims that do not hold."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import zipfile

import pytest

from gemma_ko_lib.corpus.documents import find_files_and_notes, read_records
from gemma_ko_lib.corpus.sources import files, formats, records, streams, tables
from tests.corpus.sources.test_kinds import _MAIN, _WORKBOOK, parquet, xlsx

RECORD = '{"text": "가람의 글"}\n'


def texts(documents) -> list[str]:
    return [document.text for document in documents]


# --- Names and what is no file ----------------------------------------------------------


def test_a_name_in_cp949_or_in_no_encoding_is_readable(tmp_path, read):
    for name in ("가.jsonl".encode("cp949"), b"\xff\xfe.jsonl", "나.jsonl".encode()):
        (tmp_path / os.fsdecode(name)).write_text(RECORD)
    found, rejects = read(tmp_path)
    names = [document.metadata["source_file"].rpartition("/")[2] for document in found]
    assert sorted(names) == ["\\xff\\xfe.jsonl", "가.jsonl", "나.jsonl"]
    assert rejects == []


def test_links_to_nothing_pipes_and_folders_behind_links_are_left_out(tmp_path, read):
    (tmp_path / "a.jsonl").write_text(RECORD)
    (tmp_path / "nothing.jsonl").symlink_to("gone")
    (tmp_path / "itself.jsonl").symlink_to("itself.jsonl")
    (tmp_path / "zeros.txt").symlink_to("/dev/zero")
    (tmp_path / "around").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".DS_Store").touch()
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["가람의 글"], [])
    notes = find_files_and_notes(tmp_path)[1]
    left_out = {(note.kind, note.name.partition("/")[2], note.files) for note in notes}
    assert left_out == {
        ("not a file", "nothing.jsonl", 1),
        ("not a file", "itself.jsonl", 1),
        ("not a file", "zeros.txt", 1),
        ("not a file", "around", 1),
        ("not a file", "pipe.jsonl", 1),
        ("hidden", "", 2),
    }


def test_hidden_members_of_an_archive_are_listed(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.txt", "__MACOSX/._a.txt", "__MACOSX/b/._c.txt", ".DS_Store"):
            archive.writestr(name, "글")
    (note,) = find_files_and_notes(tmp_path / "a.zip")[1]
    assert (note.kind, note.name, note.files) == ("hidden", "a.zip", 3)


@pytest.mark.parametrize("damage", ["gone", "unreadable"])
def test_a_file_that_cannot_be_read_costs_itself(tmp_path, read, monkeypatch, damage):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(RECORD)

    def refuse(path, *arguments, **options):
        if str(path).endswith("a.jsonl"):
            error = FileNotFoundError if damage == "gone" else PermissionError
            raise error(2 if damage == "gone" else 13, "no way")
        return open(path, *arguments, **options)

    monkeypatch.setattr("gemma_ko_lib.corpus.sources.reading.open", refuse, raising=False)
    found, (reject,) = read(tmp_path)
    assert texts(found) == ["가람의 글"]
    assert (reject.file[-7:], reject.reason[:23]) == ("a.jsonl", "cannot be read (no way)")


def test_two_members_of_one_name_are_both_read(tmp_path, read):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, pytest.warns(UserWarning):
        for text in ("첫째", "둘째", "셋째"):
            archive.writestr("a.txt", text)
        archive.writestr("./a.txt", "넷째")
    found, rejects = read(tmp_path / "a.zip")
    assert (sorted(texts(found)), rejects) == (["넷째", "둘째", "셋째", "첫째"], [])
    assert len({document.id for document in found}) == 4


# --- Packed streams -----------------------------------------------------------------------

LINES = "".join(f'{{"text": "{n * 7919 % 10007}번째 글"}}\n' for n in range(20_000)).encode()


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK = {"gz": gzip.compress, "zst": zstd, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACK)
def test_every_packed_stream_is_held_to_its_end(tmp_path, read, suffix):
    whole = PACK[suffix](LINES)
    path = tmp_path / f"a.jsonl.{suffix}"
    for cut in (len(whole) - 3, len(whole) // 2):
        path.write_bytes(whole[:cut])
        found, (reject,) = read(path)
        assert len(found) <= 20_000
        assert reject.reason == "truncated file; what came before was kept"
    assert len(found) < 20_000
    path.write_bytes(whole + whole)
    assert len(read(path)[0]) == 40_000
    path.write_bytes(whole + "뒤에 붙은 것".encode())
    found, (reject,) = read(path)
    assert (len(found), reject.reason[:12]) == (20_000, "damaged file")


@pytest.mark.parametrize("suffix", PACK)
def test_a_packed_file_is_known_by_more_than_its_first_member(tmp_path, read, suffix):
    comments = [f"{number}번 댓글이다 ㅋㅋ\n".encode() for number in range(300)]
    members = [b"".join(comments[:3]), b"".join(comments[3:])]
    (tmp_path / f"a.txt.{suffix}").write_bytes(b"".join(map(PACK[suffix], members)))
    assert len(read(tmp_path)[0]) == 300


@pytest.mark.parametrize("suffix", PACK)
def test_what_follows_padding_is_read(tmp_path, read, suffix):
    whole = PACK[suffix](LINES)
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(whole + b"\0" * 200_000 + whole + b"\0" * 512)
    found, rejects = read(tmp_path)
    assert (len(found), rejects) == (40_000, [])


def test_a_zstd_file_cut_between_two_blocks_is_no_whole_file(tmp_path, read):
    import zstandard

    packer = zstandard.ZstdCompressor().compressobj()
    first = packer.compress(LINES) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    (tmp_path / "a.jsonl.zst").write_bytes(first)
    found, (reject,) = read(tmp_path)
    assert (len(found), reject.reason[:14]) == (20_000, "truncated file")


@pytest.mark.parametrize("suffix", PACK)
def test_a_bomb_is_not_unpacked_to_its_end(tmp_path, read, suffix):
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(PACK[suffix](b"0" * 40_000_000))
    found, (reject,) = read(tmp_path)
    assert (found, "far more than text does" in reject.reason) == ([], True)


@pytest.mark.parametrize("suffix", PACK)
def test_packed_a_hundred_times_over_is_refused(tmp_path, read, suffix):
    data = RECORD.encode()
    for _ in range(100):
        data = PACK[suffix](data)
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(data)
    found, (reject,) = read(tmp_path)
    assert (found, reject.reason[:11]) == ([], "packed more")


# --- JSON ---------------------------------------------------------------------------------


def test_records_of_a_list_go_on_one_by_one(tmp_path, monkeypatch):
    from gemma_ko_lib.corpus.sources import json_stream

    read_json, read = json_stream.read_json, []

    def watched(*arguments):
        for item in read_json(*arguments):
            read.append(item)
            yield item

    monkeypatch.setattr(json_stream, "read_json", watched)
    (tmp_path / "a.json").write_text(json.dumps([{"text": "글"}] * 100))
    assert next(read_records(tmp_path)).text == "글"
    assert len(read) < 5


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_record_of_no_texts_at_all_is_rejected(tmp_path, read, name):
    record = '{"id": "x", "metadata": {}, "document": []}'
    (tmp_path / name).write_text(f"[{record}]" if name == "a.json" else record)
    found, (reject,) = read(tmp_path)
    assert (found, reject.reason[:10]) == ([], "empty text")


def test_an_object_nested_too_deep_for_python_costs_its_line(tmp_path, read):
    deep = "[" * 600 + "NaN" + "]" * 600
    (tmp_path / "a.jsonl").write_text(f'{{"text": "글", "n": {deep}}}\n{RECORD}')
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.line, reject.reason[:11]) == (["가람의 글"], 1, "broken JSON")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "record",
    [
        '{"RawText": ' + "[" * 980 + "]" * 980 + "}",
        '{"document": [' * 400 + '{"paragraph": [{"form": "글"}]}' + "]}" * 400,
        '{"text": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"text": ' * 3000 + "1" + "}" * 3000,
    ],
    ids=["lists", "documents", "deeper lists", "deeper objects"],
)
def test_a_record_nested_deep_costs_itself_also_as_the_first(tmp_path, read, record, name):
    data = f"[{record},\n{RECORD.strip()}]" if name == "a.json" else f"{record}\n{RECORD}"
    (tmp_path / name).write_text(data)
    found, rejects = read(tmp_path)
    assert (texts(found), len(rejects)) == (["가람의 글"], 1)


@pytest.mark.parametrize("number", ["9" * 6000, "-" + "9" * 4400, "9" * 25, "1e99999"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_number_too_long_costs_at_most_itself(tmp_path, read, number, name):
    record = f'{{"text": "글", "n": {number}, "x": NaN}}'
    data = f"[{record},\n{RECORD.strip()}]" if name == "a.json" else f"{record}\n{RECORD}"
    (tmp_path / name).write_text(data)
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["글", "가람의 글"], [])
    assert not isinstance(found[0].metadata.get("n"), int)


# --- Tables -------------------------------------------------------------------------------


def sheet(path, cells: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in _WORKBOOK.items():
            book.writestr(name, content)
        data = f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", data)


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_one_far_cell_takes_no_memory(tmp_path, read):
    header = f"<row>{inline('A1', 'id')}{inline('B1', 'text')}</row>"
    row = f'<row r="2">{inline("A2", "7")}{inline("B2", "첫 줄")}</row>'
    far = f'<row r="1048576">{inline("XFD1048576", "먼 칸")}</row>'
    sheet(tmp_path / "a.xlsx", header + row + far)
    (document,), rejects = read(tmp_path)
    assert (document.id, document.text, rejects) == ("7", "첫 줄", [])


def test_a_sheet_that_a_book_lists_twice_is_read_once(tmp_path, read):
    data = io.BytesIO(xlsx([["id", "text"], ["1", "첫 줄"]]))
    with zipfile.ZipFile(data) as book, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as twice:
        for name in book.namelist():
            content = book.read(name)
            if name == "xl/workbook.xml":
                (listed,) = re.findall(rb"<sheet .*?/>", content)
                content = content.replace(listed, listed * 3)
            twice.writestr(name, content)
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["첫 줄"], [])


def test_a_sheet_knows_shared_texts_dates_and_numbers(tmp_path, read):
    parts = {
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}"><si><t>text</t></si><si><r><t>두 </t></r>'
        "<r><t>조각</t></r><rPh><t>읽기</t></rPh></si></sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" '
        'formatCode="yyyy\\-mm\\-dd"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/>'
        "</cellXfs></styleSheet>",
    }
    row = (
        '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>date</t></is></c>'
        '<c t="inlineStr"><is><t>n</t></is></c></row>'
        '<row><c t="s"><v>1</v></c><c s="1"><v>47968</v></c><c><v>17.0</v></c></row>'
    )
    sheet(tmp_path / "a.xlsx", row)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "a") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    (document,), _ = read(tmp_path)
    assert document.text == "두 조각"
    assert (document.metadata["date"], document.metadata["n"]) == ("2031-04-30", "17")


def test_a_cell_that_is_no_day_or_number_costs_no_other(tmp_path, read):
    styles = f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf/><xf numFmtId="14"/></cellXfs></styleSheet>'
    values = ["1012345678", "-1E300", "1.2.3", "47968"]
    cells = "".join(
        f"<row>{inline('A1', f'글 {value}')}<c s='1'><v>{value}</v></c><c><v>{value}</v></c></row>"
        for value in values
    )
    head = "".join(map(inline, ("A1", "B1", "C1"), ("text", "day", "n")))
    sheet(tmp_path / "a.xlsx", f"<row>{head}</row>{cells}")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "a") as book:
        book.writestr("xl/styles.xml", styles)
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == ([f"글 {value}" for value in values], [])
    assert [d.metadata["day"] for d in found] == [*values[:3], "2031-04-30"]


def test_a_sheet_that_is_cut_or_refers_to_nothing_keeps_what_came_before(tmp_path, read):
    good = xlsx([["id", "text"], ["1", "첫 줄"]])
    (tmp_path / "a.xlsx").write_bytes(good)
    sheet(
        tmp_path / "b.xlsx",
        f"<row>{inline('A1', 'id')}{inline('B1', 'text')}</row>"
        f"<row>{inline('A2', '1')}{inline('B2', '둘째')}</row><row><c t='s'><v>9</v></c></row>",
    )
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.file[-6:]) == (["첫 줄", "둘째"], "b.xlsx")
    assert reject.reason.startswith("damaged sheet")


def test_rows_that_share_one_long_text_stay_within_memory(tmp_path, read, monkeypatch):
    rows = 300
    (tmp_path / "a.parquet").write_bytes(parquet({"text": ["긴 글 " * 25_000] * rows}))
    found, (reject,) = read(tmp_path)
    assert 0 < len(found) < rows
    assert "far more than text does" in reject.reason
    monkeypatch.setattr(streams, "HIGHEST_RATIO", 10**9)
    assert len(read(tmp_path)[0]) == rows
    monkeypatch.setattr(records, "LONGEST_RECORD", 1000)
    found, rejects = read(tmp_path)
    assert (found, len(rejects)) == ([], rows)


@pytest.mark.parametrize("within", ["list", "structure", "map"])
def test_texts_shared_within_a_row_stay_within_memory_too(tmp_path, read, monkeypatch, within):
    import pyarrow

    monkeypatch.setattr(records, "LONGEST_RECORD", 1_000_000)
    shared = ["긴 글 " * 25_000] * 50
    values = {"list": shared, "structure": {"in": shared}, "map": [("in", t) for t in shared]}
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string()) if within == "map" else None
    more = pyarrow.array([[], values[within]] if within == "list" else [None, values[within]], kind)
    (tmp_path / "a.parquet").write_bytes(parquet({"text": ["앞", "뒤"], "more": more}))
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.line, reject.reason[:8]) == (["앞"], 2, "too long")


def test_values_that_take_no_byte_in_a_parquet_file_are_counted(tmp_path, read):
    import pyarrow

    nothing = pyarrow.ListArray.from_arrays([0, 5_000_000], pyarrow.nulls(5_000_000, "int8"))
    (tmp_path / "a.parquet").write_bytes(parquet({"text": ["글"], "more": nothing}))
    found, (reject,) = read(tmp_path)
    assert (found, "no text packs so well" in reject.reason) == ([], True)


def test_a_line_of_a_table_that_does_not_end_is_refused(tmp_path, read, monkeypatch):
    monkeypatch.setattr(tables, "_LONGEST_ROW", 1_100_000)
    (tmp_path / "a.csv").write_text("id,text\n1,가\n2," + "끝없는 칸 " * 500_000 + "\n3,나\n")
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.line) == (["가", "나"], 3)
    assert reject.reason.startswith("too long for a row")


def test_many_open_quotes_take_linear_time(tmp_path, read):
    # With the rest of the table copied for each row, these would take minutes in a longer table.
    (tmp_path / "a.csv").write_text("id,text\n" + '1,"열린\n' * 40_000)
    found, rejects = read(tmp_path)
    assert (found, len(rejects)) == ([], 40_000)


def test_rows_of_one_document_without_end_cost_their_document(tmp_path, read, monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 1000)
    rows = [("a", "앞의 글"), *[("b", "끝없는 글 " * 20)] * 30, ("c", "뒤의 글")]
    table = "file_id,sentence\n" + "\n".join(map(",".join, rows))
    (tmp_path / "a.csv").write_text(table)
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.line) == (["앞의 글", "뒤의 글"], 3)
    assert reject.reason.startswith("too long for a document")


def test_what_no_reader_foresaw_costs_its_file(tmp_path, read, monkeypatch):
    def broken(name, stream):
        yield 1, {"text": "첫 줄"}
        raise KeyError("열")

    monkeypatch.setattr(tables, "read_csv", broken)
    (tmp_path / "a.csv").write_text("text,n\n")
    (tmp_path / "b.jsonl").write_text(RECORD)
    found, (reject,) = read(tmp_path)
    assert texts(found) == ["첫 줄", "가람의 글"]
    assert reject.reason == "not foreseen (KeyError: '열'); what came before was kept"


def test_lists_of_numbers_where_a_corpus_has_a_word_cost_nothing(tmp_path, read):
    review = {"RawText": "배송이 빨라요", "Domain": [[1, 2], [3]]}
    said = [{"speaker": [[1, 2]], "text": "안녕"}, {"speaker": "B", "text": "그래"}]
    lines = map(json.dumps, (review, {"utterances": said, "info": {"topic": [[1, 2]]}}))
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["배송이 빨라요", "A: 안녕\nB: 그래"], [])
    assert found[0].metadata["domain"] == "1 2"


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_what_no_format_foresaw_costs_its_record(tmp_path, read, monkeypatch, name):
    def passages(record, origin):
        return record["odd"]["열"] if "odd" in record else None

    monkeypatch.setattr(formats, "_CORPORA", (passages, *formats._CORPORA))
    lines = f'{{"odd": {{}}}}\n{RECORD.strip()}'
    (tmp_path / name).write_text(f"[{lines.replace(chr(10), ',')}]" if name == "a.json" else lines)
    found, (reject,) = read(tmp_path)
    assert texts(found) == ["가람의 글"]
    assert reject.reason.startswith("not foreseen (KeyError: '열')")


@pytest.mark.parametrize("number", ["9" * 5000, "²", "-1"])
def test_numbers_of_sentences_may_be_anything(tmp_path, read, number):
    rows = "".join(f"고객,안녕하세요,식당,{number}\n" for _ in range(2))
    (tmp_path / "a.csv").write_text(f"SPEAKER,SENTENCE,DOMAIN,SENTENCEID\n{rows}")
    (document,), rejects = read(tmp_path)
    assert (document.text, rejects) == ("안녕하세요\n안녕하세요", [])


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_a_column_that_is_empty_for_long_is_read_all_the_same(tmp_path, read, name):
    reviews = [*[""] * 25, "배송이 빨라요"]
    if name == "a.xlsx":
        data = xlsx([["n", "리뷰"], *([["1", text] if text else ["1"] for text in reviews])])
    else:
        data = parquet({"n": [1] * 26, "리뷰": [text or None for text in reviews]})
    (tmp_path / name).write_bytes(data)
    found, rejects = read(tmp_path)
    assert (texts(found), len(rejects)) == (["배송이 빨라요"], 25)


# --- Pages --------------------------------------------------------------------------------


def test_a_page_longer_than_a_document_is_refused_not_cut(tmp_path, read, monkeypatch):
    from gemma_ko_lib.corpus.sources import web

    for module in (records, web):
        monkeypatch.setattr(module, "LONGEST_RECORD", 1000)
    (tmp_path / "a.html").write_text("<html><body><p>" + "글 " * 1000 + "</p></body></html>")
    found, (reject,) = read(tmp_path)
    assert (found, reject.reason[:8]) == ([], "too long")


def test_a_crawl_whose_record_claims_more_than_follows_is_truncated(tmp_path, read):
    head = "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:a>\r\n"
    body = "본문이다.".encode()
    record = f"{head}Content-Type: text/plain\r\nContent-Length: {len(body) + 500}\r\n\r\n"
    (tmp_path / "a.warc.wet").write_bytes(record.encode() + body)
    found, rejects = read(tmp_path)
    assert (found, len(rejects)) == ([], 1)
    assert "truncated page" in rejects[0].reason


@pytest.mark.parametrize("name", ["utf-7", "unicode_escape", "idna", "undefined", "rot13"])
def test_a_page_that_names_an_odd_encoding_costs_itself_at_most(tmp_path, read, name):
    odd = f'<meta charset="{name}"><title>+2AA-\\ud800</title><p>첫 +2AA-\\ud800 글'
    crawl = b""
    for page in (odd, "<p>둘째 글이다."):
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page.encode()
        head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\n"
        head += f"Content-Length: {len(body)}\r\n"
        kind = "Content-Type: application/http; msgtype=response\r\n\r\n"
        crawl += (head + kind).encode() + body + b"\r\n\r\n"
    (tmp_path / "a.warc").write_bytes(crawl)
    found, rejects = read(tmp_path)
    assert texts(found)[-1] == "둘째 글이다."
    assert len(found) + len(rejects) == 2
    for document in found:
        f"{document.text}{document.metadata}".encode()


def test_utf32_is_no_utf16(tmp_path, read):
    (tmp_path / "a.txt").write_bytes("똠방각하의 글이다.".encode("utf-32"))
    (document,), _ = read(tmp_path)
    assert (document.text, document.metadata["decoded_from"]) == ("똠방각하의 글이다.", "utf-32")


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_cost_documents_never_the_run(tmp_path, seed):
    import random

    draw = random.Random(seed)
    kinds = {
        "a.xlsx": xlsx([["id", "text"], *([str(n), f"{n}번 글"] for n in range(50))]),
        "b.parquet": parquet({"text": [f"{n}번 글" for n in range(50)]}),
        "c.json": json.dumps([{"text": f"{n}번 글"} for n in range(50)]).encode(),
        "d.zip": _zipped(),
        **{f"e.jsonl.{suffix}": pack(LINES[:3000]) for suffix, pack in PACK.items()},
    }
    for name, data in kinds.items():
        data = bytearray(data)
        for _ in range(8):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "z.jsonl").write_text(RECORD)
    found = list(read_records(tmp_path))
    assert found[-1].text == "가람의 글"
    assert len(files.find_inputs(tmp_path, lambda file: True)[0]) >= 8


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(5):
            archive.writestr(f"{n}.jsonl", LINES[:2000])
    return packed.getvalue()
