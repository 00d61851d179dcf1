"""Checkpoints by orbax: weights, optimiser, step, and the place in the data stream.

A checkpoint is a folder named by its step. The last file in it is `manifest.json`, with the
SHA-256 of every other; only then does the folder get its name. One that was damaged afterwards
is found by that, and the one before it is taken. A checkpoint belongs to one run but to no mesh:
what eight devices or two processes wrote, one device restores, and the other way round.

Restoring changes no file. Saving removes old checkpoints and the remains of killed writes, and
sets unreadable checkpoints aside under another name.
"""

import contextlib
import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from gemma_ko_lib.runtime import UserError, disk_error, sha256_of, write_json
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.run_folder import differences, was_is

MANIFEST = "manifest.json"
_KEPT = 2  # checkpoints
_UNFINISHED = "*.orbax-checkpoint-tmp*"
_STAMPED_LATER = "_CHECKPOINT_METADATA"  # the time of the commit goes into it; nothing reads it

# Orbax logs the traceback of each error that it also raises, some twice.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


def _without_late_writes(hook):
    """After a failed write tensorstore reports the others to an event loop that is gone."""
    return lambda found: str(found.exc_value) == "Event loop is closed" or hook(found)


sys.unraisablehook = _without_late_writes(sys.unraisablehook)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: the run's checkpoints folder; made by the first `save`.
        identity: JSON values that tell this run from others, stored in each checkpoint and
            compared on restoring.
    """

    def __init__(self, folder: str | Path, identity: dict | None = None):
        self._folder = Path(folder).absolute()
        self._identity = json.loads(json.dumps(identity or {}))  # as it is read back: no tuples
        self._passed_over: list[int] = []
        self._saving = None
        options = ocp.options.AsyncOptions(post_finalization_callback=self._write_manifest)
        self._writer = ocp.AsyncCheckpointer(
            ocp.CompositeCheckpointHandler(), async_options=options
        )

    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, whole or not, ascending."""
        if not self._folder.is_dir():
            return []
        return sorted(int(p.name) for p in self._folder.iterdir() if p.name.isdecimal())

    # --- saving ---

    def save(self, step: int, state, data_position: dict) -> None:
        """Store a training state; waits only until the device memory is copied, on CPUs until all
        is written.

        Args:
            step: updates done.
            state: pytree of arrays.
            data_position: JSON state of the batch iterator.

        Raises:
            UserError: the disk is full or not writable.
        """
        about = {"position": data_position, "identity": self._identity, "shapes": _shapes(state)}
        with self._write_errors():
            self._writer.wait_until_finished()
            self._tidy()
            self._saving = step
            self._writer.save(
                self._folder / str(step),
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about)
                ),
            )
            if jax.default_backend() == "cpu":
                # There the writer reads the state itself, not a copy of it. As long as it does, an
                # update cannot reuse that memory, and a run holds its state twice.
                self._writer.wait_until_finished()

    def close(self) -> None:
        """Wait until everything is on disk.

        Raises:
            UserError: the disk is full or not writable.
        """
        with self._write_errors():
            try:
                self._writer.wait_until_finished()
                if self._saving is not None:
                    self._tidy()
            finally:
                self._writer.close()

    def _write_manifest(self) -> None:
        """Orbax calls this when all is written, just before the folder gets its name."""
        (folder,) = self._folder.glob(f"{self._saving}{_UNFINISHED[1:]}")
        files = [
            {
                "name": path.relative_to(folder).as_posix(),
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != _STAMPED_LATER
        ]
        write_json(folder / MANIFEST, {"format": "gemma-ko checkpoint 1", "files": files})

    def _tidy(self) -> None:
        if jax.process_index() > 0:  # the others wait for the first before they write
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for step in self._passed_over:
            aside = self._folder / f"{step}.unreadable"
            while aside.exists():
                aside = aside.with_name(f"{aside.name}-again")
            (self._folder / str(step)).rename(aside)
        self._passed_over.clear()
        whole = [step for step in self.steps() if (self._folder / str(step) / MANIFEST).is_file()]
        for step in whole[:-_KEPT]:
            # Under its own name a half-removed one would look like a damaged one.
            old = self._folder / str(step)
            old.rename(old.with_name(f"{step}{_UNFINISHED[1:-1]}-old"))
        for unfinished in self._folder.glob(_UNFINISHED):
            shutil.rmtree(unfinished)

    @contextlib.contextmanager
    def _write_errors(self):
        """Say what a failed write means, and give back the room that it took."""
        try:
            yield
        except UserError:
            raise
        except (OSError, ValueError) as error:  # tensorstore's are ValueErrors
            for unfinished in self._folder.glob(_UNFINISHED):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise disk_error(self._folder, _as_os_error(error)) from error

    # --- restoring ---

    def restore_latest(self, like):
        """Load the newest checkpoint that is whole, on every process the same.

        Args:
            like: pytree of arrays with the shapes, dtypes and shardings to restore to.

        Returns:
            (step, state, data_position), or None when there is no checkpoint.

        Raises:
            UserError: none of the checkpoints is whole; one cannot be read, is another run's
                or does not fit into memory. All files are as they were.
        """
        step, self._passed_over = on_first_host(self._newest_whole)
        if step is None:
            return None
        folder = self._folder / str(step)
        about = self._restore(folder, about=ocp.args.JsonRestore())["about"]
        self._check_identity(folder, about, like)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        restored = self._restore(folder, state=ocp.args.StandardRestore(abstract))
        return step, restored["state"], about["position"]

    def _newest_whole(self) -> tuple[int | None, list[int]]:
        """The newest whole checkpoint's step, if there is any, and the damaged ones after it."""
        passed_over = []
        for step in reversed(self.steps()):
            folder = self._folder / str(step)
            try:
                fault = _fault(folder)
            except OSError as error:
                raise UserError(
                    f"Cannot read {error.filename or folder}: {error.strerror or error}. No file "
                    "was changed. See to the disk, then run the same command again."
                ) from error
            if fault is None:
                return step, passed_over
            print(f"Passing over the checkpoint {folder}: {fault}.", file=sys.stderr)
            passed_over.append(step)
        if passed_over:
            raise UserError(
                f"None of the {len(passed_over)} checkpoints in {self._folder} is whole. No file "
                "was changed. Copy a whole one back, or start the run again in another folder."
            )
        return None, []

    def _check_identity(self, folder: Path, about: dict, like) -> None:
        changed = differences(about["shapes"], _shapes(like))
        if self._identity:
            changed = differences(about["identity"], self._identity) | changed
        if changed:
            raise UserError(
                f"The checkpoint {folder} is of another run (was → is):{was_is(changed)}\n"
                "No file was changed. Resume with the same model, data and settings, or start a "
                "new run in another folder."
            )

    def _restore(self, folder: Path, **items):
        try:
            return self._writer.restore(folder, args=ocp.args.Composite(**items))
        except Exception as error:  # tensorstore, orbax and JAX each raise their own
            memory = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
            cause = "there is not enough memory for it" if memory else _first_line(error)
            raise UserError(
                f"The checkpoint {folder} is whole but cannot be restored: {cause}. No file was "
                "changed; when the cause is gone, run the same command again."
            ) from error


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None where every file is as it was written.

    Raises:
        OSError: a file cannot be read.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        files = [(file["name"], file["bytes"], file["sha256"]) for file in manifest["files"]]
    except FileNotFoundError:
        return f"it has no {MANIFEST}"
    except (ValueError, KeyError, TypeError):
        return f"its {MANIFEST} is damaged"
    for name, size, sha256 in files:
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (found := path.stat().st_size) != size:
            return f"{name} has {found:,} bytes instead of {size:,}"
        if sha256_of(path) != sha256:
            return f"{name} has changed since it was written"
    return None


def _shapes(state) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"


def _as_os_error(error: Exception) -> OSError:
    if isinstance(error, OSError) and error.strerror:
        return error
    found = re.search(r"os_error_code='(\d+)'", str(error))  # as tensorstore has it
    code = int(found[1]) if found else 0
    return OSError(code, os.strerror(code) if code else _first_line(error))
