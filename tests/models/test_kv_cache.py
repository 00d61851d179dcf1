"""Steps with a cache compute what the full pass computes, also past the window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models import kv_cache
from gemma_ko_lib.models.quantization import quantize_for_decoding
from tests.conftest import TINY, make_model

STEPS = 7


def _logits(model, params, int8: bool):
    """Logits by steps, and those of the full pass at the same places."""
    decoder, starts = model.decoder, np.array([0, 5], "int32")
    tokens = np.random.default_rng(3).integers(3, 300, (2, 9 + STEPS)).astype("int32")
    read = jax.jit(kv_cache.read_prompts, static_argnums=(0, 4, 5))
    step = jax.jit(kv_cache.step, static_argnums=0)
    logits, caches = read(decoder, params, tokens[:, :9], starts, 9 + STEPS, int8)
    found = [logits]
    for place in range(9, 9 + STEPS):
        logits, caches = step(decoder, params, tokens[:, place], place, starts, caches)
        found.append(logits)
    segments = (np.arange(tokens.shape[1]) >= starts[:, None]).astype("int32")
    whole = jax.jit(decoder.logits)
    expected = whole(model.params if int8 else params, tokens, segments)[:, 8:]
    return np.stack(found, axis=1), np.asarray(expected), caches


@pytest.mark.parametrize("shape", TINY)
def test_steps_equal_the_full_pass(shape):
    model = make_model(shape)
    found, expected, caches = _logits(model, model.params, int8=False)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    slots = [cache.keys.shape[1] for cache in caches]
    window = model.config.get("sliding_window_size", 9 + STEPS)
    local = [bool(block.attention.use_sliding_window_attention) for block, _ in _layers(model)]
    assert slots == [window if here else 9 + STEPS for here in local]


def _layers(model):
    return model.decoder.layers(model.params)


def test_steps_see_adapters_and_a_quantised_base():
    model = make_model("gemma3")
    frozen, adapters = models.add_adapters(model.params, models.Lora(rank=2, alpha=4.0))
    params = models.quantize(frozen, 4) | {name: a + 0.1 for name, a in adapters.items()}
    found, expected, _ = _logits(model, params, int8=False)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_int8_reads_a_quarter_of_the_bytes_and_stays_close(shape):
    model = make_model(shape)
    small = quantize_for_decoding(model.params)
    kernels = sum(w.nbytes for name, w in small.items() if name.endswith("_int8"))
    plain = sum(w.nbytes for name, w in model.params.items() if name not in small)
    assert kernels * 4 == plain
    found, expected, caches = _logits(model, small, int8=True)
    assert all(cache.keys.dtype == cache.values.dtype == jnp.int8 for cache in caches)
    assert np.abs(found - expected).mean() < 0.05 * expected.std()
