"""Makers of data_samples/recorded/: runs of Gemma 3 270M that a lesson cannot wait for.

Each module is one recorded run: `python -m data_samples.makers.recorded.NAME` makes it anew. It
uses the library's own functions and commands, keeps its work under build/recorded/NAME, goes on
from what it finds there after a stop, and ends with `save`. A notebook reads the file with
`course.read_recorded(NAME)` and draws it beside the reader's own run.
"""

import datetime
import functools
import json
import resource
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import jax
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.evaluation.decoding import generate
from gemma_ko_lib.evaluation.statistics import interval, paired_difference, share_interval
from gemma_ko_lib.models.decoder import Decoder
from gemma_ko_lib.tokenization.packing import PackedRows, next_token_targets
from gemma_ko_lib.training import Method

WORK = Path(__file__).parents[3] / "build" / "recorded"
_PACKAGES = ("jax", "keras", "keras-hub")


def kept_part(path: Path, make: Callable) -> dict:
    """One part of a run: read from its file, or made now and kept there.

    Args:
        path: of the file.
        make: gives what is kept, as JSON takes it.

    Returns:
        `found` is what `make` gave; `minutes` that it took; `peak_bytes` of the process so far.
    """
    if not path.is_file():
        began = time.monotonic()
        found = make()
        minutes = (time.monotonic() - began) / 60
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        kept = {"found": found, "minutes": minutes, "peak_bytes": peak}
        runtime.write_whole(path, json.dumps(kept, ensure_ascii=False))
        print(f"{path.stem}: {minutes:.1f} minutes, peak {peak / 2**30:.1f} GiB", flush=True)
    return json.loads(path.read_text("utf-8"))


def try_rates(
    rates: Iterable[float], measure: Callable[[float], float], most: int
) -> dict[float, float]:
    """Figures by learning rate, the lower the better.

    The best of what was tried at its edge is not known to be the best: others follow, a factor of
    3 apart, until it is inside or `most` have been tried.
    """
    tried = {rate: measure(rate) for rate in rates}
    while (best := min(tried, key=tried.get)) in (min(tried), max(tried)) and len(tried) < most:
        rate = float(f"{best / 3 if best == min(tried) else best * 3:.1g}")
        tried[rate] = measure(rate)
    return tried


def evenly(texts: list[str], size: int) -> list[str]:
    """Texts of about so many bytes, spread over all of them."""
    return texts[:: max(1, sum(len(text.encode()) for text in texts) // size)]


def rounded(values: Iterable[float]) -> list[float]:
    """Figures with the four decimals that a record has of them."""
    return [round(float(value), 4) for value in values]


def share_of(right) -> list[float]:
    """The share of right answers and the ends of its interval."""
    return rounded((np.mean(right), *share_interval(right)))


def ratio(values, sizes) -> list[float]:
    """What some texts have together, as bits, over their sizes, and the ends of its interval."""
    return rounded((np.sum(values) / np.sum(sizes), *interval(values, sizes)))


def batch_of(rows: list[PackedRows]) -> dict:
    """Packed rows as one micro-batch, arrays [1, rows, length]."""
    ids, segments = (
        np.concatenate([getattr(row, part) for row in rows])
        for part in ("token_ids", "segment_ids")
    )
    targets, weights = next_token_targets(ids, segments)
    batch = {"token_ids": ids, "segment_ids": segments}
    batch |= {"targets": targets, "loss_weights": weights}
    return {name: x[None] for name, x in batch.items()}


def rated_update(method: Method, decoder: Decoder, schedule: Callable) -> Callable:
    """One compiled update for all learning rates: (state, batch, frozen, rate) -> state, figures.

    Args:
        method: of training.
        decoder: of the model.
        schedule: what is multiplied with the rate, by updates done.
    """

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, batch, frozen, rate):
        return method.update(decoder, lambda step: rate * schedule(step))(state, batch, frozen)

    return update


def lines_after(model, prompts: list[str], new_tokens: int) -> list[tuple[str, bool]]:
    """What a model goes on with, to the end of the line, and whether the line ended."""
    tokenizer = model.tokenizer
    breaks = [i for i, piece in enumerate(tokenizer.vocabulary) if piece and not piece.strip("\n")]
    asked = [[tokenizer.bos_id, *ids] for ids in tokenizer.encode(prompts)]
    stop = [*breaks, tokenizer.eos_id]
    new = generate(model, asked, new_tokens, stop_ids=stop, progress=True)
    return [(tokenizer.decode(ids).strip(), len(ids) < new_tokens) for ids in new]


def tuned_ahead_of(right: dict) -> dict[str, list[float]]:
    """Paired difference of "tuned" and each other, by name: [value, low, high].

    Args:
        right: 1 or 0 for each item, by name.
    """
    others = (name for name in right if name != "tuned")
    found = {name: paired_difference(right[name], right["tuned"]) for name in others}
    return {name: [change, *span] for name, (change, span) in found.items()}


def commands_in(doc: str) -> list[str]:
    """The commands of a module's docstring: its indented lines, a broken one as one command."""
    return [" ".join(line.split()) for line in doc.splitlines() if line.startswith("    ")]


def save(name: str, what: str, minutes: float, **results) -> Path:
    """Write data_samples/recorded/NAME.json.

    Args:
        name: of the run, and of its module here.
        what: one or two sentences: model, data, updates, method, what was held out.
        minutes: that the whole took.
        **results: figures by name; a value with an interval is [value, low, high]. May hold
            `commands`, where the run is some commands of the shell.

    Returns:
        The file.
    """
    gib = (runtime.total_memory_bytes() or 0) / 2**30
    record = {
        "what": what,
        "commands": [f"python -m data_samples.makers.recorded.{name}"],
        "date": datetime.date.today().isoformat(),
        "machine": f"{runtime.cpu_name()}, {gib:.0f} GB",
        "versions": {package: metadata.version(package) for package in _PACKAGES},
        "minutes": round(minutes, 1),
        **results,
    }
    path = runtime.samples_dir() / "recorded" / f"{name}.json"
    runtime.write_json(path, record)
    return path
