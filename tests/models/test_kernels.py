"""Products in float16: their gradients too, and nothing between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models import keras_hub, kernels
from gemma_ko_lib.training import next_token_loss
from tests.conftest import TINY, make_model

_TOKENS = np.random.default_rng(0).integers(3, 300, (2, 12)).astype("int32")
_BATCH = {
    "token_ids": _TOKENS,
    "segment_ids": np.ones_like(_TOKENS),
    "targets": np.roll(_TOKENS, -1, 1),
    "loss_weights": np.ones(_TOKENS.shape, "float32"),
}


def _decoder(model, dtype: str) -> models.Decoder:
    return models.build_decoder(model.kind, model.config, dtype)


def _loss(decoder):
    return lambda params: next_token_loss(decoder)(params, _BATCH)[0]


def _products(jaxpr):
    """Every product that sums, loops and calls included; rotary angles are an outer one."""
    for equation in jaxpr.eqns:
        sums = equation.params.get("dimension_numbers", [()])[0] != ((), ())
        if equation.primitive.name == "dot_general" and sums:
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values())):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield from _products(getattr(inner, "jaxpr", inner))


@pytest.mark.parametrize("shape", TINY)
@pytest.mark.parametrize("dtype", ["mixed_float16", "float16"])
def test_every_product_of_a_gradient_is_float16_and_sums_in_float32(shape, dtype):
    model = make_model(shape)
    decoder = _decoder(model, dtype)
    jaxpr = jax.make_jaxpr(jax.grad(_loss(decoder)))(decoder.shapes())
    found = list(_products(jaxpr.jaxpr))
    assert len(found) > 30
    for equation in found:
        assert {str(x.aval.dtype) for x in equation.invars} == {"float16"}
        assert str(equation.outvars[0].aval.dtype) == "float32"


@pytest.mark.parametrize("subscripts", ["ri,io->ro", "btkgh,bskh->bkgts", "bkgts,bskh->btkgh"])
def test_gradients_of_a_float16_product_are_those_of_float32(subscripts):
    sizes = dict(zip("riobtkghs", (5, 8, 6, 2, 4, 2, 3, 8, 7), strict=True))
    generator = np.random.default_rng(0)
    a, b = (
        jnp.asarray(generator.normal(size=[sizes[i] for i in of]), "float32")
        for of in subscripts.split("->")[0].split(",")
    )
    by_dtype = [
        jax.vjp(lambda a, b, dtype=dtype: kernels.product(subscripts, a, b, dtype), a, b)
        for dtype in ("float32", "float16")
    ]
    (exact, pull_exact), (near, pull_near) = by_dtype
    assert near.dtype == jnp.float32
    np.testing.assert_allclose(near, exact, atol=2e-2)
    assert np.abs(np.asarray(near - exact)).max() > 0
    for one, other in zip(pull_near(exact), pull_exact(exact), strict=True):
        assert one.dtype == jnp.float32
        np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(other).max())


def test_the_residual_stream_passes_what_float16_holds(monkeypatch):
    """Under Keras' own policy of the name, the null model, it is infinite."""
    model = make_model("gemma2")
    scale = "blocks/post_ffw_norm/scale"
    params = {
        **model.params,
        scale: model.params[scale] + 40_000,
    }  # as large as the stream of real models

    def first_block(decoder):
        weights, x = decoder.layers(params)[0], decoder.embed(params, _TOKENS)
        return np.asarray(decoder.run_block(0, weights, x, _BATCH["segment_ids"]))

    def hidden(decoder):
        run = jax.jit(decoder.hidden)
        return np.asarray(run(params, _TOKENS, _BATCH["segment_ids"]), "float32")

    exact, ours = (_decoder(model, dtype) for dtype in ("float32", "mixed_float16"))
    assert 65_504 < np.abs(first_block(ours)).max() < 1e6
    np.testing.assert_allclose(hidden(ours), hidden(exact), atol=0.05)
    gradient = jax.jit(jax.grad(_loss(ours)))(params)
    assert all(np.isfinite(g).all() for g in gradient.values())

    monkeypatch.setattr(keras_hub, "dtype_policy", lambda name: name)
    null = models.Decoder(models.build_backbone(model.kind, model.config, "mixed_float16"))
    assert np.isinf(first_block(null)).any() and not np.isfinite(hidden(null)).all()


def test_a_prompt_is_read_and_continued_as_in_float32():
    """Also from an int8 base, whose sums before scaling float16 could not hold."""
    from gemma_ko_lib.models import kv_cache

    model = make_model("gemma2")
    starts = jnp.zeros(2, "int32")
    read = jax.jit(kv_cache.read_prompts, static_argnums=(0, 4, 5))
    step = jax.jit(kv_cache.step, static_argnums=0)
    for int8 in (False, True):
        found = {}
        for dtype in ("float32", "mixed_float16"):
            decoder = _decoder(model, dtype)
            weights = kv_cache.lay_out(decoder, model.params, int8)
            logits, caches = read(decoder, weights, _TOKENS, starts, 16, int8)
            next_logits, _ = step(decoder, weights, _TOKENS[:, 0], 12, starts, caches)
            found[dtype] = np.stack([logits, next_logits])
        spread = np.abs(found["float32"]).max()
        np.testing.assert_allclose(
            found["mixed_float16"], found["float32"], atol=(0.1 if int8 else 0.03) * spread
        )
