"""The chunked loss is the plain one, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib.models import project
from gemma_ko_lib.training import chunked_cross_entropy, token_nll

pytestmark = pytest.mark.optimised  # XLA's default effort, as users run it

BATCH, LENGTH, D_MODEL, VOCABULARY = 3, 13, 8, 50


@pytest.fixture
def inputs():
    keys = jax.random.split(jax.random.key(0), 4)
    hidden = jax.random.normal(keys[0], (BATCH, LENGTH, D_MODEL))
    embedding = jax.random.normal(keys[1], (VOCABULARY, D_MODEL))
    targets = jax.random.randint(keys[2], (BATCH, LENGTH), 0, VOCABULARY)
    weights = (jax.random.uniform(keys[3], (BATCH, LENGTH)) > 0.3).astype("float32")
    return hidden, embedding, targets, weights


def _plain(hidden, embedding, targets, weights, soft_cap):
    log_p = jax.nn.log_softmax(project(hidden, embedding, soft_cap))
    return -jnp.sum(jnp.take_along_axis(log_p, targets[..., None], -1)[..., 0] * weights)


@pytest.mark.parametrize("soft_cap", [None, 30.0, 2.0])
@pytest.mark.parametrize("chunk_tokens", [1, 7, 12, 4096])
def test_value_and_gradient_equal_the_plain_loss(inputs, soft_cap, chunk_tokens):
    hidden, embedding, targets, weights = inputs

    def chunked(h, e):
        return 0.7 * chunked_cross_entropy(
            h, e, targets, weights, soft_cap=soft_cap, chunk_tokens=chunk_tokens
        )

    def plain(h, e):
        return 0.7 * _plain(h, e, targets, weights, soft_cap)

    ours, our_gradients = jax.jit(jax.value_and_grad(chunked, (0, 1)))(hidden, embedding)
    theirs, gradients = jax.jit(jax.value_and_grad(plain, (0, 1)))(hidden, embedding)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(chunked)(hidden, embedding), theirs, rtol=1e-5)
    for our, their in zip(our_gradients, gradients, strict=True):
        scale = np.abs(their).max()
        np.testing.assert_allclose(our / scale, their / scale, atol=1e-5)


def test_positions_without_weight_have_no_gradient(inputs):
    hidden, embedding, targets, weights = inputs
    gradient = jax.grad(lambda h: chunked_cross_entropy(h, embedding, targets, weights))(hidden)
    unweighted = np.asarray(weights) == 0
    assert np.abs(np.asarray(gradient)[unweighted]).max() == 0
    assert np.abs(np.asarray(gradient)[~unweighted]).min(axis=-1).max() > 0


def test_gradient_of_the_weights_is_the_tokens_own_loss(inputs):
    hidden, embedding, targets, weights = inputs
    gradient = jax.grad(lambda w: chunked_cross_entropy(hidden, embedding, targets, w))(weights)
    np.testing.assert_allclose(gradient, token_nll(hidden, embedding, targets), rtol=1e-5)


def test_bfloat16_hidden_states_keep_a_float32_loss(inputs):
    hidden, embedding, targets, weights = inputs
    loss = chunked_cross_entropy(hidden.astype("bfloat16"), embedding, targets, weights)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, _plain(hidden, embedding, targets, weights, None), rtol=0.02)
