"""An int8 or int4 base: half and a quarter of the bytes, never whole in float again."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models.adapters import Lora, add_adapters, merge
from gemma_ko_lib.models.quantization import dequantize, quantize
from gemma_ko_lib.runtime import UserError
from tests.conftest import TINY, make_model

TOKENS = np.random.default_rng(0).integers(3, 300, (2, 9)).astype("int32")
SEGMENTS = np.ones_like(TOKENS)


@pytest.mark.parametrize("shape", TINY)
def test_a_quantised_base_computes_what_its_dequantised_kernels_do(shape):
    model = make_model(shape)
    frozen, adapters = add_adapters(model.params, Lora(rank=2, alpha=2, olora=True))
    quantised = quantize(frozen, 4)
    plain = dequantize(quantised, model.decoder.shapes())
    logits = jax.jit(model.decoder.logits)
    inside = logits({**quantised, **adapters}, TOKENS, SEGMENTS)
    np.testing.assert_allclose(
        inside, logits(merge(plain, adapters), TOKENS, SEGMENTS), atol=1e-4 * np.abs(inside).max()
    )


@pytest.mark.parametrize(("bits", "steps"), ((8, 127), (4, 7)))
def test_no_weight_moves_by_more_than_half_a_step(bits, steps):
    model = make_model("gemma2")
    back = dequantize(quantize(model.params, bits), model.decoder.shapes())
    for name, weight in model.params.items():
        if name.endswith("kernel"):
            # One step of the largest weight; the scale itself is rounded to bfloat16.
            step = np.abs(weight).max() / steps
            assert 0 < np.abs(back[name] - weight).max() <= 0.52 * step + 2**-8 * steps * step
        else:
            np.testing.assert_array_equal(back[name], weight)


def test_bytes_of_the_kernels_beside_bfloat16():
    kind, config = models.CONFIGS["gemma2_2b_en"]
    shapes = models.build_decoder(kind, config, "bfloat16").shapes()

    def kernel_bytes(weights):
        return sum(w.size * w.dtype.itemsize for n, w in weights.items() if "kernel" in n)

    def after(bits):
        return kernel_bytes(jax.eval_shape(lambda params: quantize(params, bits), shapes))

    assert after(8) / kernel_bytes(shapes) == pytest.approx(8 / 16, rel=2e-3)
    assert after(4) / kernel_bytes(shapes) == pytest.approx(4.5 / 16, rel=1e-6)


@pytest.mark.parametrize("bits", (8, 4))
def test_a_step_never_holds_the_model_in_float(bits):
    config = {**TINY["gemma2"][1], "num_layers": 10}
    decoder = models.build_decoder("GemmaBackbone", config, "float32")
    frozen, adapters = jax.eval_shape(lambda p: add_adapters(p, Lora(2, 2)), decoder.shapes())

    def gradient(frozen, adapters):
        return jax.grad(lambda a: jnp.sum(decoder.hidden({**frozen, **a}, TOKENS, SEGMENTS) ** 2))(
            adapters
        )

    def stacked_kernels(base) -> int:
        text = jax.jit(gradient).lower(base, adapters).compile().as_text()
        return len(re.findall(r"f32\[10,(16,32|32,16|16,16|4,16,8|4,8,16)\]", text))

    assert stacked_kernels(frozen) > 0
    assert stacked_kernels(jax.eval_shape(lambda p: quantize(p, bits), frozen)) == 0


def test_the_order_of_olora_and_quantising_is_said():
    quantised = quantize(make_model("gemma2").params, 8)
    with pytest.raises(UserError, match="Add adapters first"):
        add_adapters(quantised, Lora(rank=2, alpha=2, olora=True))
    with pytest.raises(UserError, match="8 or 4 bits, not 3"):
        quantize({}, 3)


def test_every_quantised_kernel_has_a_sharding_rule():
    for bits in (8, 4):
        quantised = quantize(make_model("gemma3").params, bits)
        assert models.shardings(quantised, models.make_mesh()).keys() == quantised.keys()
