"""What a run notes of each update in `metrics.jsonl`, and the figures that stop it."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import UserError, disk_errors, whole_file

_SPIKE_NATS = 3.0  # how far above its running mean a loss may be, beyond the chance of few tokens


class RunLog:
    """metrics.jsonl: one JSON object a line.

    When a run goes on from a checkpoint, the lines after it stay until the first new one is
    written.

    Args:
        path: of the file; None to write nothing, as all processes but the first do.
        keep_until: updates of the checkpoint that the run goes on from; 0 for a new run.
        tracker: gets every line too.
    """

    def __init__(
        self, path: Path | None, keep_until: int, tracker: Callable[[dict], None] | None = None
    ):
        self._path, self._keep_until, self._file = path, keep_until, None
        self._tracker = tracker

    def write(self, figures: dict) -> None:
        """Add a line.

        Args:
            figures: finite numbers, "step" among them.

        Raises:
            UserError: the disk is full or not writable.
        """
        if self._path is None:
            return
        line = json.dumps(figures, allow_nan=False) + "\n"
        with disk_errors(self._path):
            if self._file is None:
                with whole_file(self._path) as file:
                    file.writelines([*self._kept_lines(), line])
                self._file = open(self._path, "a", encoding="utf-8")
            else:
                self._file.write(line)
                self._file.flush()
        if self._tracker:
            self._tracker(figures)

    def _kept_lines(self) -> list[str]:
        kept = read_log(self._path.parent) if self._keep_until else []
        return [json.dumps(line) + "\n" for line in kept if line["step"] <= self._keep_until]

    def sync(self) -> None:
        """See that the lines outlive a power cut, as the checkpoint does that comes next."""
        if self._file:
            with disk_errors(self._path):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file:
            with disk_errors(self._path):
                self._file.close()


def read_log(run_dir: str | Path) -> list[dict]:
    """The lines of a run's metrics.jsonl, but for half a line that a killed run may have left."""
    path, lines = Path(run_dir) / "metrics.jsonl", []
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else []:
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


class Watch:
    """Stops a run whose figures or weights are not finite, or whose loss jumps."""

    def __init__(self):
        self._mean, self._seen = 0.0, 0

    def check(self, step: int, figures: Mapping[str, float], rows: np.ndarray) -> None:
        """Look at the figures of an update, "loss" among them.

        Raises:
            UserError: one is not finite, or the loss has jumped; `rows`, the batch, are named.
        """
        loss = figures["loss"]
        for name, value in {"loss": loss, **figures}.items():
            if not math.isfinite(value):
                raise _stop(f"The {name.replace('_', ' ')} is {value}", step, rows)
        # Losses of single tokens spread by some three nats; four times the error of their mean.
        chance = 4 * 3 / math.sqrt(max(1.0, figures.get("tokens", math.inf)))
        if self._seen >= 10 and loss > self._mean + _SPIKE_NATS + chance:
            raise _stop(f"The loss jumped from {self._mean:.2f} to {loss:.2f}", step, rows)
        self._mean = loss if not self._seen else 0.9 * self._mean + 0.1 * loss
        self._seen += 1

    def check_measured(self, step: int, figures: Mapping[str, float]) -> None:
        """Look at figures of held-out data.

        Raises:
            UserError: one is not finite.
        """
        for name, value in figures.items():
            if not math.isfinite(value):
                raise UserError(
                    f"The {name.replace('_', ' ')} is {value} after update {step}: the weights or "
                    "the held-out data are damaged. Earlier checkpoints are whole; go on with "
                    "--resume and a lower learning rate."
                )

    def check_weights(self, step: int, finite: Mapping[str, bool], rows: np.ndarray) -> None:
        """Look at the weights that an update left, which its loss does not tell of.

        Raises:
            UserError: those of one name are not all finite.
        """
        for name, fine in finite.items():
            if not fine:
                raise _stop(f"The weights {name} are not finite", step, rows)


def _stop(what: str, step: int, rows: np.ndarray) -> UserError:
    return UserError(
        f"{what} at update {step}. The batch is rows {', '.join(map(str, rows.tolist()))} of what "
        "is trained on (token shards show theirs by tokenization.open_shards(folder)[row]). "
        "Earlier checkpoints are whole; go on with --resume and a lower learning rate, or without "
        "those rows."
    )
