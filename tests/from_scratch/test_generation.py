"""Cached decoding is the full forward pass, at every step, past the window, for mixed lengths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_ko_lib.from_scratch import gemma, generation, int8
from tests.conftest import TINY
from tests.from_scratch.test_gemma import SHAPES, forward, loaded, tokens_of

# As few sizes of input as possible: what is compiled for one test serves the others.
PROMPTS = [[5, 6, 7], list(range(3, 19)), [9, 8]]
NEW = 10
prefill = nnx.jit(gemma.prefill, static_argnums=3)
step = nnx.jit(gemma.step)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_cached_step_equals_the_full_pass(shape):
    _, _, model = loaded(shape)
    rows, lengths = tokens_of(3, 26), np.array([1, 5, 12])
    whole = np.asarray(forward(model, rows))
    prompts = rows[:, :12] * (np.arange(12) < lengths[:, None])
    each = np.arange(3)
    logits, caches = prefill(model, prompts, lengths, 26)
    np.testing.assert_allclose(logits, whole[each, lengths - 1], atol=1e-4)
    for n in range(14):
        position = lengths + n
        logits, caches = step(model, rows[each, position], position, caches)
        np.testing.assert_allclose(logits, whole[each, position], atol=1e-4, err_msg=f"step {n}")


def test_local_layers_keep_their_window_and_no_more():
    _, _, model = loaded("gemma3")
    lengths = np.array([9])
    _, caches = nnx.eval_shape(lambda m: gemma.prefill(m, tokens_of(1, 9), lengths, 100), model)
    assert [cache.keys.shape[1] for cache in caches] == [4] * 5 + [100] + [4] * 2


@settings(deadline=None)  # the first calls compile
@given(newest=st.integers(0, 10_000), slots=st.sampled_from([1, 4, 7, 64]))
def test_a_ring_holds_the_last_positions_each_in_its_slot(newest, slots):
    held = np.asarray(gemma.slot_positions(np.array([newest]), slots))[0]
    assert sorted(held)[::-1] == list(range(newest, newest - slots, -1))
    filled = held[held >= 0]
    assert np.array_equal(filled % slots, np.arange(slots)[held >= 0])


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma2", "gemma3"])
def test_greedy_text_is_what_the_full_pass_finds_likeliest(shape):
    _, _, model = loaded(shape)
    found = generation.generate(model, PROMPTS, NEW)
    rows = np.zeros((3, 26), "int32")
    for row, prompt, new in zip(rows, PROMPTS, found, strict=True):
        row[: len(prompt) + NEW] = prompt + new
    for logits, prompt, new in zip(np.asarray(forward(model, rows)), PROMPTS, found, strict=True):
        logits = logits[len(prompt) - 1 :][:NEW]
        assert np.all(logits.max(axis=1) - logits[np.arange(NEW), new] < 1e-3)


def test_a_prompt_is_continued_alike_alone_and_in_a_batch():
    _, _, model = loaded("gemma2")
    together = generation.generate(model, PROMPTS, NEW)
    assert together == [generation.generate(model, [p], NEW)[0] for p in PROMPTS]


def test_a_stop_token_ends_its_row_only_and_is_not_returned():
    _, _, model = loaded("gemma2")
    free = generation.generate(model, PROMPTS, NEW)
    late = next(token for token in free[1] if token != free[1][0])
    stop = (free[0][0], late)
    expected = [list(itertools.takewhile(lambda token: token not in stop, row)) for row in free]
    assert len(expected[0]) == 0 < len(expected[1]) < NEW
    assert generation.generate(model, PROMPTS, NEW, stop_ids=stop) == expected


def test_the_same_seed_draws_the_same_text_and_another_does_not():
    _, _, model = loaded("gemma2")
    first, again, other = (
        generation.generate(model, [[5, 6]], 20, temperature=20.0, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_top_p_draws_from_the_nucleus_with_its_frequencies():
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    logits = jnp.broadcast_to(jnp.log(probabilities), (20_000, 4))
    drawn = generation.choose(logits, jax.random.key(0), 1.0, 0.7)
    shares = np.bincount(drawn, minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0.625, 0.375, 0, 0], atol=0.02)
    # A top_p below the likeliest token's own share leaves that token.
    assert set(np.asarray(generation.choose(logits, jax.random.key(0), 1.0, 0.1))) == {0}


def test_an_empty_prompt_is_named():
    model = nnx.eval_shape(
        lambda: gemma.Gemma(gemma.config_from_keras_hub(*TINY["gemma2"]), nnx.Rngs(0))
    )
    with pytest.raises(ValueError, match="Prompt 1 is empty"):
        generation.generate(model, [[1], []], 3)


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma2", "gemma3"])
def test_int8_steps_are_the_int8_full_pass_and_close_to_float32(shape):
    _, _, model = loaded(shape)
    small = nnx.jit(int8.Int8Gemma)(model)
    matrices = [w for w in jax.tree.leaves(nnx.state(small)) if w.dtype == jnp.int8]
    assert sum(w.size for w in matrices) > 0.9 * sum(
        w.size for w in jax.tree.leaves(nnx.state(model))
    )
    rows, lengths = tokens_of(3, 26), np.array([1, 5, 12])
    whole, exact = np.asarray(forward(small, rows)), np.asarray(forward(model, rows))
    assert np.abs(whole - exact).mean() < 0.1 * exact.std()
    logits, caches = prefill(small, rows[:, :12], lengths, 26)
    assert all(cache.keys.dtype == cache.values.dtype == jnp.int8 for cache in caches)
    each = np.arange(3)
    for n in range(8):
        position = lengths + n
        logits, caches = step(small, rows[each, position], position, caches)
        # What differs is the rounding of the cache, of which a full pass has none.
        difference = np.abs(np.asarray(logits) - whole[each, position]).mean()
        assert difference < 0.1 * exact.std()
