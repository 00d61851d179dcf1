"""Seconds of an update of Gemma 3 270M's shape: ours, transformers on torch, and PEFT's LoRA.

2 × 256 tokens in float32, AdamW (torch's fused one), gradients clipped; all weights, or adapters
of one rank on all seven layers. The programs take turns on one machine, so that its mood hits
them alike; `--torch` names the interpreter of an environment with torch, transformers and peft.
"""

import statistics

import numpy as np

from gemma_ko_lib import models
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from tests.benchmarks.peer import Peer, in_turns
from tests.benchmarks.random_model import random_model

NAME = "gemma3_270m"
SHAPE = models.CONFIGS[NAME][1]
ROWS, LENGTH, RANK = 2, 256, 16
TURNS = 5


def _ours(rank: int):
    """A function that does one update, of all weights where the rank is 0."""
    model, generator = random_model(NAME), np.random.default_rng(0)
    method = Method("lora", rank=rank, alpha=rank) if rank else Method("full")
    update = method.update(model.decoder, learning_rate_schedule(1e-4, 100, 1))
    state, frozen = method.begin(model.params)
    weight = np.ones((1, ROWS, LENGTH), "float32")

    def step() -> None:
        nonlocal state
        tokens = generator.integers(3, SHAPE["vocabulary_size"], (1, ROWS, LENGTH + 1), "int32")
        batch = {"token_ids": tokens[..., :-1], "targets": tokens[..., 1:]}
        batch |= {"segment_ids": weight.astype("int32"), "loss_weights": weight}
        state, figures = update(state, batch, frozen)
        float(figures["loss"])

    return step


def _compare(what: str, rank: int, torch: str | None) -> list[tuple[str, str]]:
    runs = {f"ours, {what}": _ours(rank)}
    if torch:
        setting = {"shape": SHAPE, "rows": ROWS, "length": LENGTH, "rank": rank}
        library = "PEFT" if rank else "transformers"
        runs[f"{library} on torch, {what}"] = Peer(torch, "update_torch.py", setting)
    seconds = in_turns(runs, TURNS)
    first = next(iter(seconds.values()))
    rows = []
    for name, taken in seconds.items():
        figure = f"{min(taken):.2f}; {statistics.median(taken):.2f}"
        rows.append((f"  {name}: least; median of {TURNS}", figure))
        if taken is not first:
            rows.append(("    times ours (median of the turns)", f"{np.median(taken / first):.2f}"))
    return rows


def measure(torch: str | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); `torch` is a Python interpreter with torch, transformers, peft."""
    rows = [(f"seconds of an update, Gemma 3 270M's shape, {ROWS} × {LENGTH} tokens:", "")]
    rows += _compare("all weights", 0, torch)
    return rows + _compare(f"LoRA of rank {RANK} on seven layers", RANK, torch)
