"""PaliGemma from notebook 03b is KerasHub's, whatever is padded and wherever the answer starts."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx

from gemma_ko_lib.from_scratch import gemma1
from gemma_ko_lib.from_scratch.paligemma import (
    PaliGemma,
    VisionConfig,
    cut_into_patches,
    keras_hub_name,
    prefix_lm_mask,
)
from gemma_ko_lib.models.keras_hub import keras_hub
from gemma_ko_lib.runtime import UserError
from tests.conftest import SameKey

run = nnx.jit(lambda model, *inputs: model(*inputs))
SHAPES = {
    "mqa": (VisionConfig(12, 4, 3, 12, 2, 2, 20), gemma1.Config(60, 2, 16, 24, 4, 1, 8)),
    "mha": (VisionConfig(10, 2, 3, 8, 1, 4, 12), gemma1.Config(45, 3, 24, 20, 2, 2, 16)),
}


def keras_hub_backbone(vision, language):
    return keras_hub.models.PaliGemmaBackbone(
        vocabulary_size=language.vocab_size,
        image_size=vision.image_size,
        num_layers=language.num_layers,
        num_query_heads=language.num_heads,
        num_key_value_heads=language.num_kv_heads,
        hidden_dim=language.d_model,
        intermediate_dim=2 * language.ffn_dim,
        head_dim=language.head_dim,
        vit_patch_size=vision.patch_size,
        vit_num_heads=vision.num_heads,
        vit_hidden_dim=vision.d_model,
        vit_num_layers=vision.num_layers,
        vit_intermediate_dim=vision.ffn_dim,
    )


@functools.cache
def both(shape):
    """Random weights by KerasHub's names, and our model with them."""
    vision, language = SHAPES[shape]

    # Traced, not run: Keras would draw every weight, only to see it replaced.
    def published_shapes():
        return {v.path: v.value for v in keras_hub_backbone(vision, language).variables}

    random = np.random.default_rng(0)
    weights = {
        name: 0.3 * random.normal(size=leaf.shape).astype("float32")
        for name, leaf in jax.eval_shape(published_shapes).items()
    }
    ours = nnx.eval_shape(lambda: PaliGemma(vision, language, SameKey()))
    gemma1.load_weights(ours, weights, keras_hub_name)
    return weights, ours


@functools.partial(jax.jit, static_argnums=0)
def keras_hub_logits(shape, weights, batch):
    backbone = keras_hub_backbone(*SHAPES[shape])
    for variable in backbone.variables:
        variable.assign(weights[variable.path])
    hidden = backbone(batch)[:, -batch["token_ids"].shape[1] :]
    return backbone.token_embedding(hidden, reverse=True)


def inputs_of(shape, prompts, lengths, width=9):
    """Images, tokens, answer and real, for rows with prompts and texts of these lengths."""
    vision, language = SHAPES[shape]
    random = np.random.default_rng(1)
    size = (len(prompts), vision.image_size, vision.image_size, vision.channels)
    tokens = random.integers(1, language.vocab_size, (len(prompts), width)).astype("int32")
    places = np.arange(width)[None]
    real = places < np.array(lengths)[:, None]
    answer = (places >= np.array(prompts)[:, None]) & real
    return random.uniform(-1, 1, size).astype("float32"), tokens, answer, real


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("prompts", "lengths"),
    [((4, 4), (9, 9)), ((1, 6), (9, 8)), ((9, 3), (9, 5))],
    ids=["equal", "padded", "prompt only"],
)
def test_logits_are_those_of_keras_hub(shape, prompts, lengths):
    weights, ours = both(shape)
    images, tokens, answer, real = inputs_of(shape, prompts, lengths)
    batch = {"images": images, "token_ids": tokens}
    batch |= {"padding_mask": real.astype("int32"), "response_mask": answer.astype("int32")}
    expected = keras_hub_logits(shape, weights, batch)
    logits = run(ours, images, tokens, answer, real)
    assert np.abs(logits - expected)[real].max() < 1e-4


def test_the_answer_sees_the_image_and_never_its_own_future():
    _, ours = both("mqa")
    images, tokens, answer, real = inputs_of("mqa", (4, 4), (9, 9))
    before = run(ours, images, tokens, answer, real)
    changed = tokens.copy()
    changed[:, 7] = (changed[:, 7] + 1) % 60
    after = run(ours, images, changed, answer, real)
    assert np.allclose(before[:, :7], after[:, :7], atol=1e-5)
    assert not np.allclose(before[:, 7:], after[:, 7:], atol=1e-2)
    other_picture = run(ours, -images, tokens, answer, real)
    assert not np.allclose(before, other_picture, atol=1e-2)


def test_a_prompt_reads_its_own_end():
    # Under a causal mask the first prompt token could not depend on the last one.
    _, ours = both("mqa")
    images, tokens, answer, real = inputs_of("mqa", (4, 4), (9, 9))
    changed = tokens.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 60
    first = [run(ours, images, t, answer, real)[:, 0] for t in (tokens, changed)]
    assert not np.allclose(*first, atol=1e-2)


def test_the_mask_is_full_over_the_prefix_and_causal_over_the_answer():
    answer = np.array([[0, 0, 1, 1, 0]], bool)
    real = np.array([[1, 1, 1, 1, 0]], bool)
    expected = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]
    assert np.array_equal(np.asarray(prefix_lm_mask(answer, real))[0, :4], np.array(expected, bool))


def test_patches_go_row_by_row_and_lose_nothing():
    image = np.arange(2 * 6 * 6 * 3).reshape(2, 6, 6, 3)
    patches = cut_into_patches(image, 2).reshape(2, 3, 3, 2, 2, 3)
    assert np.array_equal(patches[1, 2, 0], image[1, 4:6, 0:2])
    assert np.array_equal(np.sort(patches, axis=None), np.sort(image, axis=None))


def test_parameters_are_those_published():
    language = gemma1.Config(257_152, 18, 2048, 16_384, 8, 1, 256)
    model = nnx.eval_shape(lambda: PaliGemma(VisionConfig(), language, SameKey()))
    counted = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model)))
    assert counted == 2_923_335_408
    assert [VisionConfig(image_size=n).num_patches for n in (224, 448, 896)] == [256, 1024, 4096]


def test_a_projector_that_is_missing_is_named():
    _, ours = both("mqa")
    weights = {keras_hub_name(p): leaf[...] for p, leaf in nnx.to_flat_state(nnx.state(ours))}
    del weights["image_classifier/kernel"]
    with pytest.raises(UserError, match="image_classifier/kernel is missing"):
        gemma1.load_weights(ours, weights, keras_hub_name)
