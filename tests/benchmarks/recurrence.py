"""RecurrentGemma's recurrence against global attention, by length: training, decoding, memory.

One block of each kind from lesson 03a, equally wide; the attention's window is the whole row, with
one key/value head. Then a small RecurrentGemma that generates after contexts of growing length.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gemma_ko_lib.from_scratch.recurrent_gemma import (
    LocalAttention,
    RecurrentBlock,
    RecurrentGemma,
    RecurrentGemmaConfig,
    empty_state,
)

WIDTH, HEADS = 256, 4
TRAINING_LENGTHS = (512, 2048, 8192)
CONTEXTS = (1024, 16_384, 131_072)
STEPS = 50


def _blocks(length: int) -> dict[str, tuple[nnx.Module, dict, dict]]:
    """Name to block, empty state for training, state for decoding after `length` tokens."""
    config = RecurrentGemmaConfig(1, WIDTH, 3, 1, HEADS, WIDTH, window=length)
    training, decoding = empty_state(config, 1, keys=0), empty_state(config, 1)
    cached = decoding[2] | {"positions": jnp.arange(length)[None]}
    return {
        "RG-LRU block": (RecurrentBlock(config, nnx.Rngs(0)), training[0], decoding[0]),
        "global attention": (LocalAttention(config, nnx.Rngs(0)), training[2], cached),
    }


def _bytes(state) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def _training(block, state, length: int) -> tuple[float, float, float]:
    """Microseconds, millions of operations and kilobytes of temporaries, each a token."""
    x, positions = jnp.ones((1, length, WIDTH)), jnp.arange(length)[None]
    graph, params = nnx.split(block)

    def loss(params, x):
        return jnp.mean(nnx.merge(graph, params)(x, positions, state)[0] ** 2)

    step = jax.jit(jax.value_and_grad(loss)).lower(params, x).compile()
    jax.block_until_ready(step(params, x))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(step(params, x))
        times.append(time.perf_counter() - start)
    temporaries = step.memory_analysis().temp_size_in_bytes
    operations = step.cost_analysis()["flops"]
    return 1e6 * min(times) / length, operations / length / 1e6, temporaries / length / 1e3


def _seconds_a_step(step, params, state) -> float:
    for _ in range(5):
        _, state = step(params, state)
    jax.block_until_ready(state)
    start = time.perf_counter()
    for _ in range(STEPS):
        _, state = step(params, state)
    jax.block_until_ready(state)
    return (time.perf_counter() - start) / STEPS


def _decoding(block, state, length: int) -> float:
    """Microseconds for one token more."""
    x, positions = jnp.ones((1, 1, WIDTH)), jnp.full((1, 1), length)
    graph, params = nnx.split(block)
    step = jax.jit(lambda p, s: nnx.merge(graph, p)(x, positions, s), donate_argnums=1)
    return 1e6 * _seconds_a_step(step, params, jax.tree.map(jnp.array, state))


def _model_rows() -> list[tuple[str, str]]:
    config = RecurrentGemmaConfig(4096, WIDTH, 6, 3 * WIDTH, HEADS, WIDTH, window=512)
    model = RecurrentGemma(config, nnx.Rngs(0))
    graph, params = nnx.split(model)
    slice_of = jax.jit(lambda p, t, n, s: nnx.merge(graph, p)(t, n, s)[1])
    tokens, random = 512, np.random.default_rng(0)
    state, rows = empty_state(config, 1), []
    for start in range(0, CONTEXTS[1], tokens):
        text = random.integers(0, 4096, (1, tokens))
        state = slice_of(params, text, start + np.arange(tokens)[None], state)
        context = start + tokens
        if context in (512, 2048, CONTEXTS[1]):
            last, place = jnp.ones((1, 1), jnp.int32), jnp.full((1, 1), context)
            step = jax.jit(lambda p, s, t=last, n=place: nnx.merge(graph, p)(t, n, s))
            seconds = _seconds_a_step(step, params, state)
            what = f"RecurrentGemma, 6 blocks of {WIDTH}, after {context:,} tokens"
            rows.append((f"{what}: generation", f"{1 / seconds:,.0f} tok/s"))
            rows.append((f"{what}: state", f"{_bytes(state):,} B"))
    return rows


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    rows = []
    for length in TRAINING_LENGTHS:
        for name, (block, state, _) in _blocks(length).items():
            micros, operations, kilobytes = _training(block, state, length)
            what = f"training, {name}, rows of {length:,}"
            rows.append((f"{what}: time a token", f"{micros:.1f} µs"))
            rows.append((f"{what}: operations a token", f"{operations:.2f} M"))
            rows.append((f"{what}: temporaries a token", f"{kilobytes:.1f} kB"))
    for length in CONTEXTS:
        for name, (block, _, state) in _blocks(length).items():
            what = f"decoding, {name}, after {length:,} tokens"
            rows.append((f"{what}: state or cache", f"{_bytes(state):,} B"))
            rows.append((f"{what}: time a token", f"{_decoding(block, state, length):,.0f} µs"))
    return rows + _model_rows()
