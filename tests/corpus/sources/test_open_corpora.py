"""Public corpora by name: whole or not there, resumed, checked, and said where they come from."""

import hashlib
import http.server
import json
import re
import shutil
import threading
from typing import ClassVar

import pyarrow
import pyarrow.parquet
import pytest

from gemma_ko_lib import corpus
from gemma_ko_lib.corpus.sources import downloads, open_corpora
from gemma_ko_lib.corpus.sources.open_corpora import Limit, fetch
from gemma_ko_lib.runtime import UserError, cache_dir

REVIEWS = [
    f"{number}\t이 영화의 {number}번째 장면이 오래 기억에 남는다\t1" for number in range(400)
]
TABLE = "\n".join(["id\tdocument\tlabel", *REVIEWS]).encode() + b"\n"


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves files from memory, with ranges, and fails as it is told to."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    # Bytes that the next connections send before they end.
    cut_after: ClassVar[list[int]] = []
    ranges = True

    def do_GET(self):
        self.asked.append(self.headers.get("Range") or "all")
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if found and self.ranges:
            start, end = int(found[1]), min(int(found[2]) + 1, len(content))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            content = content[start:end]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.cut_after.pop(0)] if self.cut_after else content)

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def mirror(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GEMMA_KO_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(Mirror, "files", {"/nsmc/ratings_train.txt": TABLE})
    monkeypatch.setattr(Mirror, "asked", [])
    monkeypatch.setattr(Mirror, "cut_after", [])
    monkeypatch.setattr(Mirror, "ranges", True)
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    _list(monkeypatch, "nsmc", {"ratings_train.txt": TABLE})
    yield Mirror
    server.shutdown()
    server.server_close()


def _list(monkeypatch, name: str, contents: dict[str, bytes]) -> None:
    """Let the table have these files."""
    files = tuple(
        {"name": key, "bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        for key, value in contents.items()
    )
    table = open_corpora.corpora()
    changed = {**table, name: table[name]._replace(files=files)}
    monkeypatch.setattr(open_corpora, "corpora", lambda: changed)


def _kept(name: str = "nsmc"):
    return cache_dir() / "open" / name


def test_the_table_states_address_licence_and_checksums():
    for name, source in open_corpora.corpora().items():
        assert source.licence and source.title and source.source.startswith("https://")
        # An address that names a commit always has the same content.
        assert re.search(r"[/@][0-9a-f]{40}/", source.address), name
        for file in source.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"]) and file["bytes"] > 0


def test_a_corpus_comes_whole_with_its_licence_and_is_fetched_once(mirror, capsys):
    documents = list(corpus.open_corpus("nsmc"))
    assert [d.text for d in documents] == [line.split("\t")[1] for line in REVIEWS]
    assert documents[0].metadata["licence"] == "CC0 1.0"
    assert documents[0].metadata["register"] == "review"
    assert "CC0 1.0" in capsys.readouterr().err
    assert [p.name for p in _kept().iterdir()] == ["ratings_train.txt"]
    assert next(corpus.open_corpus("nsmc")).text == documents[0].text
    assert mirror.asked == ["all"]


def test_clean_takes_a_corpus_by_name_and_its_report_states_the_licence(mirror, tmp_path):
    settings = corpus.CleanSettings(duplicates="keep")
    report = corpus.clean(
        "open:nsmc", tmp_path / "out", settings, progress=False, limit=Limit(documents=50)
    )
    assert report["documents"]["in"] == 50
    (source,) = report["sources"]
    assert source["licence"] == "CC0 1.0" and source["source"] == "https://github.com/e9t/nsmc"
    (path,) = (_kept() / "first-50-documents").iterdir()
    assert source["files"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "licence: CC0 1.0" in corpus.format_report(report)
    assert json.loads((tmp_path / "out/report.json").read_text())["sources"] == report["sources"]


def test_a_rest_of_a_limit_that_holds_no_line_is_not_missed(mirror, monkeypatch):
    contents = {"a.txt": TABLE, "b.txt": b"x" * 100 + b"\n"}
    _list(monkeypatch, "nsmc", contents)
    monkeypatch.setattr(Mirror, "files", {f"/nsmc/{key}": value for key, value in contents.items()})
    assert [file.size for file in fetch("open:nsmc", Limit(bytes=len(TABLE) + 30))] == [len(TABLE)]
    with pytest.raises(UserError, match="first line of a.txt"):
        fetch("open:nsmc", Limit(bytes=3))


def test_a_limit_in_bytes_ends_at_a_line_and_fetches_no_more(mirror):
    (file,) = fetch("open:nsmc", Limit(bytes=5000))
    content = (_kept() / "first-5000-bytes/ratings_train.txt").read_bytes()
    assert TABLE.startswith(content) and content.endswith(b"\n") and 4900 < len(content) <= 5000
    assert file.size == len(content)
    assert (_kept() / "ratings_train.txt.part").stat().st_size == 5000
    # More of it only asks for the rest.
    fetch("open:nsmc", Limit(bytes=9000))
    assert mirror.asked == ["all", "bytes=5000-8999"]
    fetch("open:nsmc")
    assert (_kept() / "ratings_train.txt").read_bytes() == TABLE


def test_a_limit_counts_over_several_files(mirror, monkeypatch):
    lines = [
        json.dumps({"num_agree": 1, "title": "제목", "content": f"본문 {i}"}) for i in range(9)
    ]
    parts = {f"p{n}": "\n".join(lines[3 * n : 3 * n + 3]).encode() + b"\n" for n in range(3)}
    _list(monkeypatch, "petitions", parts)
    mirror.files |= {f"/petitions/{name}": content for name, content in parts.items()}
    assert len(list(corpus.open_corpus("petitions", documents=5))) == 5
    assert len(list(corpus.open_corpus("petitions", documents=6))) == 6
    assert len(list(corpus.open_corpus("petitions", documents=99))) == 9
    two_files = sum(map(len, list(parts.values())[:2]))
    assert len(list(corpus.open_corpus("petitions", text_bytes=two_files))) == 6


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_taken_up_again(mirror, monkeypatch, ranges):
    monkeypatch.setattr(Mirror, "ranges", ranges)
    mirror.cut_after[:] = [1000, 7000]
    fetch("open:nsmc")
    assert (_kept() / "ratings_train.txt").read_bytes() == TABLE
    assert mirror.asked[1] == f"bytes=1000-{len(TABLE) - 1}"


def test_a_stopped_download_is_no_whole_file_and_goes_on_in_the_next_run(mirror):
    mirror.cut_after[:] = [1000, 0, 0, 0, 0]
    with pytest.raises(UserError, match=r"stopped after 1,000 of [\d,]+ bytes.*goes on from there"):
        fetch("open:nsmc")
    assert [p.name for p in _kept().iterdir()] == ["ratings_train.txt.part"]
    fetch("open:nsmc")
    assert mirror.asked[-1] == f"bytes=1000-{len(TABLE) - 1}"
    assert (_kept() / "ratings_train.txt").read_bytes() == TABLE


def test_a_part_that_is_whole_gets_its_name(mirror):
    _kept().mkdir(parents=True)
    (_kept() / "ratings_train.txt.part").write_bytes(TABLE)
    fetch("open:nsmc")
    assert [p.name for p in _kept().iterdir()] == ["ratings_train.txt"]
    assert mirror.asked == []


def test_another_content_is_refused_and_removed(mirror):
    mirror.files["/nsmc/ratings_train.txt"] = TABLE.replace(b"1", b"2", 1)
    with pytest.raises(UserError, match="its SHA-256 is .*, not .*removed"):
        fetch("open:nsmc")
    assert not _kept().exists()


def test_an_empty_or_shorter_file_is_not_the_corpus(mirror):
    for content in (b"", TABLE[:-1]):
        mirror.files["/nsmc/ratings_train.txt"] = content
        with pytest.raises(UserError, match=f"has {len(content):,} bytes, not the .* table lists"):
            fetch("open:nsmc")
        assert not _kept().exists()


def test_what_is_not_there_names_the_place_for_a_file_by_hand(mirror):
    mirror.files.clear()
    place = str(_kept() / "ratings_train.txt")
    with pytest.raises(UserError, match=f"404.*{re.escape(place)}"):
        fetch("open:nsmc")
    _kept().mkdir(parents=True, exist_ok=True)
    (_kept() / "ratings_train.txt").write_bytes(TABLE)
    assert len(list(corpus.open_corpus("nsmc"))) == 400
    (_kept() / "ratings_train.txt").write_bytes(TABLE[:-1])
    with pytest.raises(UserError, match="has 2.* bytes, and"):
        fetch("open:nsmc")


def test_without_a_network_the_place_is_named_too(mirror, monkeypatch):
    monkeypatch.setenv("GEMMA_KO_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be fetched: .*refused.*put it there: .*train.txt"):
        fetch("open:nsmc")


def test_a_full_disk_is_said_before_and_while_it_fills(mirror, monkeypatch):
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as full:
        full.setattr(downloads.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
        with pytest.raises(UserError, match="1 MB free.*GEMMA_KO_CACHE"):
            fetch("open:nsmc")

    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "_append", no_space)
    with pytest.raises(UserError, match=r"Cannot write .*No space left.*GEMMA_KO_CACHE"):
        fetch("open:nsmc")


def test_a_mirror_can_be_a_folder(mirror, monkeypatch, tmp_path):
    (tmp_path / "mirror/nsmc").mkdir(parents=True)
    (tmp_path / "mirror/nsmc/ratings_train.txt").write_bytes(TABLE)
    monkeypatch.setenv("GEMMA_KO_MIRROR", str(tmp_path / "mirror"))
    assert len(list(corpus.open_corpus("nsmc", documents=7))) == 7
    assert mirror.asked == []


def test_a_mistyped_name_is_corrected():
    with pytest.raises(UserError, match="Did you mean open:petitions"):
        fetch("open:petition")
    with pytest.raises(UserError, match="hf://datasets/OWNER/NAME"):
        fetch("hf://wikimedia/wikipedia")


# --- Parquet ----------------------------------------------------------------------------------


@pytest.fixture
def articles(tmp_path, monkeypatch):
    """Two Parquet files, as Wikipedia's, on a mirror that is a folder."""
    folder = tmp_path / "mirror/wikipedia-ko"
    folder.mkdir(parents=True)
    for part in range(2):
        numbers = range(30 * part, 30 * part + 30)
        rows = {
            "id": [str(n) for n in numbers],
            "title": [f"문서 {n}" for n in numbers],
            "text": [f"문서 {n}은 마을의 우물과 다리를 다룬다." for n in numbers],
        }
        path = folder / f"train-{part:05d}-of-00002.parquet"
        pyarrow.parquet.write_table(pyarrow.table(rows), path, row_group_size=10)
    monkeypatch.setenv("GEMMA_KO_MIRROR", str(folder.parent))
    return folder


def test_rows_of_parquet_stream_up_to_a_limit(articles):
    documents = list(corpus.open_corpus("wikipedia-ko", documents=35))
    assert len(documents) == 35 and documents[34].text.startswith("문서 34은")
    assert documents[0].metadata["register"] == "encyclopedia"
    assert documents[0].metadata["licence"] == "CC BY-SA 3.0 and GFDL"
    some = fetch("open:wikipedia-ko", Limit(bytes=1000))
    assert 800 < sum(file.size for file in some) <= 1000
    shutil.rmtree(articles)  # what is in the cache needs no network
    assert len(list(corpus.open_corpus("wikipedia-ko", documents=35))) == 35
    with pytest.raises(UserError, match="wikipedia-ko.*there is: nothing"):
        fetch("open:wikipedia-ko")


def test_a_stopped_stream_is_not_taken_for_the_whole(articles, monkeypatch):
    write = open_corpora._write_rows

    def stop(parent, name, *rest):
        if "00001" in name:
            raise ConnectionError("the line is dead")
        write(parent, name, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(open_corpora, "_write_rows", stop)
        with pytest.raises(UserError, match="the line is dead"):
            fetch("open:wikipedia-ko")
    read = []
    monkeypatch.setattr(
        open_corpora,
        "_write_rows",
        lambda parent, name, *rest: read.append(name) or write(parent, name, *rest),
    )
    assert len(list(corpus.open_corpus("wikipedia-ko"))) == 60
    assert read == ["train-00001-of-00002.parquet"]  # the first was there


def test_a_folder_without_rows_says_what_is_there(articles):
    for path in articles.iterdir():
        path.rename(path.with_suffix(".bin"))
    with pytest.raises(UserError, match="no Parquet.*train-00000-of-00002.bin"):
        fetch("open:wikipedia-ko")
