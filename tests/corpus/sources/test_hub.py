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


FILES = {"README.md": CARD, "data/train-00000.parquet": rows()}


class Hub(http.server.BaseHTTPRequestHandler):
    """The four answers that the client asks for."""

    def do_GET(self):
        entry = [{"type": "directory", "path": "data", "oid": "0"}]
        for name, content in FILES.items():
            entry.append({"type": "file", "path": name, "size": len(content), "oid": "0"})
        path = self.path.partition("?")[0]
        if path == "/api/datasets/owner/name":
            self._send(json.dumps({"id": "owner/name", "sha": "a" * 40}).encode())
        elif path.startswith("/api/datasets/owner/name/tree/main"):
            below = path.removeprefix("/api/datasets/owner/name/tree/main").strip("/")
            found = [e for e in entry if e["path"].rpartition("/")[0] == below]
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


def test_rows_stream_from_the_hub_with_the_licence_of_the_card(hub):
    # The client reads HF_ENDPOINT when it is imported.
    env = {**os.environ, "HF_ENDPOINT": hub, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    count, text, licence = json.loads(done.stdout)
    assert count == 25 and text.startswith("문서 24은") and licence == "cc-by-sa-3.0, gfdl"
    assert "cc-by-sa-3.0, gfdl" in done.stderr
