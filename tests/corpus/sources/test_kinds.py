"""Tables, sheets, Parquet, web pages, encodings: known by content, damaged or not."""

import csv
import gzip
import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_ko_lib.corpus.sources import sniffing, tables
from gemma_ko_lib.corpus.sources.records import Reject


def texts(documents) -> list[str]:
    return [document.text for document in documents]


def rows(data: str | bytes) -> tuple[list[tuple], list[Reject]]:
    data = data.encode() if isinstance(data, str) else data
    stream = io.BufferedReader(io.BytesIO(data))
    found = list(tables.read_csv("a.csv", stream))
    rejects = [item for item in found if isinstance(item, Reject)]
    return [(n, *row.values()) for n, row in (i for i in found if i not in rejects)], rejects


# --- CSV and TSV ----------------------------------------------------------------------


def test_a_quoted_header_and_a_bad_second_line():
    found, (reject,) = rows('"ID","한국어"\n첫줄이 깨짐\n1,가나\n2,"다, 라"\n')
    assert found == [(3, "1", "가나"), (4, "2", "다, 라")]
    assert (reject.line, reject.start) == (2, "첫줄이 깨짐")
    assert reject.reason == "another number of cells than columns (1, not 2)"


@pytest.mark.parametrize("bad", ['2,"열린 채로', '2,"닫고 "더,', '"2,나'])
def test_a_quote_without_its_partner_costs_its_line_only(bad):
    found, (reject,) = rows(f'id,text\n1,가\n{bad}\n3,"다"\n4,라\n')
    assert found == [(2, "1", "가"), (4, "3", "다"), (5, "4", "라")]
    assert (reject.line, reject.start) == (3, bad)


def test_quotes_within_a_cell_are_letters():
    assert rows('id,text\n1,그는 "네" 했다\n')[0] == [(2, "1", '그는 "네" 했다')]
    assert rows('id\ttext\n1\t"반쪽 따옴표\n2\t다음\n')[0] == [
        (2, "1", '"반쪽 따옴표'),
        (3, "2", "다음"),
    ]


def test_a_tsv_from_excel_has_quoted_cells():
    assert rows('"id"\t"text"\r\n"1"\t"두\n줄"\r\n')[0] == [(2, "1", "두\n줄")]


def test_comments_and_empty_lines_before_the_header_are_skipped():
    assert rows("# 상식 자료\n\nid,text\n1,가\n\n2,나")[0] == [(4, "1", "가"), (6, "2", "나")]


def test_unnamed_empty_cells_at_the_end_do_no_harm():
    assert rows("id;text\n1;가;\n")[0] == [(2, "1", "가")]


def test_bytes_that_are_no_utf8_cost_their_row():
    found, (reject,) = rows(b"id,text\n1,\xea\xb0\x80\n2,\xb0\xa1\n3,\xeb\x82\x98\n")
    assert [row[1] for row in found] == ["1", "3"]
    assert reject.line == 3


CELL = st.text(alphabet='가나 ",\n\t#;|a', max_size=8)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_what_csv_writes_is_read(table):
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("id", "text"), *table])
    found, rejects = rows(written.getvalue())
    assert [row[1:] for row in found] == [tuple(map(str.strip, row)) for row in table]
    assert rejects == []


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_after_a_header_are_read_or_rejected(data):
    found, rejects = rows(b"id,text\n" + data)
    assert found or rejects


def test_a_table_without_text_is_named_once(tmp_path, read):
    (tmp_path / "a.csv").write_text("alpha,beta\n" + "1,2\n" * 500)
    found, (reject,) = read(tmp_path / "a.csv")
    assert (found, reject.line) == ([], None)
    assert reject.reason.startswith("no text field (keys: alpha, beta")


# --- Excel, Parquet -------------------------------------------------------------------

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _relations(kind: str, target: str) -> str:
    link = f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>'


# The least that makes a workbook.
_WORKBOOK = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
    "_rels/.rels": _relations("officeDocument", "xl/workbook.xml"),
    "xl/_rels/workbook.xml.rels": _relations("worksheet", "worksheets/sheet1.xml"),
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
}


def xlsx(table: list[list[str]]) -> bytes:
    lines = []
    for row in table:
        cells = "".join(
            f"<c><v>{value}</v></c>"
            if value.isdecimal()
            else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
            for value in row
        )
        lines.append(f"<row>{cells}</row>")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        for name, content in _WORKBOOK.items():
            book.writestr(name, content)
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
        )
    return packed.getvalue()


@pytest.mark.parametrize("in_zip", [False, True])
@pytest.mark.parametrize("name", ["dialogue_table", "translation_table"])
def test_a_sheet_gives_what_its_csv_gives(tmp_path, read, formats_dir, name, in_zip):
    source = formats_dir / "aihub" / f"{name}.csv"
    with open(source, encoding="utf-8", newline="") as file:
        book = xlsx(list(csv.reader(file)))
    path = tmp_path / f"{name}.xlsx"
    if in_zip:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.xlsx", book)
    else:
        path.write_bytes(book)
    found, rejects = read(path)
    expected, _ = read(source)
    assert (texts(found), rejects) == (texts(expected), [])
    assert found[0].metadata["corpus"] == expected[0].metadata["corpus"]


def test_a_sheet_of_one_column_is_a_table(tmp_path, read):
    rows = [["모은 댓글"], ["댓글"], ["첫 댓글이다"], ["둘째 댓글이다"]]
    (tmp_path / "a.xlsx").write_bytes(xlsx(rows))
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["첫 댓글이다", "둘째 댓글이다"], [])


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_two_columns_of_one_name_are_both_kept(tmp_path, read, name):
    rows = [["id", "text", "text", "", ""], ["1", "첫 글", "고친 글", "", ""]]
    data = xlsx(rows) if name == "a.xlsx" else "\n".join(map(",".join, rows)).encode()
    (tmp_path / name).write_bytes(data)
    (document,), _ = read(tmp_path)
    assert (document.text, document.metadata["text (2)"]) == ("첫 글", "고친 글")


def test_a_damaged_sheet_is_named(tmp_path, read):
    (tmp_path / "a.xlsx").write_bytes(xlsx([["원문", "번역문"]])[:-40])
    found, (reject,) = read(tmp_path / "a.xlsx")
    assert (found, reject.reason[:19]) == ([], "damaged Excel file ")


def parquet(table: dict) -> bytes:
    import pyarrow
    import pyarrow.parquet

    packed = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(table), packed)
    return packed.getvalue()


def test_a_csv_of_one_column_has_quotes_too(tmp_path, read):
    texts = ["쉼표 없이", "하나, 둘", "첫 줄\n둘째 줄", '"괜찮아" 할 때 울었음']
    with open(tmp_path / "a.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    found, rejects = read(tmp_path)
    assert ([document.text for document in found], rejects) == (texts, [])


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_that_is_called_jsonl_is_read(tmp_path, read, indent, between):
    data = json.dumps([{"text": "앞"}, {"text": "뒤"}], indent=indent)
    (tmp_path / "a.jsonl").write_text(data.replace("}, {", f"}},{between}{{"))
    found, rejects = read(tmp_path)
    assert ([document.text for document in found], rejects) == (["앞", "뒤"], [])


@pytest.mark.parametrize("in_zip", [False, True])
def test_parquet_is_read_row_by_row(tmp_path, read, in_zip):
    data = parquet({"id": ["a", "b"], "document": ["첫 글", "둘째"], "label": [1, 0]})
    path = tmp_path / "train.parquet"
    path.write_bytes(data)
    if in_zip:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("train.parquet", data)
    found, rejects = read(path)
    assert (texts(found), rejects) == (["첫 글", "둘째"], [])
    assert found[0].metadata["corpus"] == "NSMC"
    assert found[0].metadata["label"] == 1


def test_parquet_may_hold_lists_and_structures_beside_the_text(tmp_path, read):
    said = [{"text": "밥 먹었어?", "speaker": "1"}, {"text": "아직.", "speaker": "2"}]
    (tmp_path / "a.parquet").write_bytes(
        parquet({"text": ["첫 글"], "tags": [["가", "나"]], "about": [{"year": 2031}]})
    )
    (tmp_path / "b.parquet").write_bytes(parquet({"utterances": [said]}))
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["첫 글", "A: 밥 먹었어?\nB: 아직."], [])


def test_a_damaged_parquet_file_is_named(tmp_path, read):
    (tmp_path / "a.parquet").write_bytes(parquet({"text": ["글"]})[:-8])
    found, (reject,) = read(tmp_path / "a.parquet")
    assert (found, reject.reason[:20]) == ([], "damaged Parquet file")


# --- Web ------------------------------------------------------------------------------

PAGE = (
    "우리 동네 빵집 지도\n물빛동에는 빵집이 일곱 곳 있다.\n"
    "그 가운데 새벽에 여는 곳은 두 곳뿐이다.\n"
    "가장 오래된 집은 1988년부터 같은 화덕을 쓴다 & 지금도 단팥빵만 판다."
)


def test_a_text_about_id3_is_no_recording(tmp_path, read):
    (tmp_path / "a.txt").write_text("ID3 태그에는 곡의 이름이 있다.")
    (tmp_path / "b.dat").write_bytes(b"ID3\x03\0\0")
    found, (reject,) = read(tmp_path)
    assert (texts(found), reject.reason) == (["ID3 태그에는 곡의 이름이 있다."], "not text (.dat)")


def test_a_page_is_known_by_its_name_whatever_it_begins_with(tmp_path, read):
    (tmp_path / "a.htm").write_text("<!-- saved from a site -->\n<html><p>글이다.</p></html>")
    (tmp_path / "b.html").write_text("<div><p>조각이다.</p><script>var a</script></div>")
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["글이다.", "조각이다."], [])


def test_a_bracket_within_an_attribute_ends_no_tag(tmp_path, read):
    page = '<html><p title="a > b">글이다.<img alt = \'x > y\'> <b id=5">"굵은" 글</b></p></html>'
    (tmp_path / "a.html").write_text(page)
    (document,), _ = read(tmp_path)
    assert document.text == '글이다. "굵은" 글'


@pytest.mark.parametrize("start", ["<?xml version='1.0' encoding='utf-8'?>\n", ""])
def test_xml_that_no_reader_knows_is_no_plain_text(tmp_path, read, start):
    (tmp_path / "a.xml").write_text(f"{start}<corpus><s>가람의 글</s></corpus>")
    found, (reject,) = read(tmp_path)
    assert (found, reject.reason[:22]) == ([], "XML of an unknown kind")


def test_a_page_is_its_paragraphs(read, formats_dir):
    (document,), _ = read(formats_dir / "community/page.html")
    assert document.text == PAGE
    assert document.metadata["title"] == "우리 동네 빵집 지도"


def warc(pages: list[tuple[str, bytes]], packed: bool) -> bytes:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    out = io.BytesIO()
    writer = WARCWriter(out, gzip=packed)
    for kind, body in pages:
        headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            "https://map.example.kr/bread",
            "response",
            payload=io.BytesIO(body),
            http_headers=headers,
            warc_headers_dict={"WARC-Date": "2031-05-09T01:02:03Z"},
        )
        writer.write_record(record)
    return out.getvalue()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_pages_of_a_crawl_are_texts(tmp_path, read, formats_dir, encoding, packed):
    page = (formats_dir / "community/page.html").read_text("utf-8").replace("utf-8", "euc-kr")
    if encoding == "utf-8":
        page = page.replace("euc-kr", "utf-8")
    body = page.encode(encoding)
    pages = [("image/png", b"\x89PNG"), ("text/html", body)]
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(warc(pages, packed))
    (document,), rejects = read(path)
    assert (document.text, rejects) == (PAGE, [])
    assert document.metadata["url"] == "https://map.example.kr/bread"
    assert document.metadata["date"] == "2031-05-09"


def test_a_cut_crawl_keeps_what_came_before(tmp_path, read, formats_dir):
    body = (formats_dir / "community/page.html").read_bytes()
    whole = warc([("text/html; charset=utf-8", body)] * 3, packed=True)
    (tmp_path / "a.warc.gz").write_bytes(whole[: len(whole) - 200])
    found, rejects = read(tmp_path / "a.warc.gz")
    assert texts(found)[:2] == [PAGE, PAGE]
    assert len(found) + len(rejects) >= 3


def test_markup_made_to_hurt_takes_linear_time():
    from gemma_ko_lib.corpus.sources.web import page_text

    for hostile in ("<nav>" * 50_000, "<a " * 50_000, "<!--" * 50_000, "<a><" * 50_000):
        assert page_text(hostile) in ("", hostile.strip())


# --- Encodings and kinds --------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"data": [{"RawText": "똠방각하는 완성형에 없던 글자다"}]}'),
        ("a.csv", "id,text\n1,똠방각하는 완성형에 없던 글자다\n"),
        ("a.txt", "똠방각하는 완성형에 없던 글자다"),
        ("a.jsonl", '{"text": "똠방각하는 완성형에 없던 글자다"}\n'),
    ],
)
def test_other_encodings_are_decoded_and_marked(tmp_path, read, name, text, encoding):
    (tmp_path / name).write_bytes(text.encode(encoding))
    (document,), rejects = read(tmp_path / name)
    assert (document.text, rejects) == ("똠방각하는 완성형에 없던 글자다", [])
    expected = None if encoding == "utf-8-sig" else encoding
    assert document.metadata.get("decoded_from") == expected


def test_one_syllable_of_korean_windows_at_the_end_is_no_cut_utf8(tmp_path, read):
    (tmp_path / "a.txt").write_bytes("OK 가".encode("cp949"))
    (document,), rejects = read(tmp_path / "a.txt")
    assert (document.text, rejects) == ("OK 가", [])


@pytest.mark.parametrize("pack", [gzip.compress, None])
def test_packed_files_are_read_by_what_is_in_them(tmp_path, read, pack):
    import zstandard

    pack = pack or zstandard.compress
    (tmp_path / "a.bin").write_bytes(pack('{"data": [{"text": "글"}]}'.encode()))
    assert texts(read(tmp_path / "a.bin")[0]) == ["글"]


def test_a_cut_zstd_file_keeps_what_came_before(tmp_path, read):
    import zstandard

    lines = "".join(f'{{"text": "{n * 7919 % 10007}번째 글"}}\n' for n in range(60_000))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(lines.encode())[:-5000])
    found, rejects = read(tmp_path / "a.jsonl.zst")
    assert len(found) > 1000
    assert len(rejects) >= 1


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.json", '{"text": "한 줄"}\n{"text": "두 줄"}\n', "jsonl"),
        ("a.json", '{"data": [{"text": "한 줄"}]}', "json"),
        ("a.jsonl", '{\n  "data": []\n}', "json"),
        ("a.txt", '{"header": {"dialogueInfo": {}}}', "json"),
        ("a.txt", "[속보] 첫눈", "text"),
        ("a.txt", "id\tdocument\tlabel\n1\t좋다\t1\n", "table"),
        ("a.txt", "그는 말했다, text 없이.\n", "text"),
        ("a.csv", "<!DOCTYPE html><html>", "html"),
        ("a", "PK\x03\x04....xl/workbook.xml[Content_Types].xml", "xlsx"),
        ("a.docx", "PK\x03\x04....[Content_Types].xml", "not text"),
        ("a.zip", "", "empty"),
    ],
)
def test_content_decides_before_the_name(name, head, kind):
    assert sniffing.kind_of(head.encode(), name) == kind


def test_lines_of_jsonl_may_be_records_of_a_corpus(tmp_path, read):
    record = {"header": {"dialogueInfo": {"dialogueID": "d1"}}, "body": [{"utterance": "네"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record))
    found, _ = read(tmp_path / "a.jsonl")
    assert [document.metadata["corpus"] for document in found] == ["AI-Hub 한국어 SNS"] * 2
