"""Decoding with a cache of keys and values: prompts are read once, then a token costs one step.

The blocks are KerasHub's (`keras_hub_blocks`). A local layer keeps its window in a ring, a global
one the whole row. Rows are padded on the left, so that all of them write the same slot and rotate
by the same place; only differences of places count in attention.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import keras_hub_blocks, kernels, quantization
from gemma_ko_lib.models.decoder import Decoder, Params, project
from gemma_ko_lib.models.sharding import BLOCKS, EMBEDDING

_to_int8 = jax.jit(quantization.to_int8, static_argnums=1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerCache:
    """Rotated keys and values of one layer.

    Attention's two products read them in this order of axes. Floats are kept as bits: XLA on CPUs
    would otherwise merge a write with what reads it, and copy the whole cache several times.

    Attributes:
        keys: [batch, kv_heads, slots, head_dim], bits of the compute dtype; or int8 and their
            scales [batch, kv_heads, slots, 1].
        values: [batch, kv_heads, head_dim, slots] likewise, scales [batch, kv_heads, 1, slots].
    """

    keys: tuple[jax.Array, ...]
    values: tuple[jax.Array, ...]

    @classmethod
    def of_prompts(cls, k, v, slots: int, int8: bool) -> "LayerCache":
        """Keep the last `slots` places of [batch, length, kv_heads, head_dim], each in its slot."""
        length = k.shape[1]

        def keep(x):
            if length < slots:
                return jnp.pad(x, [(0, 0), (0, slots - length), (0, 0), (0, 0)])
            return jnp.roll(x[:, length - slots :], length % slots, axis=1)

        return cls._stored(keep(k), keep(v), int8)

    @classmethod
    def _stored(cls, k, v, int8: bool) -> "LayerCache":
        k, v = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 3, 1)
        if int8:
            return cls(quantization.to_int8(k, 3), quantization.to_int8(v, 2))
        bits = f"uint{8 * k.dtype.itemsize}"
        return cls(*((jax.lax.bitcast_convert_type(x, bits),) for x in (k, v)))

    @property
    def slots(self) -> int:
        """How many places it holds."""
        return self.keys[0].shape[2]

    def add(self, k, v, place) -> "LayerCache":
        """Write the token at `place` of each row, [batch, 1, kv_heads, head_dim]."""

        def write(kept, new, axis):
            put = jax.lax.dynamic_update_slice_in_dim
            return tuple(put(*both, slot, axis) for both in zip(kept, new, strict=True))

        slot, new = place % self.slots, self._stored(k, v, len(self.keys) == 2)
        return LayerCache(write(self.keys, new.keys, 2), write(self.values, new.values, 3))

    def read(self, dtype):
        """Keys and values to attend to, [batch, slots, kv_heads, head_dim]."""
        k, v = (_widened(kept, dtype) for kept in (self.keys, self.values))
        return k.transpose(0, 2, 1, 3), v.transpose(0, 3, 1, 2)

    def visible(self, place, starts):
        """Slots that the token at `place` sees, bool [batch, slots]; rows begin at `starts`."""
        held = place - (place - jnp.arange(self.slots)) % self.slots  # the place in each slot
        return held >= starts[:, None]


class StepWeights(NamedTuple):
    """A model's weights as a step reads them, from `lay_out`.

    Attributes:
        outer: embedding and last normalisation; an int8 embedding is "token_embedding/
            embeddings_int8" [vocabulary, d_model] and "…_scale" [vocabulary, 1].
        layers: of each block by their names inside. A float kernel is a "matrix" [out, in].
    """

    outer: dict
    layers: list[dict]


def lay_out(decoder: Decoder, params: Params, int8: bool = False) -> StepWeights:
    """Take the stacks apart once, for every step would copy its part of them.

    A kernel becomes a matrix [out, in]: rows times its transpose is the one product that XLA
    computes on CPUs without writing down the matrix in another order or number format first. An
    embedding in the dtype of products is not copied.

    Args:
        decoder: the model.
        params: its weights; adapters and quantised kernels may be among them.
        int8: round kernels and embedding to int8, a quarter of float32 to read for a token.
    """
    if int8:
        params = quantization.quantize(params, 8)
    stacks = {n: w for n, w in params.items() if n.startswith(BLOCKS)}
    outer = {n: w for n, w in params.items() if n not in stacks}
    embedding = outer.pop(EMBEDDING)
    if int8:
        outer[f"{EMBEDDING}_int8"], outer[f"{EMBEDDING}_scale"] = _to_int8(embedding, -1)
    else:
        outer[EMBEDDING] = embedding.astype(decoder.product_dtype)
    return StepWeights(outer, _take_apart(decoder, stacks))


@functools.partial(jax.jit, static_argnums=0)
def _take_apart(decoder: Decoder, stacks: Params) -> list[dict]:
    layers = []
    for weights in decoder.layers(stacks):
        its = dict(weights)
        for name in weights:
            projection, _, part = name.rpartition("/")
            if part == "kernel":
                matrix = kernels.to_matrix(projection, its.pop(name)).mT
                its[f"{projection}/matrix"] = matrix.astype(decoder.product_dtype)
        layers.append(its)
    return layers


def read_prompts(
    decoder: Decoder, weights: StepWeights, token_ids, starts, capacity: int, int8: bool
):
    """Read prompts that end where the rows end.

    Args:
        decoder: the model.
        weights: from `lay_out`.
        token_ids: int32 [batch, length], padded on the left.
        starts: int32 [batch], where each prompt begins.
        capacity: places that a row has in the end.
        int8: keep the caches in int8.

    Returns:
        Logits after each prompt [batch, vocabulary], and a `LayerCache` for each layer.
    """
    segment_ids = (jnp.arange(token_ids.shape[1]) >= starts[:, None]).astype("int32")
    x, caches = _embed(decoder, weights.outer, token_ids), []
    for block, its in zip(decoder.blocks, weights.layers, strict=True):
        kept = []

        def keep(attend, q, k, v, mask, kept=kept):
            kept.extend((k, v))
            return attend(q, k, v, mask)

        x = keras_hub_blocks.run_block(block, its, x, segment_ids, attend=keep)
        slots = min(keras_hub_blocks.window(block) or capacity, capacity)
        caches.append(LayerCache.of_prompts(*kept, slots, int8))
    return _logits(decoder, weights.outer, x[:, -1]), caches


def step(decoder: Decoder, weights: StepWeights, tokens, place, starts, caches: list[LayerCache]):
    """Read one token of each row.

    Args:
        decoder: the model.
        weights: from `lay_out`.
        tokens: int32 [batch].
        place: int32 [], where they stand in their rows.
        starts: as for `read_prompts`.
        caches: of each layer, with everything before.

    Returns:
        Logits after the tokens [batch, vocabulary], and the new caches.
    """
    x, new = _embed(decoder, weights.outer, tokens[:, None]), []
    for block, its, cache in zip(decoder.blocks, weights.layers, caches, strict=True):

        def extend(k, v, cache=cache):
            new.append(cache.add(k, v, place))
            return new[-1].read(k.dtype)

        visible = cache.visible(place, starts)
        x = keras_hub_blocks.step_block(block, its, x, place, visible, extend)
    return _logits(decoder, weights.outer, x[:, 0]), new


def _widened(kept, dtype):
    if len(kept) == 1:
        return jax.lax.bitcast_convert_type(kept[0], dtype)
    integers, scale = kept
    return integers.astype(dtype) * scale.astype(dtype)


def _embed(decoder, outer, token_ids):
    if EMBEDDING in outer:
        return decoder.embed(outer, token_ids)
    rows = outer[f"{EMBEDDING}_int8"][token_ids] * outer[f"{EMBEDDING}_scale"][token_ids]
    return rows.astype(decoder.compute_dtype) * decoder.embedding_scale


def _logits(decoder, outer, x):
    x = decoder.normalize(outer, x)
    if EMBEDDING in outer:
        return project(x, outer[EMBEDDING], decoder.soft_cap)
    stored, scale = outer[f"{EMBEDDING}_int8"], outer[f"{EMBEDDING}_scale"]
    logits = quantization.product(x, stored, scale.T, decoder.product_dtype).astype("float32")
    return kernels.soft_capped(logits, decoder.soft_cap)
