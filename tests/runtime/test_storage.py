"""Files that are whole or not there."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from gemma_ko_lib.runtime import UserError, numbered_records, only_process, whole_file, write_whole
from tests.conftest import ROOT


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path):
    (tmp_path / "by open").touch()
    write_whole(tmp_path / "whole", "text")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "by open").stat().st_mode


def test_a_full_disk_names_the_file_and_the_remedy(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(UserError, match="report.json: No space left.*Free some space"),
        whole_file(tmp_path / "report.json") as file,
    ):
        file.write("text")
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_not_blamed_on_its_space(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write .*: File exists. Give another folder"):
        write_whole(tmp_path / "file" / "report.json", "")


def test_what_the_block_reads_is_not_blamed_on_the_disk(tmp_path):
    for error in (ConnectionResetError(errno.ECONNRESET, "reset"), OSError("no route")):
        with pytest.raises(type(error)) as raised, whole_file(tmp_path / "rows") as file:
            file.write("half")
            raise error
        assert raised.value is error
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(UserError, match="rows: No space left"), whole_file(tmp_path / "rows"):
        raise full
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_was_writing_goes_when_the_folder_is_held_again(tmp_path):
    script = (
        "import os, sys; from gemma_ko_lib.runtime import whole_file\n"
        "with whole_file(sys.argv[1]) as file:\n    os.kill(os.getpid(), 9)"
    )
    (tmp_path / ".keep").mkdir()
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "weights"], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    with only_process(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [".keep", ".lock"]


@pytest.mark.parametrize("use", [only_process, whole_file])
def test_a_path_that_cannot_be_looked_at_is_named(use, tmp_path):
    with pytest.raises(UserError, match="File name too long"), use(tmp_path / ("가" * 200) / "out"):
        pass


# --- Records of data sets -----------------------------------------------------------------

GOOD = '{"text": "한 줄"}'


def found_in(path) -> dict:
    """Number -> record, or why it is none."""
    return {
        number: str(record) if isinstance(record, ValueError) else record
        for number, record in numbered_records(path)
    }


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (r'{"text": "\ud800"}', "half a surrogate pair"),
        ('"only a string"', "a JSON object was expected, not str"),
        ("[1, 2]", "a JSON object was expected, not list"),
    ],
)
def test_a_list_refuses_the_records_that_lines_refuse(bad, why, tmp_path):
    layouts = {"lines.jsonl": "\n", "list.json": ",\n", "list.jsonl": ", "}
    for name, between in layouts.items():
        text = between.join([GOOD, bad, GOOD])
        (tmp_path / name).write_text(text if between == "\n" else f" [ {text} ]\n", "utf-8")
        found = found_in(tmp_path / name)
        assert found[1] == found[3] == json.loads(GOOD)
        assert why in found[2]


def test_a_record_that_is_nested_too_deep_is_named_in_both_layouts(tmp_path):
    deep = '{"text": ' + "[" * 100_000
    (tmp_path / "lines.jsonl").write_text(f"{GOOD}\n{deep}\n{GOOD}", "utf-8")
    assert found_in(tmp_path / "lines.jsonl")[2] == "nested too deep"
    for name in ("list.json", "list.jsonl"):
        (tmp_path / name).write_text(f"[{GOOD}, {deep}", "utf-8")
        with pytest.raises(ValueError, match="record 2 is nested too deep"):
            found_in(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["[]", "[\n]\n", f"[{GOOD}]", f"\ufeff[{GOOD},\r\n\t{GOOD} ]", f'[{{"a": [{GOOD}]}}]']
)
def test_a_list_is_read_as_json_reads_it(text, tmp_path):
    (tmp_path / "list.json").write_text(text, "utf-8")
    records = json.loads(text.removeprefix("\ufeff"))
    assert found_in(tmp_path / "list.json") == dict(enumerate(records, 1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"[{GOOD} {GOOD}]", "Expecting ',' or ']'"),
        (f"[{GOOD}", "Expecting ',' or ']'.*column 17"),
        (f"[{GOOD},", "Expecting value"),
        (f"[{GOOD}] {GOOD}", "Extra data"),
        (GOOD, "no JSON list; JSON lines are called .jsonl"),
        ("", "no JSON list"),
    ],
)
def test_a_damaged_list_says_where(text, why, tmp_path):
    (tmp_path / "list.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=why):
        found_in(tmp_path / "list.json")


def test_a_row_of_more_columns_than_the_first_is_no_record(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n가,1\n나,다,0", "utf-8")
    assert found_in(tmp_path / "a.csv") == {
        2: {"text": "가", "label": "1"},
        3: "more columns than in the first line",
    }


@pytest.fixture(params=["pipe", "socket", "folder"])
def no_file(request, tmp_path, monkeypatch):
    """A path that is there, and is no file."""
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    path = tmp_path / "set.jsonl"
    if request.param == "pipe":
        os.mkfifo(path)
        yield path
    elif request.param == "folder":
        path.mkdir()
        yield path
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
            yield path


def test_what_is_no_file_is_refused_and_not_waited_for(no_file):
    with pytest.raises(ValueError, match="not a file"):
        found_in(no_file)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATA.CSV", "text\n한 줄\n"),
        ("DATA.TSV", "text\n한 줄\n"),
        ("DATA.JSON", f"[{GOOD}]"),
        ("DATA.TXT", "id\ttext\n1\t한 줄\n"),
    ],
)
def test_an_ending_in_capitals_is_the_same(name, text, tmp_path):
    for path in (tmp_path / name, tmp_path / name.lower()):
        path.write_text(text, "utf-8")
        (record,) = found_in(path).values()
        assert record["text"] == "한 줄"
