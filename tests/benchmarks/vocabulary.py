"""What a cut vocabulary saves: Gemma 3 270M's shape with 262,144 and with 32,768 pieces, in turns.

Seconds of an update of 2 × 256 tokens in float32 (AdamW on all weights, LoRA of rank 16 on seven
layers), its peak by the compiler's account (arguments, temporaries and what is new), and tokens a
second of greedy decoding, one row after 256 tokens. Weights are random: time does not depend on
their values. Needs 8 GB and a quiet machine with two cores.
"""

import statistics
import time

import jax
import numpy as np

from gemma_ko_lib import evaluation, models
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from tests.benchmarks.random_model import random_model

NAME, PIECES = "gemma3_270m", (262_144, 32_768)
ROWS, LENGTH, RANK = 2, 256, 16
CONTEXT, NEW_TOKENS = 256, 64
TURNS = 3


def _update(model: models.Model, method: Method):
    """A function that does one update, and its peak in bytes."""
    update = method.update(model.decoder, learning_rate_schedule(1e-4, 100, 1))
    state, frozen = method.begin(model.params)
    generator, weight = np.random.default_rng(0), np.ones((1, ROWS, LENGTH), "float32")

    def batch() -> dict:
        shape = (1, ROWS, LENGTH + 1)
        tokens = generator.integers(3, model.config["vocabulary_size"], shape, "int32")
        return {
            "token_ids": tokens[..., :-1],
            "targets": tokens[..., 1:],
            "segment_ids": weight.astype("int32"),
            "loss_weights": weight,
        }

    compiled = update.lower(state, batch(), frozen).compile()
    memory = compiled.memory_analysis()
    peak = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    peak += memory.output_size_in_bytes - memory.alias_size_in_bytes

    def step() -> None:
        nonlocal state
        state, figures = compiled(state, batch(), frozen)
        float(figures["loss"])

    return step, peak


def _decoding(model: models.Model):
    """A function that gives the seconds of a token after the first."""
    prompt = [list(range(3, 3 + CONTEXT))]

    def token() -> float:
        seconds = []
        for count in (1, 1 + NEW_TOKENS):
            start = time.perf_counter()
            evaluation.generate(model, prompt, count)
            seconds.append(time.perf_counter() - start)
        return (seconds[1] - seconds[0]) / NEW_TOKENS

    return token


def _in_turns(whole, cut) -> tuple[float, float]:
    """The median over turns of each, the first turn left out."""
    taken = [(whole(), cut()) for _ in range(TURNS + 1)][1:]
    return tuple(statistics.median(figures) for figures in zip(*taken, strict=True))


def _timed(step):
    def run() -> float:
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return run


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure); those of a pair are of the whole and of the cut vocabulary."""
    whole, cut = (random_model(NAME, vocabulary_size=pieces) for pieces in PIECES)
    sizes = [sum(weight.size for weight in model.params.values()) for model in (whole, cut)]
    rows = [
        (f"pieces: {PIECES[0]:,}; {PIECES[1]:,}", ""),
        ("million parameters", f"{sizes[0] / 1e6:.1f}; {sizes[1] / 1e6:.1f}"),
    ]
    seconds = _in_turns(*(_decoding(model) for model in (whole, cut)))
    rows += [
        ("decoding, tokens/s", f"{1 / seconds[0]:.1f}; {1 / seconds[1]:.1f}"),
        ("  times as many (goal ≥ 2)", f"{seconds[0] / seconds[1]:.2f}"),
    ]
    for what, method in (
        (f"LoRA of rank {RANK}", Method("lora", rank=RANK)),
        ("all weights", Method("full")),
    ):
        (step, peak), (cut_step, cut_peak) = (_update(model, method) for model in (whole, cut))
        seconds = _in_turns(_timed(step), _timed(cut_step))
        rows += [
            (f"update of {what}, s", f"{seconds[0]:.2f}; {seconds[1]:.2f}"),
            ("  times as fast (goal ≥ 2)", f"{seconds[0] / seconds[1]:.2f}"),
            ("  peak, GiB", f"{peak / 2**30:.2f}; {cut_peak / 2**30:.2f}"),
        ]
        del step, cut_step
        jax.clear_caches()
    return rows
