"""Decoding speed, prefill time and cache size: the learner's Gemma against KerasHub's `generate`.

Gemma 3 270M's shape with random weights (time does not depend on their values), one row, greedy,
float32, after 256 and 2,048 tokens of context, and ours with weights and cache in int8. Beside it
the limit: a token cannot come faster than the weights can be read from memory. Needs a quiet
machine.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gemma_ko_lib import models
from gemma_ko_lib.from_scratch import gemma, gemma1, generation, int8
from gemma_ko_lib.models.keras_hub import keras_hub

NAME = "gemma3_270m"
CONTEXTS = (256, 2048)
NEW_TOKENS = 128
RUNS = 3


def _best(run) -> float:
    run()  # compiles
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _random_weights(decoder) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        name: 0.02 * generator.standard_normal(spec.shape, "float32")
        for name, spec in decoder.shapes().items()
    }


def _reading_rate(array_bytes: int = 2**30) -> float:
    """Bytes a second when rows of a large matrix are summed, the least work for each number."""
    matrix = jnp.ones((array_bytes // 4 // 1024, 1024), jnp.float32)
    total = jax.jit(lambda matrix: matrix.sum(axis=1))
    return array_bytes / _best(lambda: total(matrix).block_until_ready())


def _ours(model, context: int) -> tuple[float, float]:
    """Seconds to prefill, and for a token after it."""
    prompt = [list(range(3, 3 + context))]

    def run(count):
        return _best(lambda: generation.generate(model, prompt, count))

    first = run(1)
    return first, (run(1 + NEW_TOKENS) - first) / NEW_TOKENS


def _keras_hub(causal_lm, context: int) -> tuple[float, float]:
    """The same through `generate`; the cache has room for the new tokens in both runs."""

    def run(count):
        length = context + count
        inputs = {
            "token_ids": np.arange(3, 3 + length, dtype="int32")[None],
            "padding_mask": (np.arange(length) < context)[None],
            "images": np.zeros((1, 1), "float32"),  # wanted by text-only models, too
        }
        return _best(lambda: causal_lm.generate(inputs, stop_token_ids=None))

    first = run(1)
    return first, (run(1 + NEW_TOKENS) - first) / NEW_TOKENS


def measure() -> list[tuple[str, str]]:
    """Rows of what and how much."""
    kind, hub = models.CONFIGS[NAME]
    config = gemma.config_from_keras_hub(kind, hub)
    weights = _random_weights(models.Decoder(models.build_backbone(kind, hub, "float32")))
    by_name = models.unstack(weights)
    ours = nnx.eval_shape(lambda: gemma.Gemma(config, nnx.Rngs(0)))
    gemma1.load_weights(ours, by_name)
    backbone = getattr(keras_hub.models, kind)(**hub, dtype="float32")
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    theirs = keras_hub.models.Gemma3CausalLM(preprocessor=None, backbone=backbone)
    theirs.compile(sampler="greedy")

    small = nnx.jit(int8.Int8Gemma)(ours)
    rate = _reading_rate()
    size = sum(w.nbytes for w in by_name.values())
    rows = [
        ("memory read, GB/s", f"{rate / 1e9:.1f}"),
        ("limit that reading the float32 weights sets, tokens/s", f"{rate / size:.1f}"),
    ]
    position = 2 * config.num_kv_heads * config.head_dim * 4
    rounded = 2 * config.num_kv_heads * (config.head_dim + 4)
    for context in CONTEXTS:
        length = context + NEW_TOKENS
        kept = sum(config.slots(layer, length) for layer in range(config.num_layers))
        for name, run, model, cache in (
            ("from scratch", _ours, ours, kept * position),
            ("from scratch, int8", _ours, small, kept * rounded),
            ("KerasHub", _keras_hub, theirs, config.num_layers * length * position),
        ):
            prefill, token = run(model, context)
            label = f"{name}, {context:,} tokens of context"
            rows += [
                (f"{label}: decoding, tokens/s", f"{1 / token:.2f}"),
                (f"{label}: prefill, s", f"{prefill:.2f}"),
                (f"{label}: cache, MB", f"{cache / 1e6:.1f}"),
            ]
    return rows
