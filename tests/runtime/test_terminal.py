"""Another code page and a reader who has gone end no command."""

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.conftest import ROOT

TALKER = """
import json, sys
from gemma_ko_lib.runtime import lasting_streams
with lasting_streams():
    print("도서관 👍 0.12–0.34")
    sys.stdout.flush()
    for number in range(20_000):
        print(json.dumps({"text": "가👍", "number": number}, ensure_ascii=False))
    print("done", file=sys.stderr)
"""


def talk(encoding="utf-8", unbuffered="", **options) -> subprocess.Popen:
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", TALKER]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**env, "PYTHONPATH": str(ROOT)}, **pipes, **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-8"])
def test_what_a_code_page_lacks_is_written_out(encoding, unbuffered):
    process = talk(encoding, unbuffered)
    out, err = process.communicate()
    assert process.returncode == 0 and err.split() == [b"done"]
    lines = out.decode(encoding).splitlines()
    whole = encoding == "utf-8"
    assert lines[0] == ("도서관 👍 0.12–0.34" if whole else "도서관 \\ud83d\\udc4d 0.12-0.34")
    assert json.loads(lines[-1]) == {"text": "가👍", "number": 19_999}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_does_not_stop_the_work(unbuffered):
    process = talk(unbuffered=unbuffered)
    assert process.stdout.readline().decode().startswith("도서관")
    process.stdout.close()
    assert process.stderr.read().split() == [b"done"]
    assert process.wait() == 0


def test_a_terminal_that_is_closed_does_not_stop_the_work(tmp_path):
    ours, theirs = pty.openpty()
    code = (
        "import time; from gemma_ko_lib.runtime import lasting_streams\nwith lasting_streams():\n"
    )
    code += " print('begun', flush=True); input(); print('later', flush=True)\n"
    code += f" open({str(tmp_path / 'done')!r}, 'w').close()"
    pipes = {"stdin": subprocess.PIPE, "stdout": theirs, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes)
    os.close(theirs)
    assert os.read(ours, 99).startswith(b"begun")
    os.close(ours)
    _, said = process.communicate(b"\n")
    assert process.returncode == 0 and not said
    assert (tmp_path / "done").exists()
