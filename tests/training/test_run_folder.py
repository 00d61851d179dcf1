"""A run folder belongs to one run and to one process, and a refusal leaves no trace."""

import json
import os
import signal
import subprocess
import sys

import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training.run_folder import claim_run
from tests.conftest import ROOT

SETTINGS = {"model": "nano", "tokens": 1000, "method": {"name": "lora", "rank": 8, "base": None}}


def _run(folder, finish=True, **options):
    with claim_run(folder, options.pop("settings", SETTINGS), **options) as finished:
        (folder / "metrics.jsonl").touch()
        if finish:
            (folder / "model.json").touch()
    return finished


def _tokens(folder) -> int:
    return json.loads((folder / "config.json").read_text("utf-8"))["tokens"]


def test_a_run_is_begun_once_and_resumed_to_its_end(tmp_path):
    run = tmp_path / "runs" / "first"
    assert not _run(run, finish=False)
    with pytest.raises(UserError, match="holds a run already: add --resume"):
        _run(run)
    assert not _run(run, resume=True)
    assert _run(run, resume=True)


def test_other_settings_are_shown_one_a_line(tmp_path):
    _run(tmp_path / "run")
    method = {"name": "lora", "rank": 16, "targets": ["query"]}
    with pytest.raises(UserError) as raised:
        _run(tmp_path / "run", resume=True, settings={**SETTINGS, "method": method})
    assert "other settings (was → is):\n" in str(raised.value)
    assert str(raised.value).splitlines()[1:3] == [
        "  method.rank: 8 → 16",
        '  method.targets: not set → ["query"]',
    ]
    assert "start a new run in another folder" in str(raised.value)


def test_a_finished_run_goes_on_to_more_and_never_to_less(tmp_path, capsys):
    run, options = tmp_path / "run", {"resume": True, "may_grow": ["tokens"]}
    _run(run)
    with claim_run(run, SETTINGS | {"tokens": 2000}, **options) as finished:
        assert not finished
        assert _tokens(run) == 1000  # killed here, the run is the finished one of 1,000 tokens
    assert "tokens: 1000 → 2000" in capsys.readouterr().err
    assert _tokens(run) == 2000
    with pytest.raises(UserError, match="tokens: 2000 → 1500"):
        _run(run, settings=SETTINGS | {"tokens": 1500}, **options)
    with pytest.raises(UserError, match="tokens: 2000 → 3000"):
        _run(run, settings=SETTINGS | {"tokens": 3000}, resume=True)


def test_a_finished_run_keeps_the_settings_that_it_was_made_with(tmp_path, capsys):
    run, options = tmp_path / "run", {"resume": True, "may_change": ["rate"]}
    _run(run, settings=SETTINGS | {"rate": 0.1}, finish=False)
    _run(run, settings=SETTINGS | {"rate": 0.01}, **options)  # it was stopped, and goes on
    assert "rate: 0.1 → 0.01" in capsys.readouterr().err
    assert _run(run, settings=SETTINGS | {"rate": 0.001}, **options)
    assert json.loads((run / "config.json").read_text("utf-8"))["rate"] == 0.01
    assert "goes on" not in capsys.readouterr().err


def test_a_run_that_fails_before_it_has_written_anything_leaves_no_trace(tmp_path):
    with pytest.raises(ZeroDivisionError), claim_run(tmp_path / "a" / "b", SETTINGS):
        (tmp_path / "a" / "b" / "shards").mkdir()
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()


def test_a_run_that_fails_later_can_be_resumed(tmp_path):
    with pytest.raises(ZeroDivisionError), claim_run(tmp_path / "run", SETTINGS):
        (tmp_path / "run" / "metrics.jsonl").write_text("{}")
        raise ZeroDivisionError
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "metrics.jsonl"}
    assert not _run(tmp_path / "run", resume=True)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.json", "{}", "is no run folder: it holds model.json and no config.json"),
        ("thesis.txt", "", "is no run folder: it holds thesis.txt"),
        ("config.json", '{"architectures": ["Gemma3ForCausalLM"]}', "does not hold the settings"),
        ("config.json", "[" * 100_000, "does not hold the settings of a run"),
        ("config.json", "", "does not hold the settings of a run"),
    ],
)
def test_a_folder_that_is_something_else_is_left_alone(name, content, message, resume, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"{message}.*Give a new folder"):
        _run(tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == content


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="Give a(nother| new) folder"):
            _run(path)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_editors_hide_in_an_empty_folder_does_not_matter(tmp_path):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert not _run(tmp_path)


_HOLD = """
import sys, time
from gemma_ko_lib.training.run_folder import claim_run
with claim_run(sys.argv[1], {"model": "nano"}, resume=True):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_and_a_killed_one_lets_go(tmp_path):
    run, settings = tmp_path / "run", {"model": "nano"}
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(run)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"Another .*run now \(process {holder.pid} on"):
            _run(run, settings=settings, resume=True)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert not _run(run, settings=settings, resume=True)
    assert not (run / ".lock").exists()
