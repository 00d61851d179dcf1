"""Decoding with a cache of keys and values: prompts are read once, then a token costs one step.

The blocks are KerasHub's (`keras_hub_blocks`). A local layer keeps its window in a ring, a global
one the whole row. Rows are padded on the left, so that all of them write the same slot and rotate
by the same place; only differences of places count in attention.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import keras_hub_blocks, quantization
from gemma_ko_lib.models.decoder import Decoder, Params, project


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerCache:
    """Rotated keys and values of one layer, [batch, slots, kv_heads, head_dim].

    Attributes:
        keys, values: in the compute dtype, or int8.
        scales: of int8 keys and values, [batch, slots, kv_heads, 1] each; None otherwise.
    """

    keys: jax.Array
    values: jax.Array
    scales: tuple[jax.Array, jax.Array] | None

    @classmethod
    def of_prompts(cls, k, v, slots: int, int8: bool) -> "LayerCache":
        """Keep the last `slots` places of [batch, length, kv_heads, head_dim], each in its slot."""
        length = k.shape[1]

        def keep(x):
            if length < slots:
                return jnp.pad(x, [(0, 0), (0, slots - length), (0, 0), (0, 0)])
            return jnp.roll(x[:, length - slots :], length % slots, axis=1)

        return cls(*_stored(keep(k), keep(v), int8))

    def add(self, k, v, place) -> "LayerCache":
        """Write the token at `place` of each row, [batch, 1, kv_heads, head_dim]."""
        slot = place % self.keys.shape[1]
        new = LayerCache(*_stored(k, v, self.scales is not None))
        return jax.tree.map(
            lambda kept, x: jax.lax.dynamic_update_slice_in_dim(kept, x, slot, 1), self, new
        )

    def read(self, dtype):
        """Keys and values to attend to."""
        if self.scales is None:
            return self.keys, self.values
        both = zip((self.keys, self.values), self.scales, strict=True)
        return tuple(x.astype(dtype) * scale.astype(dtype) for x, scale in both)

    def visible(self, place, starts):
        """Slots that the token at `place` sees, bool [batch, slots]; rows begin at `starts`."""
        slots = self.keys.shape[1]
        held = place - (place - jnp.arange(slots)) % slots  # the place that each slot holds
        return held >= starts[:, None]


def read_prompts(decoder: Decoder, params: Params, token_ids, starts, capacity: int, int8: bool):
    """Read prompts that end where the rows end.

    Args:
        decoder: the model.
        params: its weights, plain or from `quantization.quantize_for_decoding`.
        token_ids: int32 [batch, length], padded on the left.
        starts: int32 [batch], where each prompt begins.
        capacity: places that a row has in the end.
        int8: keep the caches in int8.

    Returns:
        Logits after each prompt [batch, vocabulary], and a `LayerCache` for each layer.
    """
    segment_ids = (jnp.arange(token_ids.shape[1]) >= starts[:, None]).astype("int32")
    x, caches = _embed(decoder, params, token_ids), []
    for block, weights in decoder.layers(params):
        kept = []

        def keep(attend, q, k, v, mask, kept=kept):
            kept.extend((k, v))
            return attend(q, k, v, mask)

        x = keras_hub_blocks.run_block(block, weights, x, segment_ids, attend=keep)
        slots = min(keras_hub_blocks.window(block) or capacity, capacity)
        caches.append(LayerCache.of_prompts(*kept, slots, int8))
    return _logits(decoder, params, x[:, -1]), caches


def step(decoder: Decoder, params: Params, tokens, place, starts, caches: list[LayerCache]):
    """Read one token of each row.

    Args:
        decoder: the model.
        params: as for `read_prompts`.
        tokens: int32 [batch].
        place: int32 [], where they stand in their rows.
        starts: as for `read_prompts`.
        caches: of each layer, with everything before.

    Returns:
        Logits after the tokens [batch, vocabulary], and the new caches.
    """
    x, new = _embed(decoder, params, tokens[:, None]), []
    for (block, weights), cache in zip(decoder.layers(params), caches, strict=True):

        def extend(k, v, cache=cache):
            new.append(cache.add(k, v, place))
            return new[-1].read(k.dtype)

        visible = cache.visible(place, starts)
        x = keras_hub_blocks.step_block(block, weights, x, place, visible, extend)
    return _logits(decoder, params, x[:, 0]), new


def _stored(k, v, int8: bool):
    if not int8:
        return k, v, None
    (k, k_scale), (v, v_scale) = (quantization.to_int8(x, -1) for x in (k, v))
    return k, v, (k_scale, v_scale)


def _embed(decoder, params, token_ids):
    if "token_embedding/embeddings" in params:
        return decoder.embed(params, token_ids)
    rows = params["token_embedding/embeddings_int8"][token_ids].astype("float32")
    rows = (rows * params["token_embedding/embeddings_scale"][token_ids]).astype(
        decoder.compute_dtype
    )
    return rows * decoder.embedding_scale


def _logits(decoder, params, x):
    x = decoder.normalize(params, x)
    if "token_embedding/embeddings" in params:
        return project(x, params["token_embedding/embeddings"], decoder.soft_cap)
    scale = params["token_embedding/embeddings_scale"]
    logits = project(x, params["token_embedding/embeddings_int8"], None) * scale[:, 0]
    cap = decoder.soft_cap
    return logits if cap is None else cap * jnp.tanh(logits / cap)
