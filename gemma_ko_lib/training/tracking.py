"""A run's figures in TensorBoard or Weights & Biases, written by their own packages."""

import importlib.util
import secrets
from pathlib import Path

import jax

from gemma_ko_lib.runtime import UserError, whole_file
from gemma_ko_lib.training.loop import Tracker


def check_tracker(name: str | None) -> None:
    """See that a tracker is known and installed, before anything is begun.

    Raises:
        UserError: it is not.
    """
    if name not in (None, "tensorboard", "wandb"):
        raise UserError(f"A run is logged to tensorboard or wandb, not to '{name}'.")
    if name and not _is_installed(name):
        raise UserError(f"{name} is not installed: pip install 'gemma-ko[{name}]'")


def _is_installed(name: str) -> bool:
    # A folder "wandb", as a run of it leaves one, is found too, as a package of no file.
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def tracker(name: str | None, run_dir: Path, settings: dict) -> Tracker | None:
    """A function that takes the lines of metrics.jsonl; the first process alone has one.

    Args:
        name: "tensorboard", "wandb" or None.
        run_dir: the run folder, which gets TensorBoard's files, or wandb's and the run's id there.
        settings: of the run, shown beside its figures.
    """
    if name is None or jax.process_index():
        return None
    if name == "tensorboard":
        from tensorboard.summary import Writer

        writer = Writer(str(run_dir / "tensorboard"))

        def write(line: dict) -> None:
            for figure, value in line.items():
                if figure != "step":
                    writer.add_scalar(figure, float(value), line["step"])
            writer.flush()

        return write
    import wandb

    # Two folders called "run" are two runs, and what goes on in one of them is one.
    note, title = run_dir / "wandb-id", run_dir.resolve().name
    known = note.read_text("utf-8").strip() if note.is_file() else secrets.token_hex(8)
    run = wandb.init(dir=str(run_dir), id=known, name=title, config=settings, resume="allow")
    with whole_file(note) as file:
        file.write(known + "\n")
    return lambda line: run.log({k: v for k, v in line.items() if k != "step"}, step=line["step"])
