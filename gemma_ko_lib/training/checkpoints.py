"""Checkpoints by orbax: weights, optimiser, step, and the place in the data stream.

A checkpoint counts only when orbax has renamed it into place; one that was damaged
afterwards is skipped with a word, and the one before it is taken. It belongs to no mesh: what
eight devices or two processes wrote, one device restores, and the other way round.
"""

import sys
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from gemma_ko_lib.runtime import disk_error
from gemma_ko_lib.training.hosts import on_every_host


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: the run's checkpoints folder.
        keep: how many to keep.
    """

    def __init__(self, folder: str | Path, keep: int = 2):
        self._folder = Path(folder).absolute()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, create=True, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def save(self, step: int, state, data_position: dict) -> None:
        """Store a training state; waits only until the device memory is copied.

        Args:
            step: updates done.
            state: pytree of arrays.
            data_position: JSON state of the batch iterator.

        Raises:
            UserError: the disk is full or not writable.
        """
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(data_position)
                ),
            )
        except (OSError, ValueError) as error:
            raise self._write_error(error) from error

    def restore_latest(self, like):
        """Load the newest checkpoint that is whole, on every process the same.

        Args:
            like: pytree of arrays with the shapes, dtypes and shardings to restore to.

        Returns:
            (step, state, data_position), or None when there is no whole checkpoint.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        for step in sorted(self._manager.all_steps(), reverse=True):
            restored = None
            try:
                restored = self._manager.restore(
                    step,
                    args=ocp.args.Composite(
                        state=ocp.args.StandardRestore(abstract), data=ocp.args.JsonRestore()
                    ),
                )
            except Exception as error:  # tensorstore, orbax and JSON each raise their own
                summary = str(error).strip().splitlines()[0][:160] if str(error) else ""
                print(
                    f"Skipping the torn checkpoint {self._folder / str(step)}: "
                    f"{type(error).__name__}: {summary}",
                    file=sys.stderr,
                )
            # One process alone must not take an older checkpoint than the others.
            if on_every_host(restored is not None):
                return step, restored["state"], restored["data"]
            self._manager.delete(step)
        return None

    def close(self) -> None:
        """Wait until everything is on disk."""
        try:
            self._manager.wait_until_finished()
        except (OSError, ValueError) as error:
            raise self._write_error(error) from error
        finally:
            self._manager.close()

    def _write_error(self, error: Exception) -> Exception:
        as_os_error = error if isinstance(error, OSError) else OSError(0, str(error)[:200])
        return disk_error(self._folder, as_os_error)
