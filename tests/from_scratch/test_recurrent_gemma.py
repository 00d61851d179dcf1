"""RecurrentGemma from notebook 03a is google-deepmind's, and its state forgets what it must."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gemma_ko_lib.from_scratch import recurrent_gemma
from gemma_ko_lib.from_scratch.gemma1 import load_weights
from gemma_ko_lib.from_scratch.recurrent_gemma import (
    RecurrentGemma,
    RecurrentGemmaConfig,
    empty_state,
    published_name,
    scan_in_parallel,
    scan_step_by_step,
)
from tests.conftest import SameKey
from tests.from_scratch import make_golden
from tests.from_scratch.make_golden import BATCH, CASES, LENGTH, PROMPT

each_case = pytest.mark.parametrize("name", CASES)
run = nnx.jit(lambda model, *inputs: model(*inputs))


@functools.cache
def golden():
    with np.load(make_golden.GOLDEN) as arrays:
        return dict(arrays)


@functools.cache
def model_of(name) -> RecurrentGemma:
    config = RecurrentGemmaConfig(
        vocab_size=make_golden.VOCABULARY, ffn=make_golden.FFN, **CASES[name]
    )
    model = nnx.eval_shape(lambda: RecurrentGemma(config, nnx.Rngs(0)))
    shapes = {published_name(p): leaf.shape for p, leaf in nnx.to_flat_state(nnx.state(model))}
    seed = list(CASES).index(name)
    load_weights(model, make_golden.seeded_weights(shapes, seed), published_name)
    return model


def inputs_of(name, kind):
    tokens = make_golden.tokens(list(CASES).index(name))
    return tokens, make_golden.positions_of(kind)


def in_slices(model, tokens, positions, ends):
    state, pieces, start = empty_state(model.config, len(tokens)), [], 0
    for end in ends:
        logits, state = run(model, tokens[:, start:end], positions[:, start:end], state)
        pieces.append(np.asarray(logits))
        start = end
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize("kind", ["whole", "packed", "padded"])
@each_case
def test_logits_are_those_of_google_deepmind(name, kind):
    logits, _ = run(model_of(name), *inputs_of(name, kind))
    assert np.abs(logits - golden()[f"{name}/{kind}"]).max() < 1e-4


@each_case
def test_cached_decoding_is_that_of_google_deepmind(name):
    ends = [PROMPT, *range(PROMPT + 1, LENGTH + 1)]
    logits = in_slices(model_of(name), *inputs_of(name, "whole"), ends)
    assert np.abs(logits - golden()[f"{name}/cached"]).max() < 1e-4


@pytest.mark.parametrize("kind", ["whole", "packed", "padded"])
@pytest.mark.parametrize("slice_length", [1, 5, 20])
def test_slices_of_any_length_give_what_the_whole_gives(slice_length, kind):
    # The window is four tokens: rows are many windows long, and rows of a batch differ.
    tokens, positions = inputs_of("one_group", kind)
    model = model_of("one_group")
    whole, _ = run(model, tokens, positions)
    ends = [*range(slice_length, LENGTH, slice_length), LENGTH]
    assert np.allclose(in_slices(model, tokens, positions, ends), whole, atol=1e-4)


def test_a_document_in_a_packed_row_equals_the_document_alone():
    tokens, positions = inputs_of("two_groups", "packed")
    packed, _ = run(model_of("two_groups"), tokens, positions)
    start = LENGTH - 11
    alone, _ = run(model_of("two_groups"), tokens[2:, start:], positions[2:, start:])
    assert np.allclose(alone[0], packed[2, start:], atol=1e-4)


def test_a_short_prompt_does_not_remember_the_padding_beside_it():
    # The published cache keeps the last inputs of the convolution, padding or not.
    model, (tokens, positions) = model_of("one_group"), inputs_of("one_group", "padded")
    _, padded = run(model, tokens[2:, :32], positions[2:, :32], empty_state(model.config, 1))
    _, alone = run(model, tokens[2:, 31:32], positions[2:, 31:32], empty_state(model.config, 1))
    for mine, other in zip(jax.tree.leaves(padded), jax.tree.leaves(alone), strict=True):
        assert np.allclose(mine, other, atol=1e-5)


def test_a_document_may_start_while_generating():
    model, (tokens, _) = model_of("one_group"), inputs_of("one_group", "whole")
    positions = np.tile([*range(17), *range(16)], (BATCH, 1))
    whole, _ = run(model, tokens, positions)
    sliced = in_slices(model, tokens, positions, range(1, LENGTH + 1))
    assert np.allclose(sliced, whole, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 37, 256])
def test_the_parallel_scan_and_its_gradient_are_the_loops(length):
    random = np.random.default_rng(length)
    decay = jnp.asarray(random.uniform(0, 1, (2, length, 3)), "float32")
    inputs, state = random.normal(size=(2, length, 3)), random.normal(size=(2, 3))
    arguments = decay, jnp.asarray(inputs, "float32"), jnp.asarray(state, "float32")
    results = []
    for scan in (scan_in_parallel, scan_step_by_step):
        states, back = jax.vjp(jax.jit(scan), *arguments)
        results.append([states, *back(jnp.cos(states))])
    for mine, loops in zip(*results, strict=True):
        assert np.allclose(mine, loops, atol=1e-4)


def test_the_state_has_one_size_at_any_length():
    model, (tokens, positions) = model_of("one_group"), inputs_of("one_group", "whole")
    state, sizes = empty_state(model.config, BATCH), set()
    sizes.add(sum(leaf.nbytes for leaf in jax.tree.leaves(state)))
    for end in (1, 20):
        _, after = run(model, tokens[:, :end], positions[:, :end], state)
        sizes.add(sum(leaf.nbytes for leaf in jax.tree.leaves(after)))
    assert len(sizes) == 1


def test_the_gradient_is_finite_where_a_gate_is_shut():
    # √(1 − a²) has an infinite slope at a = 1, which a shut recurrence gate reaches.
    lru = recurrent_gemma.RGLRU(RecurrentGemmaConfig(num_heads=1, lru_width=4), nnx.Rngs(0))
    lru.a_gate.b[...] = jnp.full((1, 4), -200.0)

    def loss(lru, x):
        return jnp.sum(lru(x, jnp.zeros((1, 6), bool), jnp.ones((1, 4)))[0] ** 2)

    gradients = jax.tree.leaves(nnx.grad(loss)(lru, jnp.ones((1, 6, 4))))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_model_trains_on_whole_documents():
    model, (tokens, positions) = model_of("one_group"), inputs_of("one_group", "packed")

    @nnx.jit
    def gradients(model):
        return nnx.grad(lambda model: jnp.mean(model(tokens, positions)[0] ** 2))(model)

    for path, gradient in nnx.to_flat_state(gradients(model)):
        assert np.isfinite(gradient[...]).all() and np.any(gradient[...]), path


@pytest.mark.parametrize(
    ("config", "parameters", "in_blocks"),
    [
        (RecurrentGemmaConfig(), 2_682_862_080, 2_027_502_080),
        (RecurrentGemmaConfig(256_000, 4096, 38, 12_288, 16, 4096), 8_579_977_216, 7_531_401_216),
    ],
)
def test_parameters_are_those_published(config, parameters, in_blocks):
    state = nnx.state(nnx.eval_shape(lambda: RecurrentGemma(config, SameKey())))
    counted = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(state))
    assert counted == parameters
    assert counted - config.vocab_size * config.d_model == in_blocks
