"""The scanned forward pass is KerasHub's, and documents of a packed row do not see each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.models import keras_hub_blocks
from gemma_ko_lib.models.decoder import project
from tests.conftest import TINY, make_model, random_weights


def _tokens(rows: int, length: int, seed: int = 0):
    return np.random.default_rng(seed).integers(3, 300, (rows, length)).astype("int32")


def _keras_hub_backbone(model):
    """KerasHub's own model with the same weights."""
    from gemma_ko_lib.models.keras_hub import keras_hub

    backbone = getattr(keras_hub.models, model.kind)(**model.config, dtype="float32")
    by_name = models.unstack(model.params)
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    return backbone


# The first three layers of a Gemma 3 are local. Rows of more than twice a window go by pieces.
@pytest.mark.optimised  # XLA's default effort, as users run it
@pytest.mark.parametrize("shape", [*TINY, "gemma3 of three layers"])
@pytest.mark.parametrize("length", (7, 11))
def test_hidden_states_equal_the_keras_hub_backbone(shape, length, monkeypatch):
    kind, config = TINY["gemma3"]
    monkeypatch.setitem(TINY, "gemma3 of three layers", (kind, {**config, "num_layers": 3}))
    model = make_model(shape)
    tokens = _tokens(2, length)
    segments = np.ones_like(tokens)
    segments[1, length - 3 :] = 0  # padding
    ours = jax.jit(model.decoder.hidden)(model.params, tokens, segments)

    backbone = _keras_hub_backbone(model)
    inputs = {"token_ids": tokens, "padding_mask": (segments > 0).astype("int32")}
    theirs = jax.jit(lambda x: backbone(x))(inputs)
    real = segments > 0
    np.testing.assert_allclose(np.asarray(ours)[real], np.asarray(theirs)[real], atol=2e-5)


def test_attention_keeps_its_soft_cap_on_a_tpu(monkeypatch):
    """Keras 3.15's fused attention, which KerasHub takes there, drops it under a traced mask."""
    from keras_hub.src.models.gemma import gemma_attention

    tokens = _tokens(1, 9)
    hidden = []
    for on_tpu, soft_cap in ((False, 0.01), (True, 0.01), (False, None)):
        monkeypatch.setattr(gemma_attention, "running_on_tpu", lambda on_tpu=on_tpu: on_tpu)
        decoder = models.Decoder(models.build_backbone(*TINY["gemma2"], "float32"))
        for block in decoder.backbone.transformer_layers:
            block.attention.logit_soft_cap = soft_cap
        run = jax.jit(decoder.hidden)
        hidden.append(np.asarray(run(random_weights(decoder), tokens, np.ones_like(tokens))))
    capped, on_tpu, without = hidden
    np.testing.assert_allclose(on_tpu, capped, atol=1e-5)
    assert np.abs(without - capped).max() > 1e-3


@pytest.mark.parametrize("shape", TINY)
def test_a_document_in_a_packed_row_equals_the_document_alone(shape):
    model = make_model(shape)
    first, second = _tokens(1, 6, 1), _tokens(1, 6, 2)  # alike in length: one compilation
    row = np.concatenate([first, second, np.zeros((1, 3), "int32")], axis=1)
    segments = np.array([[1] * 6 + [2] * 6 + [0] * 3], "int32")
    logits = jax.jit(model.decoder.logits)
    packed = logits(model.params, row, segments)
    for document, place in ((first, slice(0, 6)), (second, slice(6, 12))):
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


@pytest.mark.parametrize(
    ("shape", "length"),
    [("gemma2", 9), ("gemma3", 7), pytest.param("gemma3", 9, marks=pytest.mark.optimised)],
)
def test_loss_and_gradients_of_the_scan_equal_the_unrolled_models(shape, length):
    model = make_model(shape)
    tokens = _tokens(2, length)
    soft_cap = model.decoder.soft_cap

    def loss(hidden, embedding):
        log_p = jax.nn.log_softmax(models.project(hidden[:, :-1], embedding, soft_cap))
        return -jnp.mean(jnp.take_along_axis(log_p, tokens[:, 1:, None], -1))

    def scanned(params):
        hidden = model.decoder.hidden(params, tokens, np.ones_like(tokens), rematerialise=True)
        return loss(hidden, params["token_embedding/embeddings"])

    backbone = _keras_hub_backbone(model)
    inputs = {"token_ids": tokens, "padding_mask": np.ones_like(tokens)}
    paths = [v.path for v in backbone.trainable_variables]

    def unrolled(values):
        hidden, _ = backbone.stateless_call(values, [], inputs)
        return loss(hidden, values[paths.index("token_embedding/embeddings")])

    values = [v.value for v in backbone.trainable_variables]
    theirs, expected = jax.jit(jax.value_and_grad(unrolled))(values)
    ours, found = jax.jit(jax.value_and_grad(scanned))(model.params)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    found = models.unstack(found)
    for path, gradient in zip(paths, expected, strict=True):
        largest = np.abs(gradient).max()
        np.testing.assert_allclose(found[path], gradient, atol=1e-3 * largest, err_msg=path)


@pytest.mark.parametrize("shape", TINY)
def test_weights_survive_the_way_to_keras_hub_names_and_back(shape):
    model = make_model(shape)
    by_name = models.unstack(model.params)
    assert all(not name.startswith("blocks/") for name in by_name)
    back = models.stack(by_name, model.decoder)
    assert not by_name  # a model that is loaded is not in memory twice
    assert back.keys() == model.params.keys()
    for name in back:
        np.testing.assert_array_equal(back[name], model.params[name])


def test_gemma_2_27b_scales_its_queries_by_d_model_over_heads():
    # KerasHub 0.32 drops the setting between block and attention; the report says 1/√144.
    config = {**TINY["gemma2"][1], "query_head_dim_normalize": False, "hidden_dim": 48}
    normal = {**config, "query_head_dim_normalize": True}
    tokens, results = _tokens(1, 8), []
    for c in (config, normal):
        decoder = models.build_decoder("GemmaBackbone", c, "float32")
        weights = random_weights(decoder)
        results.append(jax.jit(decoder.hidden)(weights, tokens, np.ones_like(tokens)))
    assert np.abs(results[0] - results[1]).max() > 1e-3


def test_logits_of_bfloat16_are_sums_in_float32():
    # jaxlib 0.7 cannot compile this product for a CPU as it stands.
    random = np.random.default_rng(0)
    hidden, table = (jnp.asarray(random.normal(size=(n, 64)), "bfloat16") for n in (8, 320))
    logits = jax.jit(project, static_argnums=2)(hidden, table, None)
    assert logits.dtype == jnp.float32
    exact = np.asarray(hidden, "float32") @ np.asarray(table, "float32").T
    np.testing.assert_allclose(logits, exact, atol=1e-4)


def test_weights_of_all_layers_are_not_put_into_a_backbone_of_six():
    model = make_model("gemma3")
    with pytest.raises(ValueError, match="not all 8 layers"):
        model.decoder.write_weights(model.params)
    by_name = models.unstack(model.params)
    for variable in model.keras_backbone().variables:
        np.testing.assert_array_equal(variable, by_name[variable.path], err_msg=variable.path)


@pytest.mark.parametrize("name", models.CONFIGS)
def test_six_blocks_in_turn_are_the_layers_of_the_whole_backbone(name):
    kind, config = models.CONFIGS[name]
    whole = models.Decoder(models.build_backbone(kind, config, "float32"))
    built = models.build_decoder(kind, config, "float32")
    assert built == whole and built.shapes() == whole.shapes()
    assert len(built.backbone.transformer_layers) == min(6, config["num_layers"])
    kinds = [[keras_hub_blocks._kind(b) for b in x.blocks] for x in (built, whole)]
    assert kinds[0] == kinds[1]


def test_decoders_that_compute_the_same_are_equal_and_others_are_not():
    kind, config = TINY["gemma2"]
    same, again, longer, half = (
        models.Decoder(models.build_backbone(kind, {**config, **change}, dtype))
        for change, dtype in (
            ({}, "float32"),
            ({}, "float32"),
            ({"sliding_window_size": 8}, "float32"),
            ({}, "mixed_float16"),
        )
    )
    assert same == again and hash(same) == hash(again)
    assert len({same, longer, half}) == 3
