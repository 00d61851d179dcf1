"""The from-scratch Gemma with weights and KV cache in eight bits, for decoding.

A number is kept as an integer of −127 to 127, with one float32 scale for each slice of an array: a
quarter of the bytes of float32 are read for a token, at the price of rounding.

Written in notebooks/02_gemma2_attention.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""




import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma as in_float
from gemma_ko_lib.from_scratch import gemma1


def to_int8(x, axis):
    """Whole numbers and their scale, which is the same along `axis`."""
    scale = jnp.maximum(jnp.max(jnp.abs(x), axis, keepdims=True), 1e-30) / 127
    return jnp.round(x / scale).astype(jnp.int8), scale


class Int8(nnx.Module):
    """A matrix [out, in] in eight bits, widened where it is used."""

    def __init__(self, matrix):
        numbers, scale = to_int8(matrix, -1)
        self.numbers, self.scale = nnx.Variable(numbers), nnx.Variable(scale)

    def __getitem__(self, rows):
        return self.numbers[rows].astype(jnp.float32) * self.scale[rows]

    def __call__(self, x):
        """x [..., in] times the matrix, [..., out]."""
        # Bound to x: else the compiler widens the numbers once, ahead of the loop over
        # tokens, and the loop reads float32 again.
        numbers, x = jax.lax.optimization_barrier((self.numbers[...], x))
        return x @ numbers.astype(x.dtype).T * self.scale[:, 0]


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Int8Cache(in_float.LayerCache):
    """A layer's cache with a scale for each position and head."""

    key_scale: jax.Array
    value_scale: jax.Array

    @staticmethod
    def stored(k, v):
        """Whole numbers of keys and values, then their scales."""
        (k, key_scale), (v, value_scale) = to_int8(k, -1), to_int8(v, -1)
        return k, v, key_scale, value_scale

    def read(self):
        """Keys and values, widened."""
        return self.keys * self.key_scale, self.values * self.value_scale


def in_one_matrix(weight):
    """A projection [heads, d, h] as one matrix [heads · h, d]: a row an output."""
    return jnp.swapaxes(weight[...], 1, 2).reshape(-1, weight.shape[1])


class Int8Attention(in_float.Attention):
    """Attention with its four matrices in eight bits."""

    def __init__(self, attention):
        self.config, self.is_local = attention.config, attention.is_local
        if self.config.qk_norm:
            self.query_norm, self.key_norm = attention.query_norm, attention.key_norm
        heads = attention.query, attention.key, attention.value
        self.query, self.key, self.value = (Int8(in_one_matrix(w)) for w in heads)
        out = attention.attention_output[...]  # [heads, h, d]
        self.attention_output = Int8(out.reshape(-1, out.shape[-1]).T)

    def in_heads(self, x):
        """Queries, keys and values, each [batch, length, heads, head_dim]."""
        joined = (matrix(x) for matrix in (self.query, self.key, self.value))
        return [y.reshape(*x.shape[:2], -1, self.config.head_dim) for y in joined]

    def from_heads(self, mixed):
        """What the heads have read, back in [batch, length, d_model]."""
        return self.attention_output(mixed.reshape(*mixed.shape[:2], -1))


class Int8FeedForward(gemma1.FeedForward):
    """GeGLU with its three matrices in eight bits."""

    def __init__(self, ffw):
        weights = ffw.gating, ffw.gating_2, ffw.linear
        self.gating, self.gating_2, self.linear = (Int8(w[...].T) for w in weights)

    def __call__(self, x):
        gate = jax.nn.gelu(self.gating(x), approximate=True)
        return self.linear(gate * self.gating_2(x))


class Int8Gemma(in_float.Gemma):
    """A copy of a Gemma in eight bits; norms stay as they are."""

    layer_cache = Int8Cache

    def __init__(self, model):
        copy = nnx.merge(*nnx.split(model))  # another tree, the same arrays
        self.config, self.blocks = copy.config, nnx.data(copy.blocks)
        self.final_norm, self.embedding = copy.final_norm, Int8(copy.embedding[...])
        for block in self.blocks:
            block.attention = Int8Attention(block.attention)
            block.ffw = Int8FeedForward(block.ffw)

    def logits(self, x):
        """Next-token logits of hidden states, float32."""
        logits = self.embedding(self.final_norm(x))
        return in_float.soft_cap(logits, self.config.final_soft_cap)
