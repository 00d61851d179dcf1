"""Generation against KerasHub's `generate`: one run, in turns, and beside it what memory allows.

Gemma 3 270M's shape with random weights (time does not depend on their values), greedy, one row
and eight, after 256 and 2,048 tokens of context: `evaluation.generate` in float32 and in int8, the
learner's Gemma of lesson 02 (one row, 256), and KerasHub in float32. A token cannot come faster
than the weights can be read from memory. Needs a quiet machine with two cores.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gemma_ko_lib import evaluation, models
from gemma_ko_lib.from_scratch import gemma, gemma1, generation, int8
from gemma_ko_lib.models.keras_hub import keras_hub
from tests.benchmarks.random_model import random_model

NAME = "gemma3_270m"
CASES = ((256, 1), (256, 8), (2048, 1), (2048, 8))  # tokens of context, rows
NEW_TOKENS = 24
TURNS = 2


def _seconds(run, *arguments) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def _in_turns(runs: dict) -> dict[str, tuple[float, float]]:
    """Seconds to the first token, and for each of the next `NEW_TOKENS`; the best of all turns."""
    taken = {name: ([], []) for name in runs}
    for run in runs.values():
        run(1)  # compiles
    for _ in range(TURNS):
        for name, run in runs.items():
            taken[name][0].append(_seconds(run, 1))
            taken[name][1].append(_seconds(run, 1 + NEW_TOKENS))
    return {
        name: (min(first), (min(whole) - min(first)) / NEW_TOKENS)
        for name, (first, whole) in taken.items()
    }


def _reading_rate(array_bytes: int = 2**30) -> float:
    """Bytes a second when rows of a large matrix are summed, the least work for each number."""
    matrix = jnp.ones((array_bytes // 4 // 1024, 1024), jnp.float32)
    total = jax.jit(lambda matrix: matrix.sum(axis=1))
    run = lambda: total(matrix).block_until_ready()  # noqa: E731
    run()
    return array_bytes / min(_seconds(run) for _ in range(3))


def _ours(model, context: int, rows: int, int8: bool):
    prompts = [list(range(3, 3 + context))] * rows
    return lambda count: evaluation.generate(model, prompts, count, int8=int8)


def _learners(model, context: int):
    prompt = [list(range(3, 3 + context))]
    return lambda count: generation.generate(model, prompt, count)


def _keras_hub(causal_lm, context: int, rows: int):
    """A short run has a longer prompt, so that one shape is compiled."""
    length = context + 1 + NEW_TOKENS
    tokens = np.tile(np.arange(3, 3 + length, dtype="int32"), (rows, 1))

    def run(count):
        inputs = {
            "token_ids": tokens,
            "padding_mask": np.tile(np.arange(length) < length - count, (rows, 1)),
            "images": np.zeros((rows, 1), "float32"),  # wanted by text-only models, too
        }
        causal_lm.generate(inputs, stop_token_ids=None)

    return run


def measure() -> list[tuple[str, str]]:
    """Rows of what and how much."""
    model = random_model(NAME)
    kind, hub = model.kind, model.config
    by_name = models.unstack(model.params)
    learners = nnx.eval_shape(
        lambda: gemma.Gemma(gemma.config_from_keras_hub(kind, hub), nnx.Rngs(0))
    )
    gemma1.load_weights(learners, by_name)
    backbone = getattr(keras_hub.models, kind)(**hub, dtype="float32")
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    theirs = keras_hub.models.Gemma3CausalLM(preprocessor=None, backbone=backbone)
    theirs.compile(sampler="greedy")

    rate, size = _reading_rate(), sum(w.nbytes for w in by_name.values())
    figures = [
        ("memory read, GB/s", f"{rate / 1e9:.1f}"),
        ("limit that reading the float32 weights sets, one row, tokens/s", f"{rate / size:.1f}"),
    ]
    for context, rows in CASES:
        runs = {
            "evaluation.generate": _ours(model, context, rows, False),
            "evaluation.generate, int8": _ours(model, context, rows, True),
            "KerasHub": _keras_hub(theirs, context, rows),
        }
        if (context, rows) == CASES[0]:
            runs["from scratch"] = _learners(learners, context)
            runs["from scratch, int8"] = _learners(nnx.jit(int8.Int8Gemma)(learners), context)
        for name, (first, token) in _in_turns(runs).items():
            label = f"{context:,} tokens of context, {rows} row{'s' * (rows > 1)}: {name}"
            figures += [
                (f"{label}: tokens/s", f"{rows / token:.1f}"),
                (f"{label}: to the first token, s", f"{first:.2f}"),
            ]
    return figures
