"""A checkpoint is whole or it is passed over, and restoring changes no file."""

import errno
import hashlib
import re
import resource

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training import checkpoints
from gemma_ko_lib.training.checkpoints import Checkpoints

IDENTITY = {"data": "3f2a", "method": {"targets": ("query", "value")}}


def _state(seed: int = 0, size: int = 2000, dtype="float32"):
    weights = np.random.default_rng(seed).normal(size=size)
    return {"weights": jnp.asarray(weights, dtype), "step": jnp.asarray(seed, "int32")}


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of updates 1 and 2."""
    written = Checkpoints(tmp_path / "checkpoints", identity=IDENTITY)
    for step in (1, 2):
        written.save(step, _state(step), {"position": step})
    written.close()
    return tmp_path / "checkpoints"


def _restore(folder, like=None, identity=IDENTITY):
    return Checkpoints(folder, identity=identity).restore_latest(like or _state())


def _content(folder) -> dict:
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _flip_a_bit(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _largest_file(folder):
    return max((f for f in folder.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)


def test_what_was_saved_comes_back(folder):
    step, state, position = _restore(folder)
    assert (step, position) == (2, {"position": 2})
    np.testing.assert_array_equal(state["weights"], _state(2)["weights"])


def test_an_update_reuses_the_memory_of_a_state_that_was_saved(tmp_path):
    state, saving = _state(size=1_000_000), Checkpoints(tmp_path / "checkpoints")
    saving.save(1, state, {"position": 1})
    update = jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0)
    assert update(state)["step"] == 1
    assert state["weights"].is_deleted(), "a run would hold its state twice"
    saving.close()


def test_a_flipped_bit_in_any_file_is_found(folder, capsys):
    files = [f for f in (folder / "2").rglob("*") if f.is_file() and f.stat().st_size]
    files = [f for f in files if f.name != "_CHECKPOINT_METADATA"]  # nothing reads it
    assert len(files) > 5
    for path in files:
        whole = path.read_bytes()
        _flip_a_bit(path)
        before = _content(folder)
        fault = _restore(folder)[0]
        said = capsys.readouterr().err
        # What marks a folder as committed holds nothing.
        assert fault == (2 if path.parent == folder / "2" and path.suffix == ".txt" else 1), path
        if fault == 1:
            assert f"Passing over the checkpoint {folder / '2'}: " in said
        assert _content(folder) == before
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-1]), r"has [\d,]+ bytes instead of"),
        (lambda f: f.write_bytes(bytes(f.stat().st_size)), "has changed since it was written"),
        (lambda f: f.unlink(), "is missing"),
        (lambda f: (f.parents[2] / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda f: (f.parents[2] / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda f: (f.parents[2] / "manifest.json").write_text("[]"), "manifest.json is damaged"),
    ],
)
def test_a_torn_one_is_passed_over_with_its_reason_and_stays(damage, reason, folder, capsys):
    file = next(f for f in (folder / "2" / "state" / "d").iterdir())
    damage(file)
    before = _content(folder)
    kept = Checkpoints(folder, identity=IDENTITY)
    assert kept.restore_latest(_state())[0] == 1
    said = capsys.readouterr().err
    assert re.search(f"Passing over the checkpoint {folder / '2'}: .*{reason}", said)
    assert _content(folder) == before
    # The run comes to update 2 again: the damaged one is set aside, and nothing is lost of it.
    kept.save(2, _state(2), {})
    kept.save(3, _state(3), {})
    kept.close()
    assert {path.name for path in folder.iterdir()} == {"2", "2.unreadable", "3"}
    moved = {name.parts[1:]: digest for name, digest in before.items() if name.parts[0] == "2"}
    assert {n.parts: d for n, d in _content(folder / "2.unreadable").items()} == moved


def test_when_none_is_whole_the_run_does_not_start_over(folder):
    for step in "12":
        _flip_a_bit(_largest_file(folder / step))
    before = _content(folder)
    with pytest.raises(UserError, match="None of the 2 checkpoints .* is whole. No file was"):
        _restore(folder)
    assert _content(folder) == before


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EIO, "Input/output error"), "OSError: .*Input/output error"),
        (MemoryError(), "there is not enough memory for it"),
        (RuntimeError("RESOURCE_EXHAUSTED: out of memory"), "there is not enough memory for it"),
    ],
)
def test_an_error_while_restoring_stops_with_its_cause(error, message, folder, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    before = _content(folder)
    monkeypatch.setattr(ocp.AsyncCheckpointer, "restore", fail)
    with pytest.raises(UserError, match=f"2 is whole but cannot be restored: {message}"):
        _restore(folder)
    assert _content(folder) == before


def test_an_error_while_reading_stops_with_its_cause(folder, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    before = _content(folder)
    monkeypatch.setattr(checkpoints, "sha256_of", fail)
    with pytest.raises(UserError, match="Cannot read .*/2/.*: Input/output error. No file was"):
        _restore(folder)
    assert _content(folder) == before


@pytest.mark.parametrize(
    ("like", "identity", "message"),
    [
        (_state(size=1999), IDENTITY, r"weights: \"float32\[2000\]\" → \"float32\[1999\]\""),
        (
            _state(dtype="bfloat16"),
            IDENTITY,
            r"weights: \"float32\[2000\]\" → \"bfloat16\[2000\]\"",
        ),
        ({"weights": _state()["weights"]}, IDENTITY, r"step: \"int32\[\]\" → not set"),
        (_state(), IDENTITY | {"data": "77c0"}, 'data: "3f2a" → "77c0"'),
        (_state(), {"data": "3f2a"}, r"method: .* → not set"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(like, identity, message, folder):
    before = _content(folder)
    with pytest.raises(UserError, match=rf"is of another run \(was → is\):\n  {message}"):
        _restore(folder, like, identity)
    assert _content(folder) == before


def test_a_full_disk_is_one_sentence_and_costs_no_checkpoint(folder, capfd):
    """A limit on the size of files fails as a full disk does: in tensorstore, in a thread."""
    kept = Checkpoints(folder, identity=IDENTITY)
    before = _content(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(UserError, match="^Cannot write .*checkpoints: File too large.*Free"):
            kept.save(3, _state(3, size=50_000), {})
            kept.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr() == ("", "")
    assert _content(folder) == before
    assert {path.name for path in folder.iterdir()} == {"1", "2"}


def test_the_newest_two_are_kept_and_a_killed_write_is_removed(folder):
    (folder / "3.orbax-checkpoint-tmp").mkdir()
    (folder / "3.orbax-checkpoint-tmp" / "half").write_text("half")
    assert _restore(folder)[0] == 2
    written = Checkpoints(folder, identity=IDENTITY)
    for step in (3, 4):
        written.save(step, _state(step), {})
    written.close()
    assert {path.name for path in folder.iterdir()} == {"3", "4"}
