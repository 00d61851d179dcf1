"""Cross-entropy that never holds batch × length × vocabulary logits.

One logits tensor for 256,000 words is 1 MB a token in float32, and its gradient as much
again: the first out-of-memory of Gemma training. Here a chunk of positions is projected,
scored and let go. The backward pass needs no second projection either: each chunk's
gradient is formed while its logits are there.
"""

import functools

import jax
import jax.numpy as jnp

from gemma_ko_lib.models.decoder import Decoder, project
from gemma_ko_lib.models.sharding import EMBEDDING, split_rows

# 512 positions × 256,000 words × 4 bytes = 524 MB. A chunk reads the whole embedding and adds to
# its whole gradient, so that fewer positions would be bound by memory, not by arithmetic.
CHUNK_TOKENS = 512


def next_token_loss(decoder: Decoder, rematerialise: bool = False):
    """The loss of pre-training, as `run_loop` wants it: sums over a packed batch.

    Args:
        decoder: the forward pass.
        rematerialise: recompute blocks in the backward pass to save memory.
    """

    def loss_sum(params: dict, batch: dict):
        hidden = decoder.hidden(
            params, batch["token_ids"], batch["segment_ids"], rematerialise=rematerialise
        )
        embedding = params[EMBEDDING]
        weights = batch["loss_weights"]
        loss = chunked_cross_entropy(
            hidden, embedding, batch["targets"], weights, soft_cap=decoder.soft_cap
        )
        return loss, weights.sum()

    return loss_sum


def chunked_cross_entropy(
    hidden, embedding, targets, weights, *, soft_cap=None, chunk_tokens: int = CHUNK_TOKENS
):
    """Weighted sum of next-token cross-entropies, in nats.

    Args:
        hidden: final hidden states [batch, length, d_model].
        embedding: tied embedding [vocabulary, d_model].
        targets: int [batch, length], the token each position should predict.
        weights: float [batch, length]; 0 leaves a position out.
        soft_cap: cap of the logits (Gemma 2: 30), or None.
        chunk_tokens: positions whose logits exist at the same time.

    Returns:
        float32 scalar: Σ weight · −log p(target). Divide by Σ weight for the mean.
    """
    return weighted_sum(
        cross_entropy, soft_cap, chunk_tokens, hidden, embedding, weights, (targets,)
    )


def cross_entropy(logits, target):
    """Cross-entropy of each position, and its gradient by the logits [positions, vocabulary]."""
    log_z = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    at_target = jnp.take_along_axis(logits, target[:, None], axis=-1)
    is_target = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1) == target[:, None]
    return (log_z - at_target)[:, 0], jnp.exp(logits - log_z) - is_target


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def weighted_sum(score, soft_cap, chunk_tokens: int, hidden, embedding, weights, others, shared=()):
    """A weighted sum of losses, whose gradients are formed while a chunk's logits are there.

    Args:
        score: (logits of a chunk [positions, vocabulary], *others of the chunk, *shared) -> (loss
            of each position, its gradient by the logits).
        soft_cap: cap of the logits, or None.
        chunk_tokens: positions whose logits exist at the same time.
        hidden: [batch, length, d_model].
        embedding: [vocabulary, d_model].
        weights: float [batch, length].
        others: what else `score` needs of each position, arrays [batch, length, …]; they get no
            gradient.
        shared: what it needs for all of them, likewise.
    """
    loss = _losses(score, soft_cap, chunk_tokens, hidden, embedding, others, shared)
    return jnp.sum(loss * weights)


def _losses(score, soft_cap, chunk_tokens: int, hidden, embedding, others, shared=()):
    """The loss of each position, [batch, length]; see `weighted_sum`."""
    compute_embedding = embedding.astype(hidden.dtype)

    def of_chunk(chunk):
        batch, positions = chunk[0].shape[:2]
        h, *rest = (x.reshape(batch * positions, *x.shape[2:]) for x in chunk)
        loss, _ = score(project(h, compute_embedding, soft_cap), *rest, *shared)
        return split_rows(loss.reshape(batch, positions))

    return _join(jax.lax.map(of_chunk, _chunks((hidden, *others), chunk_tokens)), hidden.shape[1])


def _sum_and_gradients(
    score, soft_cap, chunk_tokens, hidden, embedding, weights, others, shared=()
):
    chunks = _chunks((hidden, weights, *others), chunk_tokens)
    compute_embedding = embedding.astype(hidden.dtype)
    shift = shift_of(hidden.dtype)

    def of_chunk(chunk):
        batch, positions = chunk[1].shape
        # Plain matrices: with two axes of rows the compiler makes a transposed copy of the
        # gradient by the logits, the largest array there is.
        h, weight, *rest = (x.reshape(batch * positions, *x.shape[2:]) for x in chunk)
        logits = project(h, compute_embedding, soft_cap)
        loss, gradient = score(logits, *rest, *shared)
        gradient *= weight[:, None] * shift
        if soft_cap is not None:
            gradient *= 1 - jnp.square(logits / soft_cap)
        gradient = gradient.astype(h.dtype)
        hidden_gradient = jnp.matmul(
            gradient, compute_embedding, preferred_element_type=jnp.float32
        )
        hidden_gradient = (hidden_gradient / shift).astype(h.dtype)
        embedding_gradient = jnp.matmul(gradient.T, h, preferred_element_type=jnp.float32)
        rows = (
            split_rows(x.reshape(batch, positions, *x.shape[1:])) for x in (hidden_gradient, loss)
        )
        return (jnp.sum(loss * weight), embedding_gradient), tuple(rows)

    def add_chunk(totals, chunk):
        more, of_positions = of_chunk(chunk)
        return jax.tree.map(jnp.add, totals, more), of_positions

    # The sum starts from the first chunk, not from an embedding's size of zeros.
    totals, first = of_chunk([x[0] for x in chunks])
    totals, rest = jax.lax.scan(add_chunk, totals, [x[1:] for x in chunks])
    length = hidden.shape[1]
    hidden_gradient, loss = (
        _join(jnp.concatenate([one[None], more]), length)
        for one, more in zip(first, rest, strict=True)
    )
    total, embedding_gradient = totals
    embedding_gradient = (embedding_gradient / shift).astype(embedding.dtype)
    # The gradient by a weight is its position's loss.
    return total, (hidden_gradient, embedding_gradient, loss)


def _times_cotangent(score, soft_cap, chunk_tokens, gradients, cotangent):
    hidden, embedding, weights = (x * cotangent.astype(x.dtype) for x in gradients)
    return hidden, embedding, weights, None, None


weighted_sum.defvjp(_sum_and_gradients, _times_cotangent)


def shift_of(dtype) -> int:
    """What gradients by logits are multiplied by for a product in a number format.

    They are between -1 and 1, and mostly the probability of one word of many, which float16
    cannot tell from 0.
    """
    return 1024 if dtype == jnp.float16 else 1


def token_nll(hidden, embedding, targets, *, soft_cap=None):
    """−log p(target) at every position, in nats.

    Args:
        hidden: [batch, length, d_model].
        embedding: [vocabulary, d_model].
        targets: int [batch, length].
        soft_cap: cap of the logits, or None.

    Returns:
        float32 [batch, length].
    """
    return _losses(cross_entropy, soft_cap, CHUNK_TOKENS, hidden, embedding, (targets,))


def _chunks(arrays, chunk_tokens: int):
    """Cut [batch, length, …] arrays along length into [chunks, batch, positions, …].

    The batch axis stays whole, so that a sharded batch stays where it is.
    """
    batch, length = arrays[0].shape[:2]
    positions = max(1, min(length, chunk_tokens // batch))
    padding = -length % positions

    def cut(x):
        x = jnp.pad(x, [(0, 0), (0, padding)] + [(0, 0)] * (x.ndim - 2))
        x = x.reshape(batch, -1, positions, *x.shape[2:])
        return jnp.moveaxis(x, 1, 0)

    return jax.tree.map(cut, arrays)


def _join(chunks, length: int):
    """The inverse of `_chunks` for one array."""
    x = jnp.moveaxis(chunks, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])[:, :length]
