"""The learner's Gemma is KerasHub's: same logits, alone and packed, for every shape."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from flax import nnx

from gemma_ko_lib import models
from gemma_ko_lib.from_scratch import gemma, gemma1
from gemma_ko_lib.models.keras_hub import keras_hub
from gemma_ko_lib.runtime import UserError
from tests.conftest import TINY, make_model

# Beside the suite's shapes: an odd window, GQA in Gemma 1, 27B's query scale, scaled positions.
SHAPES = {
    **TINY,
    "gemma1-gqa": (
        "GemmaBackbone",
        {**TINY["gemma1-mqa"][1], "num_key_value_heads": 2, "head_dim": 12, "num_layers": 3},
    ),
    "gemma2-27b": (
        "GemmaBackbone",
        {**TINY["gemma2"][1], "query_head_dim_normalize": False, "sliding_window_size": 7},
    ),
    "gemma3-4b": (
        "Gemma3Backbone",
        {**TINY["gemma3"][1], "num_key_value_heads": 2, "global_rope_scaling_factor": 8.0},
    ),
}
each_shape = pytest.mark.parametrize("shape", SHAPES)
forward = nnx.jit(lambda model, *inputs: model(*inputs))


def empty(config):
    return nnx.eval_shape(lambda: gemma.Gemma(config, nnx.Rngs(0)))


def loaded(shape, seed=0):
    """KerasHub's configuration, random weights by its names, and our model with them."""
    kind, hub = SHAPES[shape]
    decoder = models.build_decoder(kind, hub, "float32")
    generator = np.random.default_rng(seed)
    params = {
        name: generator.normal(0, 0.3, spec.shape).astype("float32")
        for name, spec in decoder.shapes().items()
    }
    ours = empty(gemma.config_from_keras_hub(kind, hub))
    gemma1.load_weights(ours, models.unstack(params))
    return decoder, params, ours


def tokens_of(rows, length, seed=0):
    return np.random.default_rng(seed).integers(3, 300, (rows, length)).astype("int32")


# One size of input for all tests of a shape, so that it is compiled once.
@pytest.mark.parametrize("shape", TINY)
def test_logits_equal_keras_hub_with_padding(shape, length=19):
    kind, hub = SHAPES[shape]
    backbone = getattr(keras_hub.models, kind)(**hub, dtype="float32")
    _, params, ours = loaded(shape, seed=length)
    weights = models.unstack(params)
    for variable in backbone.variables:
        variable.assign(weights[variable.path])
    tokens = tokens_of(2, length)
    real = np.ones_like(tokens)
    real[1, length - 2 :] = 0

    def published(tokens, real):
        hidden = backbone({"token_ids": tokens, "padding_mask": real})
        return backbone.token_embedding(hidden, reverse=True)

    theirs, found = jax.jit(published)(tokens, real), forward(ours, tokens, real)
    assert np.abs(theirs - found)[real > 0].max() < 1e-4


@each_shape
def test_logits_of_packed_documents_equal_keras_hub(shape):
    # `models.Decoder` runs KerasHub's own blocks; alone they know no packed rows.
    decoder, params, ours = loaded(shape)
    tokens = tokens_of(2, 19)
    segments = np.array([[1] * 6 + [2] * 10 + [0] * 3, [1] * 18 + [2]], "int32")
    theirs = jax.jit(decoder.logits)(params, tokens, segments)
    found = forward(ours, tokens, segments)
    assert np.abs(theirs - found)[segments > 0].max() < 1e-4


@each_shape
def test_a_packed_document_equals_the_document_alone(shape):
    _, _, ours = loaded(shape)
    tokens = tokens_of(2, 19, 1)
    tokens[1, :9] = tokens[0, 7:16]
    segments = np.array([[1] * 7 + [2] * 9 + [0] * 3, [1] * 9 + [0] * 10], "int32")
    packed, alone = forward(ours, tokens, segments)
    np.testing.assert_allclose(packed[7:16], alone[:9], atol=1e-4)


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma1-mha", "gemma1-gqa"])
def test_notebook_1_and_2_build_the_same_gemma_1(shape):
    _, params, ours = loaded(shape)
    numbers = {f.name: getattr(ours.config, f.name) for f in dataclasses.fields(gemma1.Config)}
    first = nnx.eval_shape(lambda: gemma1.Gemma(gemma1.Config(**numbers), nnx.Rngs(0)))
    gemma1.load_weights(first, models.unstack(params))
    tokens = tokens_of(1, 11)
    np.testing.assert_allclose(forward(first, tokens), forward(ours, tokens), atol=1e-5)


DEEP = ("7b", "9b", "12b", "27b")  # some seconds each


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if any(d in n for d in DEEP) else ())
        for n in models.CONFIGS
    ],
)
def test_parameters_are_counted_without_allocating(name):
    shapes = jax.tree.leaves(nnx.state(empty(gemma.config_from_keras_hub(*models.CONFIGS[name]))))
    assert all(isinstance(x, jax.ShapeDtypeStruct) for x in shapes)
    assert sum(math.prod(x.shape) for x in shapes) == models.parameter_count(name)


def test_nano_computes_what_the_course_trains():
    model = models.load("nano", dtype="float32")
    ours = empty(gemma.config_from_keras_hub(model.kind, model.config))
    gemma1.load_weights(ours, models.unstack(model.params))
    text = "The library on the corner opens at nine."
    tokens = np.array([[model.tokenizer.bos_id, *model.tokenizer.encode([text])[0]]], "int32")
    theirs = jax.jit(model.decoder.logits)(model.params, tokens, np.ones_like(tokens))
    np.testing.assert_allclose(forward(ours, tokens), theirs, atol=1e-4)


def test_weights_that_do_not_fit_are_refused_by_name():
    model = make_model("gemma2")
    weights = models.unstack(model.params)
    ours = empty(gemma.config_from_keras_hub(model.kind, model.config))
    name = "decoder_block_1/attention/query/kernel"
    with pytest.raises(UserError, match=f"{name} is missing"):
        gemma1.load_weights(ours, {n: w for n, w in weights.items() if n != name})
    with pytest.raises(UserError, match="left_over is unknown"):
        gemma1.load_weights(ours, {**weights, "left_over": np.zeros(1)})
    with pytest.raises(UserError, match=rf"{name} has shape \(8, 16, 4\)"):
        gemma1.load_weights(ours, {**weights, name: np.zeros((8, 16, 4))})


def test_gradients_of_random_models_are_finite_on_padding():
    # A row that attends to nothing must not turn into NaN on the way back.
    config = gemma.config_from_keras_hub(*TINY["gemma2"])
    model = gemma.Gemma(config, nnx.Rngs(0))
    tokens, segments = tokens_of(1, 8), np.array([[1] * 5 + [0] * 3], "int32")

    def loss(model):
        return (model(tokens, segments) * (segments > 0)[..., None]).sum()

    gradients = nnx.jit(nnx.grad(loss))(model)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))
