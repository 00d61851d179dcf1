"""LoRA and OLoRA: the start changes nothing, merging is exact, and only adapters are trained."""

import jax
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models.adapters import Lora, add_adapters, merge
from gemma_ko_lib.runtime import UserError
from tests.conftest import TINY, make_model


def _batch(seed: int = 0):
    tokens = np.random.default_rng(seed).integers(3, 300, (2, 9)).astype("int32")
    return tokens, np.ones_like(tokens)


def _shaken(adapters: dict, seed: int = 0) -> dict:
    """Adapters as training leaves them: away from their start."""
    generator = np.random.default_rng(seed)
    return {
        name: np.asarray(w) + generator.normal(0, 0.1, w.shape).astype("float32")
        for name, w in adapters.items()
    }


@pytest.mark.parametrize("shape", TINY)
def test_adapters_beside_the_kernels_compute_what_the_merged_model_does(shape):
    model = make_model(shape)
    frozen, adapters = add_adapters(model.params, Lora(rank=3, alpha=6))
    adapters = _shaken(adapters)
    merged = merge(frozen, adapters)
    assert merged.keys() == model.params.keys()
    logits = jax.jit(model.decoder.logits)
    apart = logits({**frozen, **adapters}, *_batch())
    np.testing.assert_allclose(apart, logits(merged, *_batch()), atol=2e-4)
    assert np.abs(apart - logits(model.params, *_batch())).max() > 0.1


@pytest.mark.parametrize("olora", (False, True))
def test_at_step_0_the_function_is_the_bases(olora):
    model = make_model("gemma3")
    frozen, adapters = add_adapters(model.params, Lora(rank=3, alpha=6, olora=olora))
    logits = jax.jit(model.decoder.logits)
    before, after = (logits(p, *_batch()) for p in (model.params, {**frozen, **adapters}))
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


def test_olora_starts_from_the_first_columns_of_qr():
    model = make_model("gemma2")
    lora = Lora(rank=3, alpha=3, targets=("ffw_linear",), olora=True)
    _, adapters = add_adapters(model.params, lora)
    q, r = np.linalg.qr(np.asarray(model.params["blocks/ffw_linear/kernel"][1]).T)
    a, b = adapters["blocks/ffw_linear/lora_a"][1], adapters["blocks/ffw_linear/lora_b"][1]
    np.testing.assert_allclose(b @ b.T, np.eye(3), atol=1e-5)
    # Signs of Q's columns are the routine's own; they cancel in the product.
    np.testing.assert_allclose(a @ b, (q[:, :3] @ r[:3]).T, atol=1e-5)


def test_an_unknown_target_is_named_with_those_there_are():
    with pytest.raises(UserError, match="q_proj.*query, key, value, attention_output"):
        Lora(rank=4, alpha=8, targets=("q_proj",))


def test_every_adapter_has_a_sharding_rule():
    for shape in TINY:
        weights = add_adapters(make_model(shape).params, Lora(rank=2, alpha=2))
        both = {**weights[0], **weights[1]}
        assert models.shardings(both, models.make_mesh()).keys() == both.keys()
