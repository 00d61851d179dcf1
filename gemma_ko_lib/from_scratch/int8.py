"""The from-scratch Gemma with weights and KV cache in eight bits, for decoding.

A number is kept as an integer of −127 to 127, with one float32 scale for each slice of an array: a
quarter of the bytes of float32 are read for a token, at the price of rounding.

Written in notebooks/02_gemma2_attention.ipynb; edit it there and run
`python -m gemma_ko_lib.course.export`.
"""




import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma as in_float


def to_int8(x, axis):
    """Whole numbers and their scale, which is the same along `axis`."""
    scale = jnp.maximum(jnp.max(jnp.abs(x), axis, keepdims=True), 1e-30) / 127
    return jnp.round(x / scale).astype(jnp.int8), scale


class Int8(nnx.Module):
    """A weight that is widened where it is read, as a whole or some of its rows."""

    def __init__(self, weight, axis):
        numbers, scale = to_int8(weight, axis)
        self.numbers, self.scale = nnx.Variable(numbers), nnx.Variable(scale)

    def __getitem__(self, rows):
        return self.numbers[rows].astype(jnp.float32) * self.scale[rows]


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


class Int8Gemma(in_float.Gemma):
    """A copy of a Gemma in eight bits; norms stay as they are."""

    layer_cache = Int8Cache

    def __init__(self, model):
        copy = nnx.merge(*nnx.split(model))  # another tree, the same arrays
        self.config, self.blocks = copy.config, copy.blocks
        self.final_norm = copy.final_norm
        self.embedding = Int8(copy.embedding[...], axis=-1)
        for block in self.blocks:
            for part in (block.attention, block.ffw):
                for name, weight in list(vars(part).items()):
                    if isinstance(weight, nnx.Param):
                        setattr(part, name, Int8(weight[...], axis=-2))

    def logits(self, x):
        """Next-token logits of hidden states, float32."""
        x, (vocab, d) = self.final_norm(x), self.embedding.numbers.shape
        rows = next(n for n in (2048, 1024, 512, vocab) if vocab % n == 0)
        parts = self.embedding.numbers.reshape(-1, rows, d)
        scores = jax.lax.map(lambda part: x @ part.astype(x.dtype).T, parts)
        logits = jnp.moveaxis(scores, 0, -2).reshape(*x.shape[:-1], vocab)
        logits *= self.embedding.scale[:, 0]
        return in_float.soft_cap(logits, self.config.final_soft_cap)
