"""Gemma 1, 2 and 3 in Flax NNX: one decoder, configured, with a KV cache.

Local layers see a window and keep a ring buffer; global layers see and keep everything. Tokens
go in, next-token logits come out, equal to KerasHub's `GemmaBackbone` and `Gemma3Backbone`
(arXiv 2403.08295, 2408.00118, 2503.19786).

Written in notebooks/02_gemma2_attention.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma1
from gemma_ko_lib.from_scratch.gemma1 import (
    RMSNorm,
    attention_scores,
    causal_mask,
    mix_values,
    rope,
)


@dataclasses.dataclass(frozen=True)
class Config(gemma1.Config):
    """The shape of a Gemma; the defaults are Gemma 1's."""

    window: int | None = None
    period: int = 1  # one layer in so many is global
    post_norms: bool = False
    attention_soft_cap: float | None = None
    final_soft_cap: float | None = None
    query_size: int | None = None  # queries are divided by its root; head_dim if None
    qk_norm: bool = False
    global_rope_base: float = 10_000.0
    global_rope_scale: float = 1.0  # global positions are divided by it

    def is_local(self, layer):
        """Whether a layer sees its window only; the last of each period sees all."""
        return self.window is not None and layer % self.period < self.period - 1


_HUB_NAMES = {
    "vocab_size": "vocabulary_size",
    "num_layers": "num_layers",
    "d_model": "hidden_dim",
    "num_heads": "num_query_heads",
    "num_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
}


def config_from_keras_hub(kind, hub):
    """The configuration of a KerasHub backbone: its class name and its arguments."""
    gemma3 = kind == "Gemma3Backbone"
    window = hub.get("sliding_window_size", 1024 if gemma3 else 4096)
    by_width = hub["hidden_dim"] // hub["num_query_heads"]
    return Config(
        **{ours: hub[theirs] for ours, theirs in _HUB_NAMES.items()},
        ffn_dim=hub["intermediate_dim"] // (1 if gemma3 else 2),
        window=window if hub.get("use_sliding_window_attention") else None,
        period=6 if gemma3 else 2,
        post_norms=hub.get("use_post_ffw_norm", False),
        attention_soft_cap=hub.get("attention_logit_soft_cap"),
        final_soft_cap=hub.get("final_logit_soft_cap"),
        query_size=None if hub.get("query_head_dim_normalize", True) else by_width,
        qk_norm=gemma3 and hub.get("use_query_key_norm", True),
        global_rope_base=1_000_000.0 if gemma3 else 10_000.0,
        global_rope_scale=hub.get("global_rope_scaling_factor", 1.0),
    )


def soft_cap(x, cap):
    """cap · tanh(x / cap); x itself when there is no cap."""
    return x if cap is None else cap * jnp.tanh(x / cap)


def slot_positions(newest, slots):
    """The position that each slot holds, [batch, slots]; negative where it is empty.

    newest is [batch]: the position of the last token written in each row.
    """
    newest = newest[:, None]
    return newest - (newest - jnp.arange(slots)) % slots


def cache_slots(config, layer, max_length):
    """Positions that a layer's cache keeps of a text of `max_length` tokens."""
    return min(config.window, max_length) if config.is_local(layer) else max_length


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class LayerCache:
    """Rotated keys and values of one layer, each [batch, slots, kv_heads, head_dim]."""

    keys: jax.Array
    values: jax.Array

    @staticmethod
    def stored(k, v):
        """Keys and values as the fields keep them."""
        return k, v

    def read(self):
        """Keys and values to attend to."""
        return self.keys, self.values


def add_token(cache, k, v, position):
    """Write keys and values of one token a row [batch, heads, size] at its position."""
    rows, slot = jnp.arange(len(position)), position % cache.keys.shape[1]
    fields = zip(jax.tree.leaves(cache), cache.stored(k, v), strict=True)
    return type(cache)(*(kept.at[rows, slot].set(new) for kept, new in fields))


def cache_of_prompt(kind, k, v, lengths, slots):
    """A cache of a kind with the last `slots` positions of each row of a prompt."""
    kept = jnp.clip(slot_positions(lengths - 1, slots), 0, k.shape[1] - 1)
    kept = kept[:, :, None, None]
    return kind(*kind.stored(*(jnp.take_along_axis(x, kept, axis=1) for x in (k, v))))


class Attention(gemma1.Heads):
    """The matrices and norms of a local or a global layer."""

    def __init__(self, config, is_local, rngs):
        super().__init__(config, rngs)
        self.config, self.is_local = config, is_local
        if config.qk_norm:
            self.query_norm = RMSNorm(config.head_dim)
            self.key_norm = RMSNorm(config.head_dim)


def project(attention, x, positions):
    """Rotated queries and keys, and values, each [batch, length, heads, head_dim]."""
    (q, k, v), config = attention.in_heads(x), attention.config
    if config.qk_norm:
        q, k = attention.query_norm(q), attention.key_norm(k)
    base = config.rope_base if attention.is_local else config.global_rope_base
    places = positions if attention.is_local else positions / config.global_rope_scale
    q, k = rope(q, places, base), rope(k, places, base)
    return q / math.sqrt(config.query_size or config.head_dim), k, v


def attend(attention, q, k, v, mask):
    """What the queries read, back in d_model."""
    scores = soft_cap(attention_scores(q, k), attention.config.attention_soft_cap)
    return attention.from_heads(mix_values(scores, v, mask))


def attend_row(attention, x, positions, mask):
    """Whole rows [batch, length, d_model]; also gives their keys and values."""
    q, k, v = project(attention, x, positions)
    return attend(attention, q, k, v, mask), (k, v)


def attend_cache(attention, x, position, cache):
    """One token of each row [batch, 1, d_model] at its position [batch]."""
    q, k, v = project(attention, x, position[:, None])
    cache = add_token(cache, k[:, 0], v[:, 0], position)
    filled = slot_positions(position, cache.keys.shape[1]) >= 0
    return attend(attention, q, *cache.read(), filled[:, None]), cache


def in_blocks(y, window):
    """[batch, length, …] to [batch, blocks, window, …], the last one padded with 0."""
    edges = [(0, 0), (0, -y.shape[1] % window)] + [(0, 0)] * (y.ndim - 2)
    return jnp.pad(y, edges).reshape(y.shape[0], -1, window, *y.shape[2:])


def with_block_before(y, window, first=0):
    """The same, each block behind the one before it, the first behind `first`."""
    blocks = in_blocks(y, window)
    edges = [(0, 0), (1, 0)] + [(0, 0)] * (blocks.ndim - 2)
    before = jnp.pad(blocks, edges, constant_values=first)[:, :-1]
    return jnp.concatenate([before, blocks], axis=2)


def attend_blocks(attention, x, positions, segment_ids, window):
    """As `attend_row`, under a window: a block of queries meets two of keys."""
    q, k, v = project(attention, x, positions)
    back = window + jnp.arange(window)[:, None] - jnp.arange(2 * window)
    own = in_blocks(segment_ids, window)[..., None]
    same_document = own == with_block_before(segment_ids, window, -1)[:, :, None]
    mask = same_document & (back >= 0) & (back < window)
    keys, values = (with_block_before(y, window) for y in (k, v))
    blocks = in_blocks(q, window), keys, values, mask
    out = attend(attention, *(y.reshape(-1, *y.shape[2:]) for y in blocks))
    return out.reshape(len(x), -1, out.shape[-1])[:, : x.shape[1]], (k, v)


class Block(nnx.Module):
    """Attention and feed-forward with norms before and, from Gemma 2 on, after them."""

    def __init__(self, config, is_local, rngs):
        self.attention = Attention(config, is_local, rngs)
        self.ffw = gemma1.FeedForward(config, rngs)
        self.pre_attention_norm = RMSNorm(config.d_model)
        self.pre_ffw_norm = RMSNorm(config.d_model)
        if config.post_norms:
            self.post_attention_norm = RMSNorm(config.d_model)
            self.post_ffw_norm = RMSNorm(config.d_model)

    def __call__(self, x, attended):
        """The residual stream after what attention has read, and after feed-forward."""
        post_norms = self.attention.config.post_norms
        x = x + (self.post_attention_norm(attended) if post_norms else attended)
        fed = self.ffw(self.pre_ffw_norm(x))
        return x + (self.post_ffw_norm(fed) if post_norms else fed)


def read_rows(model, tokens, segment_ids):
    """Hidden states of whole rows, and each layer's keys and values."""
    length, window = tokens.shape[1], model.config.window
    positions, mask = jnp.arange(length)[None], causal_mask(segment_ids)
    x, kept = model.embed(tokens), []
    for block in model.blocks:
        layer, normed = block.attention, block.pre_attention_norm(x)
        if layer.is_local and length > window:
            attended, new = attend_blocks(layer, normed, positions, segment_ids, window)
        else:
            attended, new = attend_row(layer, normed, positions, mask)
        x = block(x, attended)
        kept.append(new)
    return x, kept


class Gemma(gemma1.TiedTable):
    """Gemma 1, 2 or 3: token ids [batch, length] to float32 logits."""

    layer_cache = LayerCache

    def __init__(self, config, rngs):
        super().__init__(config, rngs)
        local = map(config.is_local, range(config.num_layers))
        self.blocks = nnx.data([Block(config, is_local, rngs) for is_local in local])

    def __call__(self, tokens, segment_ids=None):
        """Logits; a document of a packed row sees itself only, segment 0 is padding."""
        if segment_ids is None:
            segment_ids = jnp.ones_like(tokens)
        return self.logits(read_rows(self, tokens, segment_ids)[0])

    def logits(self, x):
        """Next-token logits of hidden states, float32."""
        return soft_cap(super().logits(x), self.config.final_soft_cap)


def prefill(model, tokens, lengths, max_length):
    """Read prompts [batch, length], padded on the right.

    Returns:
        Logits after the last token of each [batch, vocab], and a cache for each layer,
        with room for `max_length` positions on the global ones.
    """
    is_text = jnp.arange(tokens.shape[1]) < lengths[:, None]
    x, kept = read_rows(model, tokens, is_text.astype(jnp.int32))
    last = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
    slots = [cache_slots(model.config, n, max_length) for n in range(len(kept))]
    caches = [
        cache_of_prompt(model.layer_cache, *new, lengths, n)
        for new, n in zip(kept, slots, strict=True)
    ]
    return model.logits(last), caches


def step(model, tokens, position, caches):
    """Read one token of each row at its position [batch]: logits, new caches."""
    x, new = model.embed(tokens[:, None]), []
    for block, cache in zip(model.blocks, caches, strict=True):
        normed = block.pre_attention_norm(x)
        attended, cache = attend_cache(block.attention, normed, position, cache)
        x = block(x, attended)
        new.append(cache)
    return model.logits(x[:, 0]), new
