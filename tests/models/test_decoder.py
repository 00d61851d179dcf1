"""The scanned forward pass is KerasHub's, and documents of a packed row do not see each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from tests.conftest import TINY, make_model, random_weights


def _tokens(rows: int, length: int, seed: int = 0):
    return np.random.default_rng(seed).integers(3, 300, (rows, length)).astype("int32")


@pytest.mark.parametrize("shape", TINY)
def test_hidden_states_equal_the_keras_hub_backbone(shape):
    model = make_model(shape)
    tokens = _tokens(2, 11)
    segments = np.ones_like(tokens)
    segments[1, 7:] = 0  # padding
    ours = jax.jit(model.decoder.hidden)(model.params, tokens, segments)

    from gemma_ko_lib.models.keras_hub import keras_hub

    kind, config = TINY[shape]
    backbone = getattr(keras_hub.models, kind)(**config, dtype="float32")
    by_name = models.unstack(model.params)
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    inputs = {"token_ids": tokens, "padding_mask": (segments > 0).astype("int32")}
    theirs = jax.jit(lambda x: backbone(x))(inputs)
    real = segments > 0
    np.testing.assert_allclose(np.asarray(ours)[real], np.asarray(theirs)[real], atol=2e-5)


@pytest.mark.parametrize("shape", TINY)
def test_a_document_in_a_packed_row_equals_the_document_alone(shape):
    model = make_model(shape)
    first, second = _tokens(1, 7, 1), _tokens(1, 6, 2)
    row = np.concatenate([first, second, np.zeros((1, 3), "int32")], axis=1)
    segments = np.array([[1] * 7 + [2] * 6 + [0] * 3], "int32")
    logits = jax.jit(model.decoder.logits)
    packed = logits(model.params, row, segments)
    for document, place in ((first, slice(0, 7)), (second, slice(7, 13))):
        alone = logits(model.params, document, np.ones_like(document))
        np.testing.assert_allclose(packed[:, place], alone, atol=5e-5)


def test_changing_one_document_leaves_the_other_alone():
    model = make_model("gemma2")
    row, segments = _tokens(1, 12), np.array([[1] * 5 + [2] * 7], "int32")
    changed = row.copy()
    changed[0, :5] = _tokens(1, 5, 9)
    logits = jax.jit(model.decoder.logits)
    before = logits(model.params, row, segments)[0, 5:]
    after = logits(model.params, changed, segments)[0, 5:]
    np.testing.assert_array_equal(before, after)


def test_rematerialised_gradients_equal_the_stored_ones():
    model = make_model("gemma3")
    tokens = _tokens(2, 9)

    def loss(params, rematerialise):
        hidden = model.decoder.hidden(
            params, tokens, np.ones_like(tokens), rematerialise=rematerialise
        )
        return jnp.sum(hidden**2)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    plain, again = gradient(model.params, False), gradient(model.params, True)
    for name in plain:
        np.testing.assert_allclose(plain[name], again[name], rtol=2e-3, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("shape", TINY)
def test_weights_survive_the_way_to_keras_hub_names_and_back(shape):
    model = make_model(shape)
    by_name = models.unstack(model.params)
    assert all(not name.startswith(("group_", "tail_")) for name in by_name)
    back = models.stack(by_name, model.decoder)
    assert back.keys() == model.params.keys()
    for name in back:
        np.testing.assert_array_equal(back[name], model.params[name])


def test_gemma_2_27b_scales_its_queries_by_d_model_over_heads():
    # KerasHub 0.32 drops the setting between block and attention; the report says 1/√144.
    config = {**TINY["gemma2"][1], "query_head_dim_normalize": False, "hidden_dim": 48}
    normal = {**config, "query_head_dim_normalize": True}
    tokens, results = _tokens(1, 8), []
    for c in (config, normal):
        decoder = models.Decoder(models.build_backbone("GemmaBackbone", c, "float32"))
        weights = random_weights(decoder)
        results.append(jax.jit(decoder.hidden)(weights, tokens, np.ones_like(tokens)))
    assert np.abs(results[0] - results[1]).max() > 1e-3
