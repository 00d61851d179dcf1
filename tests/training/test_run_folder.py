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

SETTINGS = {"model": "nano", "method": {"name": "lora", "rank": 8, "base": None}}


def _sized(**size) -> dict:
    return SETTINGS | {"size": size}


def _run(folder, finish=True, **options):
    with claim_run(folder, options.pop("settings", SETTINGS), **options) as finished:
        (folder / "metrics.jsonl").touch()
        if finish:
            (folder / "model.json").touch()
    return finished


def _size(folder) -> dict:
    return json.loads((folder / "config.json").read_text("utf-8"))["size"]


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


def test_a_finished_run_goes_on_to_more(tmp_path, capsys):
    run = tmp_path / "run"
    _run(run, settings=_sized(tokens=1000, length=64))
    with claim_run(run, _sized(tokens=2000, length=64), resume=True) as finished:
        assert not finished
        # Killed here, the run is the finished one of 1,000 tokens.
        assert _size(run)["tokens"] == 1000
    assert "size.tokens: 1000 → 2000" in capsys.readouterr().err
    assert _size(run)["tokens"] == 2000
    with pytest.raises(UserError, match="size.length: 64 → 128"):
        _run(run, settings=_sized(tokens=2000, length=128), resume=True)


def test_a_finished_run_keeps_the_settings_that_it_was_made_with(tmp_path, capsys):
    run = tmp_path / "run"
    _run(run, settings=_sized(learning_rate=0.1), finish=False)
    _run(run, settings=_sized(learning_rate=0.01), resume=True)  # it was stopped, and goes on
    assert "rate: 0.1 → 0.01" in capsys.readouterr().err
    assert _run(run, settings=_sized(learning_rate=0.001), resume=True)
    assert _size(run)["learning_rate"] == 0.01
    assert "goes on" not in capsys.readouterr().err


def test_a_model_may_have_been_moved_where_its_content_is_known(tmp_path):
    known, elsewhere = SETTINGS | {"model_sha256": "1f"}, {"model": "elsewhere"}
    _run(tmp_path / "known", settings=known)
    assert _run(tmp_path / "known", settings=known | elsewhere, resume=True)
    _run(tmp_path / "preset")
    with pytest.raises(UserError, match='model: "nano" → "elsewhere"'):
        _run(tmp_path / "preset", settings=SETTINGS | elsewhere, resume=True)


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
