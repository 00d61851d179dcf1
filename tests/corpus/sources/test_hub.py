"""A data set of the hub streams through the hub's own client, from a server that speaks like it."""

import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading

import pyarrow
import pyarrow.parquet
import pytest

from tests.conftest import ROOT

CARD = b"---\nlanguage: ko\nlicense:\n- cc-by-sa-3.0\n- gfdl\nsize: x\n---\n# Card\nlicense: mit\n"
READ = """
import json
from gemma_ko_lib import corpus
found = list(corpus.open_corpus("hf://datasets/owner/name", documents=25))
print(json.dumps([len(found), found[24].text, found[0].metadata["licence"]]))
"""


def rows() -> bytes:
    file = io.BytesIO()
    texts = [f"문서 {number}은 마을의 오래된 우물을 다룬다." for number in range(40)]
    pyarrow.parquet.write_table(pyarrow.table({"본문": texts}), file, row_group_size=10)
    return file.getvalue()


def exam(split: str, count: int) -> bytes:
    head = "question,answer,A,B,C,D,Category"
    its = [f"{split} {n}번 문제는?,{n % 4 + 1},가,나,다,라,Law" for n in range(count)]
    return "\n".join([head, *its]).encode()


FILES = {"README.md": CARD, "data/train-00000.parquet": rows()}
FILES |= {f"exam/Law-{split}.csv": exam(split, 6) for split in ("train", "dev", "test")}
READ_EXAM = """
import json, sys
from gemma_ko_lib import evaluation, runtime
try:
    (suite,) = evaluation.load_suites("kmmlu", "hf://datasets/owner/name/" + sys.argv[1], True)
except runtime.UserError as error:
    sys.exit(str(error))
asked = evaluation.few_shot(suite, 2) if suite.examples else suite
print(json.dumps([[item.id, item.group, item.answer, item.prompt] for item in asked.items]))
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """The four answers that the client asks for."""

    def do_GET(self):
        entry = [{"type": "directory", "path": path, "oid": "0"} for path in ("data", "exam")]
        for name, content in FILES.items():
            entry.append({"type": "file", "path": name, "size": len(content), "oid": "0"})
        path, _, query = self.path.partition("?")
        if path == "/api/datasets/owner/name":
            self._send(json.dumps({"id": "owner/name", "sha": "a" * 40}).encode())
        elif path.startswith("/api/datasets/owner/name/tree/main"):
            below = path.removeprefix("/api/datasets/owner/name/tree/main").strip("/")
            found = [e for e in entry if e["path"].rpartition("/")[0] == below]
            if "recursive=true" in query.lower():
                found = [e for e in entry if f"/{e['path']}".startswith(f"/{below}")]
            self._send(json.dumps(found).encode())
        elif path.startswith("/datasets/owner/name/resolve/main/"):
            self._send(FILES[path.removeprefix("/datasets/owner/name/resolve/main/")])
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def _send(self, content: bytes):
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        self.send_response(206 if found else 200)
        if found:
            start, end = int(found[1]), min(int(found[2] or len(content)) + 1, len(content))
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            content = content[start:end]
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"x"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def hub():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(hub, script, *arguments):
    # The client reads HF_ENDPOINT when it is imported.
    env = {**os.environ, "HF_ENDPOINT": hub, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def test_an_exam_is_read_by_its_place_on_the_hub(hub):
    for path, examples in (("exam", True), ("exam/Law-test.csv", False)):
        done = run(hub, READ_EXAM, path)
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout)
        assert [(group, answer) for _, group, answer, _ in found] == [
            ("Law", n % 4) for n in range(6)
        ]
        assert all("test" in prompt and "train" not in prompt for *_, prompt in found)
        assert all(prompt.count("dev") == 2 * examples for *_, prompt in found)


def test_an_exam_on_a_hub_that_is_not_there_says_so():
    done = run("http://127.0.0.1:9", READ_EXAM, "exam")
    assert done.returncode == 1 and "cannot be read" in done.stderr.splitlines()[-1]


def test_rows_stream_from_the_hub_with_the_licence_of_the_card(hub):
    done = run(hub, READ)
    assert done.returncode == 0, done.stderr[-2000:]
    count, text, licence = json.loads(done.stdout)
    assert count == 25 and text.startswith("문서 24은") and licence == "cc-by-sa-3.0, gfdl"
    assert "cc-by-sa-3.0, gfdl" in done.stderr
