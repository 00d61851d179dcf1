"""A backward pass that lets go of each gradient as soon as it has been used.

The backward pass shows each gradient once to a `Visitor`, which may change the weight in place.
The forward pass keeps the input of each block, and one block's gradient exists at a time. The
tied embedding has the largest gradient of all: it is formed for one part of the vocabulary at a
time, from both of the embedding's uses.

Shapes: b rows, t tokens a row, d d_model, v words, n layers.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import Decoder, project
from gemma_ko_lib.models.decoder import of_blocks
from gemma_ko_lib.models.kernels import soft_capped
from gemma_ko_lib.models.sharding import BLOCKS, EMBEDDING
from gemma_ko_lib.training.loss import CHUNK_TOKENS, chunked_cross_entropy, shift_of


class Visitor(Protocol):
    """What is done with the gradients."""

    def visit(self, name: str, weight, gradient, moments: dict | None, place):
        """One gradient.

        Args:
            name: the weight's; of a stacked weight, one layer is seen at a time.
            weight: without the axis over layers.
            gradient: of the mean loss.
            moments: the weight's part of the optimiser's state, None if it has none.
            place: number of the layer, or 0.

        Returns:
            The new weight and moments.
        """

    def visit_embedding(self, embedding, moments: dict | None, gradient: "EmbeddingGradient"):
        """The gradient that is not there as a whole.

        Returns:
            The new embedding and moments, and the sum of the squared gradient.
        """


@dataclasses.dataclass(frozen=True)
class Kept:
    """What the backward pass needs of the forward pass.

    Attributes:
        batch: one micro-batch.
        inputs: of each block, [layers, batch, length, d_model].
        last: what the last block returns.
        hidden: `last`, normalised.
        hidden_gradient: of the summed loss, as all that is handed from block to block: that of the
            mean would sink below what float16 holds. A visitor gets gradients of the mean.
        log_z: log Σ exp(logits), [batch, length].
        loss, tokens: mean, and the weights it is taken over.
    """

    batch: dict
    inputs: jax.Array
    last: jax.Array
    hidden: jax.Array
    hidden_gradient: jax.Array
    log_z: jax.Array
    loss: jax.Array
    tokens: jax.Array


def forward(decoder: Decoder, params: dict, batch: dict) -> Kept:
    """The forward pass up to the gradient of the final hidden states.

    Args:
        decoder: the model.
        params: its weights.
        batch: arrays [batch, length] as `next_token_loss` takes them.
    """
    segments, targets = batch["segment_ids"], batch["targets"]

    def run(x, layer):  # x [b, t, d]
        return decoder.run_block(*layer, x, segments), x

    layers = jnp.arange(len(decoder.blocks)), of_blocks(params)
    # inputs [n, b, t, d]
    x, inputs = jax.lax.scan(run, decoder.embed(params, batch["token_ids"]), layers)
    hidden = decoder.normalize(params, x)

    def loss_sum(hidden, weights):
        return chunked_cross_entropy(
            hidden, params[EMBEDDING], targets, weights, soft_cap=decoder.soft_cap
        )

    total, pull = jax.vjp(loss_sum, hidden, batch["loss_weights"])
    # A sum of weighted losses grows with a position's weight by that position's loss.
    hidden_gradient, nll = pull(jnp.float32(1))  # [b, t, d], [b, t]
    at_target = jnp.einsum(
        "btd,btd->bt",
        hidden,
        params[EMBEDDING][targets].astype(hidden.dtype),
        preferred_element_type=jnp.float32,
    )
    at_target = soft_capped(at_target, decoder.soft_cap)
    # A row may be the last token of a document, which predicts nothing.
    tokens = jnp.maximum(batch["loss_weights"].sum(), 1)
    return Kept(
        batch=batch,
        inputs=inputs,
        last=x,
        hidden=hidden,
        hidden_gradient=hidden_gradient,
        log_z=nll + at_target,
        loss=total / tokens,
        tokens=tokens,
    )


def backward(decoder: Decoder, kept: Kept, params: dict, optimizer: dict, visitor: Visitor):
    """Show every gradient to the visitor, from the last block to the embedding.

    Returns:
        Weights, the optimiser's state, and the sum of all squared gradients.
    """
    params, optimizer = dict(params), dict(optimizer)
    per_token = 1 / kept.tokens

    def step_back(run, weights, moments, x, gradient, place):
        _, pull = jax.vjp(run, weights, x)
        gradients, gradient = pull(gradient)
        gradients = {n: g * per_token.astype(g.dtype) for n, g in gradients.items()}
        changed = {
            n: visitor.visit(n, weights[n], gradients[n], moments.get(n), place) for n in weights
        }
        weights = {n: weight for n, (weight, _) in changed.items()}
        moments = {n: moment for n, (_, moment) in changed.items() if n in moments}
        return weights, moments, gradient, sum(map(sum_of_squares, gradients.values()))

    def take(prefix, tree):
        return {n: x for n, x in tree.items() if n.startswith(prefix)}

    weights, moments, gradient, squares = step_back(
        decoder.normalize,
        take("final_", params),
        take("final_", optimizer),
        kept.last,
        kept.hidden_gradient,
        0,
    )
    params |= weights
    optimizer |= moments

    def read(stacked, index):
        return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, index, 0, False), stacked)

    # A layer's weights come with the loop's carry, read in the round before. Read in their own
    # round, they could be read after they are written, in the compiler's eyes, and for that it
    # copies the weights of all layers in every round.
    def layer_back(carry, layer):
        gradient, squares, stacked, own = carry
        index, x = layer

        def run(weights, x):
            return decoder.run_block(index, of_blocks(weights), x, kept.batch["segment_ids"])

        *own, gradient, more = step_back(run, *own, x, gradient, index)
        stacked = jax.tree.map(
            lambda x, new: jax.lax.dynamic_update_index_in_dim(x, new, index, 0),
            stacked,
            tuple(own),
        )
        before = read(stacked, jnp.maximum(index - 1, 0))
        return (gradient, squares + more, stacked, before), None

    stacked, count = (take(BLOCKS, params), take(BLOCKS, optimizer)), len(decoder.blocks)
    start = gradient, squares, stacked, read(stacked, count - 1)
    (gradient, squares, (weights, moments), _), _ = jax.lax.scan(
        layer_back, start, (jnp.arange(count), kept.inputs), reverse=True
    )
    params |= weights
    optimizer |= moments
    embedding, moments, more = visitor.visit_embedding(
        params[EMBEDDING],
        optimizer.get(EMBEDDING),
        EmbeddingGradient(decoder, kept, gradient),
    )
    params[EMBEDDING] = embedding
    if moments is not None:
        optimizer[EMBEDDING] = moments
    return params, optimizer, squares + more


class EmbeddingGradient:
    """The tied embedding's gradient, as output layer and as input layer, part by part.

    Args:
        decoder: the forward pass.
        kept: what it kept.
        input_gradient: of what the first block read, [batch, length, d_model].
    """

    def __init__(self, decoder: Decoder, kept: Kept, input_gradient):
        self._kept, self._soft_cap = kept, decoder.soft_cap
        scaled = input_gradient * decoder.embedding_scale / kept.tokens
        self._input_gradient = scaled.reshape(-1, scaled.shape[-1]).astype(jnp.float32)

    def of(self, part, start):
        """Gradient of words start, start + 1, …

        Args:
            part: their embeddings, [words, d_model].
            start: the first one's id.

        Returns:
            float32 [words, d_model].
        """
        kept, words = self._kept, len(part)
        logits = project(kept.hidden, part, self._soft_cap)  # [b, t, words]
        is_target = (kept.batch["targets"] - start)[..., None] == jnp.arange(words)
        weights = shift_of(kept.hidden.dtype) * kept.batch["loss_weights"]
        by_logits = (jnp.exp(logits - kept.log_z[..., None]) - is_target) * weights[..., None]
        if self._soft_cap is not None:
            by_logits *= 1 - jnp.square(logits / self._soft_cap)
        as_output = jnp.einsum(  # [words, d]
            "btv,btd->vd",
            by_logits.astype(kept.hidden.dtype),
            kept.hidden,
            preferred_element_type=jnp.float32,
        )
        # Words outside the part are dropped.
        tokens = kept.batch["token_ids"].reshape(-1) - start  # [b·t]
        as_output /= shift_of(kept.hidden.dtype) * kept.tokens
        return as_output + jax.ops.segment_sum(self._input_gradient, tokens, words)

    def over_parts(self, vocabulary: int, step: Callable, carry):
        """Go through the vocabulary; parts have as many logits as the loss's chunks have.

        Args:
            vocabulary: number of words.
            step: (first word, words, carry) -> carry.
            carry: what the first step gets.

        Returns:
            What the last step gave.
        """
        positions = self._kept.hidden.shape[0] * self._kept.hidden.shape[1]
        # With few positions it is the part's gradient that takes the memory.
        words = vocabulary * CHUNK_TOKENS // max(positions, 16 * CHUNK_TOKENS)
        # Multiples of 128 rows lie on the tiles of a TPU's memory.
        words = min(vocabulary, max(128, words // 128 * 128))
        whole, rest = divmod(vocabulary, words)
        carry = jax.lax.fori_loop(0, whole, lambda i, c: step(i * words, words, c), carry)
        return step(whole * words, rest, carry) if rest else carry


def sum_of_squares(gradient):
    """float32 Σ g²."""
    return jnp.sum(jnp.square(gradient.astype(jnp.float32)))
