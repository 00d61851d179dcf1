"""Steps with a cache compute what the full pass computes, also past the window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models import kv_cache
from tests.conftest import TINY, make_model

STEPS = 7


def _logits(model, params, int8: bool):
    """Logits by steps, and those of the full pass at the same places."""
    decoder, starts = model.decoder, np.array([0, 5], "int32")
    tokens = np.random.default_rng(3).integers(3, 300, (2, 9 + STEPS)).astype("int32")
    weights = kv_cache.lay_out(decoder, params, int8)
    read = jax.jit(kv_cache.read_prompts, static_argnums=(0, 4, 5))
    step = jax.jit(kv_cache.step, static_argnums=0)
    logits, caches = read(decoder, weights, tokens[:, :9], starts, 9 + STEPS, int8)
    found = [logits]
    for place in range(9, 9 + STEPS):
        logits, caches = step(decoder, weights, tokens[:, place], place, starts, caches)
        found.append(logits)
    segments = (np.arange(tokens.shape[1]) >= starts[:, None]).astype("int32")
    expected = jax.jit(decoder.logits)(params, tokens, segments)[:, 8:]
    return np.stack(found, axis=1), np.asarray(expected), caches


@pytest.mark.parametrize("shape", TINY)
def test_steps_equal_the_full_pass(shape):
    model = make_model(shape)
    found, expected, caches = _logits(model, model.params, int8=False)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    slots = [cache.slots for cache in caches]
    window = model.config.get("sliding_window_size", 9 + STEPS)
    local = [bool(block.attention.use_sliding_window_attention) for block in model.decoder.blocks]
    assert slots == [window if here else 9 + STEPS for here in local]


@pytest.mark.parametrize("bits", (8, 4))
def test_steps_see_adapters_and_a_quantised_base(bits):
    model = make_model("gemma2")
    frozen, adapters = models.add_adapters(model.params, models.Lora(rank=2, alpha=4.0))
    params = models.quantize(frozen, bits) | {name: a + 0.1 for name, a in adapters.items()}
    found, expected, _ = _logits(model, params, int8=False)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_int8_reads_a_quarter_of_the_bytes_and_stays_close(shape):
    model = make_model(shape)
    laid_out = kv_cache.lay_out(model.decoder, model.params, int8=True)
    integers = sum(w.nbytes for w in jax.tree.leaves(laid_out) if w.dtype == jnp.int8)
    matrices = [n for n in model.params if n.endswith(("/kernel", "/embeddings"))]
    assert integers * 4 == sum(model.params[n].nbytes for n in matrices)
    found, expected, caches = _logits(model, model.params, int8=True)
    assert all(cache.keys[0].dtype == cache.values[0].dtype == jnp.int8 for cache in caches)
    assert np.abs(found - expected).mean() < 0.05 * expected.std()
