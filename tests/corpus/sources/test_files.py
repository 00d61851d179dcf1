"""Files on disk and in zips: all are found, none is read twice, none harms."""

import io
import os
import stat
import unicodedata
import weakref
import zipfile

import pytest

from gemma_ko_lib.corpus.documents import InputFile, find_files, find_files_and_notes
from gemma_ko_lib.corpus.sources import zips

RECORD = '{"text": "가람의 글"}\n'


def make_zip(path, members: dict, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def zipped(members: dict) -> bytes:
    packed = io.BytesIO()
    make_zip(packed, members)
    return packed.getvalue()


def texts(documents) -> list[str]:
    return [document.text for document in documents]


# --- Zips -----------------------------------------------------------------------------


def test_members_of_a_zip_are_read_in_place_and_each_is_a_file(tmp_path, read):
    members = {"게임/b.jsonl": RECORD, "a.txt": "첫 글", "__MACOSX/._a.txt": "x", ".DS_Store": "x"}
    path = make_zip(tmp_path / "TL1.zip", members)
    assert find_files(path) == [
        InputFile(str(path), "TL1.zip/a.txt", ("a.txt",), len("첫 글".encode())),
        InputFile(str(path), "TL1.zip/게임/b.jsonl", ("게임/b.jsonl",), len(RECORD.encode())),
    ]
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["첫 글", "가람의 글"], [])
    assert found[1].id == f"{tmp_path.name}/TL1.zip/게임/b.jsonl:1"
    assert sorted(os.listdir(tmp_path)) == ["TL1.zip"]


def test_a_name_that_python_has_in_unicode_already_is_kept():
    # From 3.12 on it reads the field 0x7075, beside bytes that it takes for cp437.
    info = zipfile.ZipInfo("상담/1.txt")
    assert (info.flag_bits, zips._readable(info)) == (0, "상담/1.txt")


def test_a_zip_is_known_by_its_content(tmp_path, read):
    make_zip(tmp_path / "corpus.download", {"a.txt": "글"})
    assert texts(read(tmp_path)[0]) == ["글"]


@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_korean_names_without_the_unicode_flag_are_readable(tmp_path, read, encoding):
    # zipfile writes such names in Unicode: the bytes are put in afterwards.
    name = "원천데이터/말뭉치 안내.txt"
    raw = name.encode(encoding)
    data = zipped({"x" * len(raw): "글"}).replace(b"x" * len(raw), raw)
    (tmp_path / "a.zip").write_bytes(data)
    (file,) = find_files(tmp_path / "a.zip")
    assert file.name == f"a.zip/{name}"
    assert texts(read(tmp_path / "a.zip")[0]) == ["글"]


def test_names_made_on_a_mac_are_composed(tmp_path, read):
    decomposed = unicodedata.normalize("NFD", "신문.txt")
    make_zip(tmp_path / "a.zip", {decomposed: "글"})
    (tmp_path / decomposed).write_text("또 글")
    names = [file.name for file in find_files(tmp_path)]
    assert sorted(name.rpartition("/")[2] for name in names) == ["신문.txt", "신문.txt"]
    assert texts(read(tmp_path)[0]) == ["글", "또 글"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips_in_zips_are_read(tmp_path, read, compression):
    inner = zipped({"b.jsonl": RECORD, "c.txt": "둘째"})
    make_zip(tmp_path / "out.zip", {"TL.zip": inner, "a.txt": "첫째"}, compression)
    found, rejects = read(tmp_path / "out.zip")
    assert (texts(found), rejects) == (["가람의 글", "둘째", "첫째"], [])
    assert found[0].metadata["source_file"] == "out.zip/TL.zip/b.jsonl"
    files = find_files(tmp_path / "out.zip")
    assert files[0].members == ("TL.zip", "b.jsonl")


def test_zips_in_a_zip_are_copied_out_of_it_one_at_a_time(tmp_path, read, monkeypatch):
    copies, most, spooled = weakref.WeakSet(), [], zips.spooled

    def counted(stream):
        copies.add(copy := spooled(stream))
        most.append(len(copies))
        return copy

    monkeypatch.setattr(zips, "spooled", counted)
    inner = [zipped({"a.txt": f"{number}째", "b.txt": "글"}) for number in range(4)]
    make_zip(tmp_path / "out.zip", {f"{n}.zip": data for n, data in enumerate(inner)})
    found, _ = read(tmp_path / "out.zip")
    assert len(found) == 8 and set(most) == {1}


def test_too_many_zips_in_one_another_are_named(tmp_path, read):
    data = zipped({"a.txt": "글"})
    for depth in range(zips.DEEPEST):
        data = zipped({f"{depth}.zip": data, f"{depth}.txt": "옆"})
    (tmp_path / "deep.zip").write_bytes(data)
    found, (reject,) = read(tmp_path / "deep.zip")
    assert len(found) == zips.DEEPEST
    assert "deeper than corpora are packed" in reject.reason


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.txt", "a.zip/etc/passwd.txt"),
        ("/absolute/b.txt", "a.zip/absolute/b.txt"),
        ("C:\\Users\\kim\\c.txt", "a.zip/Users/kim/c.txt"),
        ("a/./../d.txt", "a.zip/a/d.txt"),
    ],
)
def test_a_name_in_a_zip_leads_nowhere(tmp_path, read, name, shown):
    make_zip(tmp_path / "a.zip", {name: "글"})
    (document,), _ = read(tmp_path / "a.zip")
    assert document.metadata["source_file"] == shown
    assert os.listdir(tmp_path) == ["a.zip"]


def test_a_link_in_a_zip_is_not_followed(tmp_path, read):
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.txt", "글")
    found, (reject,) = read(tmp_path / "a.zip")
    assert texts(found) == ["글"]
    assert reject.reason.startswith("a link to another file")


def test_a_zip_bomb_is_not_unpacked(tmp_path, read):
    bomb = b"0" * 20_000_000
    make_zip(tmp_path / "one.zip", {"a.txt": bomb})
    _, (reject,) = read(tmp_path / "one.zip")
    assert "would unpack to 20,000,000 bytes" in reject.reason
    # Many small ones, each harmless.
    make_zip(tmp_path / "many.zip", {f"{n}.txt": bomb[:2_000_000] for n in range(12)})
    _, (reject,) = read(tmp_path / "many.zip")
    assert "would unpack to 24,000,000 bytes" in reject.reason
    # Behind another zip.
    make_zip(tmp_path / "nested.zip", {"in.zip": zipped({"a.txt": bomb}), "b.txt": "글"})
    found, (reject,) = read(tmp_path / "nested.zip")
    assert texts(found) == ["글"]
    assert "no text packs so well" in reject.reason


def test_an_encrypted_member_says_what_to_do(tmp_path, read):
    data = bytearray(zipped({"a.txt": "글", "b.txt": "열린 글"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    found, (reject,) = read(tmp_path / "a.zip")
    assert texts(found) == ["열린 글"]
    assert (reject.file, reject.reason[:9]) == ("a.zip/a.txt", "encrypted")


def test_a_truncated_zip_says_what_to_do(tmp_path, read):
    whole = zipped({"a.txt": "글" * 1000})
    (tmp_path / "a.zip").write_bytes(whole[:-30])
    make_zip(tmp_path / "b.zip", {"b.txt": "옆의 글", "in.zip": whole[:-30]})
    found, rejects = read(tmp_path)
    assert texts(found) == ["옆의 글"]
    assert [reject.file.partition("/")[2] for reject in rejects] == ["a.zip", "b.zip/in.zip"]
    assert all("download it again" in reject.reason for reject in rejects)


def test_a_member_with_a_wrong_checksum_keeps_its_records(tmp_path, read):
    lines = "".join(f'{{"text": "{n}번째 글"}}\n' for n in range(1000))
    document = '{"data": [{"text": "하나"}, {"text": "둘"}]}'
    table = "id,text\n1,첫 줄\n2,끝 줄"
    members = {"a.jsonl": lines, "b.json": document, "c.txt": "온 글", "d.csv": table}
    path = make_zip(tmp_path / "a.zip", members)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        sums = [info.CRC for info in archive.infolist()]
    for checksum in sums:
        wrong = (checksum ^ 1).to_bytes(4, "little")
        data = data.replace(checksum.to_bytes(4, "little"), wrong)
    path.write_bytes(data)
    found, rejects = read(path)
    assert len(found) == 1000 + 2 + 1 + 2
    assert [reject.file for reject in rejects] == [f"a.zip/{name}" for name in members]
    assert all("checksum differs" in reject.reason for reject in rejects)


def test_a_member_damaged_in_the_middle_keeps_what_came_before(tmp_path, read):
    lines = "".join(f'{{"text": "{n * 7919 % 10007}번째 글"}}\n' for n in range(40_000))
    path = make_zip(tmp_path / "a.zip", {"a.jsonl": lines, "b.txt": "옆의 글"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(data)
    found, rejects = read(path)
    assert 1000 < len(found) < 40_000
    assert texts(found)[-1] == "옆의 글"
    assert any(reject.reason.startswith("damaged file") for reject in rejects)


def test_an_empty_member_is_named(tmp_path, read):
    make_zip(tmp_path / "a.zip", {"a.json": b"", "b.txt": "글"})
    found, (reject,) = read(tmp_path / "a.zip")
    assert (texts(found), reject.file, reject.reason) == (["글"], "a.zip/a.json", "empty file")


# --- Names and notes ------------------------------------------------------------------


def test_files_of_one_name_in_two_zips_have_two_names(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        make_zip(tmp_path / folder / "TL.zip", {"게임/a.txt": folder})
    files = find_files([tmp_path / "x" / "TL.zip", tmp_path / "y" / "TL.zip"])
    assert [file.name for file in files] == ["x/TL.zip/게임/a.txt", "y/TL.zip/게임/a.txt"]


def test_what_is_no_text_is_noted_and_not_rejected(tmp_path, read):
    members = {"a.txt": "글", "설명서.pdf": "%PDF", "그림/1.png": "x", "그림/2.png": "y"}
    make_zip(tmp_path / "a.zip", members | {"책_INFO.json": "{}"})
    files, notes = find_files_and_notes(tmp_path)
    assert [file.name for file in files] == [f"{tmp_path.name}/a.zip/a.txt"]
    assert [(note.kind, note.files, note.reason.split()[0]) for note in notes] == [
        ("not text", 2, ".png"),
        ("not text", 1, ".pdf"),
        ("not text", 1, "INFO"),
    ]
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["글"], [])


def test_a_file_that_somebody_named_is_always_looked_at(tmp_path, read):
    (tmp_path / "manual.pdf").write_bytes(b"%PDF-1.7")
    found, (reject,) = read(tmp_path / "manual.pdf")
    assert (found, reject.reason) == ([], "not text (.pdf)")


# --- Twins ----------------------------------------------------------------------------


def twins(tmp_path, read):
    files, notes = find_files_and_notes(tmp_path)
    names = [file.name.removeprefix(f"{tmp_path.name}/") for file in files]
    return names, [(n.name.removeprefix(f"{tmp_path.name}/"), n.files, n.reason) for n in notes]


def test_of_two_editions_of_a_corpus_the_json_is_read(tmp_path, read):
    make_zip(tmp_path / "NIKL_MESSENGER_v2.0_JSON.zip", {"MDRW1.json": "{}", "MDRW2.json": "{}"})
    make_zip(tmp_path / "NIKL_MESSENGER_v2.0_CSV.zip", {"MDRW1.csv": "", "all.csv": ""})
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("")
    names, notes = twins(tmp_path, read)
    assert names == [
        "NIKL_MESSENGER_v2.0_JSON.zip/MDRW1.json",
        "NIKL_MESSENGER_v2.0_JSON.zip/MDRW2.json",
        "a.json",
        "b.csv",
    ]
    assert notes == [
        ("NIKL_MESSENGER_v2.0_CSV.zip", 2, "the JSON edition is read"),
        (tmp_path.name, 1, "the JSON edition is read"),
    ]


@pytest.mark.parametrize(
    ("sources", "labels"),
    [
        ("Training/01.원천데이터/TS1.zip", "Training/02.라벨링데이터/TL1.zip"),
        ("VS_게임.zip", "VL_게임.zip"),
        ("[원천]말뭉치.zip", "[라벨]말뭉치.zip"),
    ],
)
@pytest.mark.parametrize("labelled", [True, False])
def test_of_sources_and_labels_one_is_read(tmp_path, read, sources, labels, labelled):
    with_text = '{"data": [{"RawText": "좋아요", "Aspects": []}]}'
    for name in (sources, labels):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    make_zip(tmp_path / sources, {"1.txt": "좋아요", "2.txt": "싫어요"})
    make_zip(tmp_path / labels, {"a.json": with_text if labelled else '{"data": [{"label": 1}]}'})
    names, ((left_out, count, reason),) = twins(tmp_path, read)
    if labelled:
        assert names == [f"{labels}/a.json"]
        assert (left_out, count) == (sources, 2)
        assert reason == "the labelled files hold the same texts"
    else:
        assert names == [f"{sources}/1.txt", f"{sources}/2.txt"]
        assert (left_out, count, reason) == (labels, 1, "labels without text")


def test_unpacked_folders_are_twins_too_and_what_has_no_label_stays(tmp_path, read):
    for folder, name, text in (
        ("원천데이터", "a.txt", "글"),
        ("원천데이터", "unlabelled.txt", "라벨이 없는 글"),
        ("라벨링데이터", "a.json", '[{"text": "글"}]'),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    assert twins(tmp_path, read)[0] == ["라벨링데이터/a.json", "원천데이터/unlabelled.txt"]


def test_sources_whose_labels_are_not_there_are_read(tmp_path, read):
    make_zip(tmp_path / "TS_게임.zip", {"a.txt": "글"})
    make_zip(tmp_path / "TL_쇼핑.zip", {"a.json": '[{"text": "글"}]'})
    make_zip(tmp_path / "TSLA.zip", {"a.txt": "글"})
    names, notes = twins(tmp_path, read)
    assert (len(names), notes) == (3, [])
