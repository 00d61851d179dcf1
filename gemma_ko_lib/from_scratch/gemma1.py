"""Gemma 1 in Flax NNX: tokens in, next-token logits out.

One decoder for multi-head, grouped-query and multi-query attention. It computes what KerasHub's
`GemmaBackbone` computes, and takes its weights by their names (arXiv 2403.08295).

Written in notebooks/01_gemma_architecture.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.runtime import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """The shape of a Gemma 1; `ffn_dim` is the width of one GeGLU branch."""

    vocab_size: int
    num_layers: int
    d_model: int
    ffn_dim: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    rope_base: float = 10_000.0


class RMSNorm(nnx.Module):
    """x / RMS(x) · (1 + scale), computed in float32 (arXiv 1910.07467)."""

    def __init__(self, dim):
        self.scale = nnx.Param(jnp.zeros(dim))

    def __call__(self, x):
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        normed = wide * jax.lax.rsqrt(mean_square + 1e-6)
        return (normed * (1 + self.scale[...])).astype(x.dtype)


def rope(x, positions, base=10_000.0):
    """Rotate heads [batch, length, heads, head_dim] to positions [batch, length].

    Pair (i, i + head_dim/2) turns by position · base^(-2i/head_dim) (arXiv 2104.09864).
    """
    half = x.shape[-1] // 2
    frequency = base ** (-jnp.arange(half) / half)
    angle = positions[..., None, None] * frequency
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    rotated = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return rotated.astype(x.dtype)


def attention_scores(q, k):
    """Dot products, float32 [batch, kv_heads, group, length, keys].

    q is [batch, length, heads, head_dim], k [batch, keys, kv_heads, head_dim]; query
    heads of a group share a key head.
    """
    batch, length, heads, head_dim = q.shape
    groups = q.reshape(batch, length, k.shape[2], heads // k.shape[2], head_dim)
    return jnp.einsum(
        "btkgh,bskh->bkgts", groups, k, preferred_element_type=jnp.float32
    )


def mix_values(scores, v, mask):
    """Values weighted by the softmax of the scores, [batch, length, heads, head_dim].

    mask is [batch, length, keys]; where it is False, a query does not see a key.
    """
    scores = jnp.where(mask[:, None, None], scores, -1e30)
    weights = jax.nn.softmax(scores, axis=-1).astype(v.dtype)
    mixed = jnp.einsum("bkgts,bskh->btkgh", weights, v)
    return mixed.reshape(*mixed.shape[:2], -1, mixed.shape[-1])


def causal_mask(segment_ids):
    """[batch, length, length]: True where a query (row) may see a key (column)."""
    same_document = segment_ids[:, :, None] == segment_ids[:, None, :]
    return same_document & jnp.tri(segment_ids.shape[1], dtype=bool)


def weight(rngs, shape, fan_in):
    """A random matrix of variance 1 / fan_in: products keep the size of inputs."""
    # Drawn flat: the numbers are the same, and on a CPU a draw in three dimensions
    # takes several times as long to compile.
    numbers = jax.random.normal(rngs.params(), (math.prod(shape),))
    return nnx.Param(numbers.reshape(shape) / math.sqrt(fan_in))


class Heads(nnx.Module):
    """The four matrices of attention: into query, key and value heads, and back."""

    def __init__(self, config, rngs):
        d, h = config.d_model, config.head_dim
        heads, kv_heads = config.num_heads, config.num_kv_heads
        self.query = weight(rngs, (heads, d, h), d)
        self.key, self.value = (weight(rngs, (kv_heads, d, h), d) for _ in range(2))
        self.attention_output = weight(rngs, (heads, h, d), heads * h)

    def in_heads(self, x):
        """Queries, keys and values, each [batch, length, heads, head_dim]."""
        matrices = self.query, self.key, self.value
        return [jnp.einsum("btd,ndh->btnh", x, matrix[...]) for matrix in matrices]

    def from_heads(self, mixed):
        """What the heads have read, back in [batch, length, d_model]."""
        return jnp.einsum("btnh,nhd->btd", mixed, self.attention_output[...])


class Attention(Heads):
    """Causal self-attention: MHA, GQA or MQA, by the number of key/value heads."""

    def __init__(self, config, rngs):
        super().__init__(config, rngs)
        self.rope_base = config.rope_base

    def __call__(self, x, positions, mask):
        q, k, v = self.in_heads(x)
        q = rope(q, positions, self.rope_base) / math.sqrt(q.shape[-1])
        k = rope(k, positions, self.rope_base)
        return self.from_heads(mix_values(attention_scores(q, k), v, mask))


class FeedForward(nnx.Module):
    """GeGLU: gelu(x · gating) · (x · gating_2), back to d_model (arXiv 2002.05202)."""

    def __init__(self, config, rngs):
        d, f = config.d_model, config.ffn_dim
        self.gating = weight(rngs, (d, f), d)
        self.gating_2 = weight(rngs, (d, f), d)
        self.linear = weight(rngs, (f, d), f)

    def __call__(self, x):
        gate = jax.nn.gelu(x @ self.gating[...], approximate=True)
        return (gate * (x @ self.gating_2[...])) @ self.linear[...]


class TiedTable(nnx.Module):
    """The embedding table: on the way in, and behind a norm on the way out."""

    def __init__(self, config, rngs):
        self.config, d = config, config.d_model
        self.embedding = weight(rngs, (config.vocab_size, d), d)
        self.final_norm = RMSNorm(d)

    def embed(self, tokens):
        """Rows of the table times √d_model."""
        return self.embedding[tokens] * math.sqrt(self.config.d_model)

    def logits(self, x):
        """A score for each piece, float32."""
        table = self.embedding[...]
        float32 = {"preferred_element_type": jnp.float32}
        return jnp.einsum("...d,vd->...v", self.final_norm(x), table, **float32)


class Block(nnx.Module):
    """Attention and feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, config, rngs):
        self.pre_attention_norm = RMSNorm(config.d_model)
        self.attention = Attention(config, rngs)
        self.pre_ffw_norm = RMSNorm(config.d_model)
        self.ffw = FeedForward(config, rngs)

    def __call__(self, x, positions, mask):
        x = x + self.attention(self.pre_attention_norm(x), positions, mask)
        return x + self.ffw(self.pre_ffw_norm(x))


class Gemma(TiedTable):
    """Gemma 1: token ids [batch, length] to float32 logits [batch, length, vocab]."""

    def __init__(self, config, rngs):
        super().__init__(config, rngs)
        self.blocks = nnx.data([Block(config, rngs) for _ in range(config.num_layers)])

    def __call__(self, tokens, segment_ids=None):
        """Logits; a document of a packed row sees itself only, segment 0 is padding."""
        if segment_ids is None:
            segment_ids = jnp.ones_like(tokens)
        positions, mask = jnp.arange(tokens.shape[1])[None], causal_mask(segment_ids)
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, positions, mask)
        return self.logits(x)


def keras_hub_name(path):
    """KerasHub's name of the weight at, say, ("blocks", 0, "ffw", "gating")."""
    if path[0] == "embedding":
        return "token_embedding/embeddings"
    if path[0] == "final_norm":
        return "final_normalization/scale"
    _, number, *inside = path
    name = "/".join(inside).replace("ffw/", "ffw_")
    return f"decoder_block_{number}/{name}{'' if name.endswith('scale') else '/kernel'}"


def refuse_misfits(own, weights):
    """Raise a UserError unless weights, by name, have the model's names and shapes."""
    if odd := sorted(own.keys() ^ weights.keys()):
        side = "missing in the weights" if odd[0] in own else "unknown to the model"
        raise UserError(f"{odd[0]} is {side} ({len(odd)} in all); take their config.")
    for name, leaf in own.items():
        if leaf.shape != weights[name].shape:
            shapes = f"{weights[name].shape}, the model's {leaf.shape}"
            advice = "take the config of the weights."
            raise UserError(f"{name} has shape {shapes}; {advice}")


def load_weights(model, weights, name_of=keras_hub_name):
    """Put weights into a model, which may be an abstract one from `nnx.eval_shape`.

    Args:
        model: any of the from-scratch models.
        weights: arrays by name.
        name_of: gives a weight's name for its path in the model.

    Raises:
        UserError: a weight is missing, left over, or of another shape.
    """
    flat = list(nnx.to_flat_state(nnx.state(model)))
    refuse_misfits({name_of(path): leaf for path, leaf in flat}, weights)
    arrays = {path: jnp.asarray(weights[name_of(path)]) for path, _ in flat}
    nnx.update(model, nnx.from_flat_state(arrays.items()))
