"""Gemma 1, 2 and 3 in Flax NNX: one decoder, configured, with a KV cache.

Local layers see a window and keep a ring buffer; global layers see and keep everything. Tokens
go in, next-token logits come out, equal to KerasHub's `GemmaBackbone` and `Gemma3Backbone`
(arXiv 2403.08295, 2408.00118, 2503.19786).

Written in notebooks/02_gemma2_attention.ipynb; edit it there and run
`python -m gemma_ko_lib.course.export`.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma1
from gemma_ko_lib.from_scratch.gemma1 import (
    FeedForward,
    RMSNorm,
    attention_scores,
    causal_mask,
    mix_values,
    rope,
)


@dataclasses.dataclass(frozen=True)
class Config(gemma1.Config):
    """The shape of a Gemma; the defaults are Gemma 1's.

    A layer is global when its number leaves `period - 1` on division by `period`, or
    when there is no window.
    """

    window: int | None = None
    period: int = 1
    post_norms: bool = False
    attention_soft_cap: float | None = None
    final_soft_cap: float | None = None
    query_size: int | None = None  # queries are divided by its root; head_dim if None
    qk_norm: bool = False
    global_rope_base: float = 10_000.0
    global_rope_scale: float = 1.0  # global positions are divided by it

    def is_local(self, layer):
        """Whether a layer sees its window only."""
        return self.window is not None and layer % self.period < self.period - 1

    def slots(self, layer, max_length):
        """Positions that a layer's cache keeps of a text of `max_length` tokens."""
        return min(self.window, max_length) if self.is_local(layer) else max_length


def config_from_keras_hub(kind, hub):
    """The configuration of a KerasHub backbone: its class name and its arguments."""
    gemma3 = kind == "Gemma3Backbone"
    normal_queries = hub.get("query_head_dim_normalize", True)
    return Config(
        vocab_size=hub["vocabulary_size"],
        num_layers=hub["num_layers"],
        d_model=hub["hidden_dim"],
        ffn_dim=hub["intermediate_dim"] // (1 if gemma3 else 2),
        num_heads=hub["num_query_heads"],
        num_kv_heads=hub["num_key_value_heads"],
        head_dim=hub["head_dim"],
        window=hub.get("sliding_window_size", 1024 if gemma3 else 4096)
        if hub.get("use_sliding_window_attention")
        else None,
        period=6 if gemma3 else 2,
        post_norms=hub.get("use_post_ffw_norm", False),
        attention_soft_cap=hub.get("attention_logit_soft_cap"),
        final_soft_cap=hub.get("final_logit_soft_cap"),
        query_size=None
        if normal_queries
        else hub["hidden_dim"] // hub["num_query_heads"],
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

    @classmethod
    def of_prompt(cls, k, v, lengths, slots):
        """Keep the last `slots` positions of each row of keys and values."""
        kept = jnp.maximum(slot_positions(lengths - 1, slots), 0)[:, :, None, None]
        kept = jnp.minimum(kept, k.shape[1] - 1)
        return cls(*cls.stored(*(jnp.take_along_axis(x, kept, axis=1) for x in (k, v))))

    def add(self, k, v, position):
        """Write one token of each row at its position [batch]."""
        rows, slot = jnp.arange(len(position)), position % self.keys.shape[1]
        new = zip(jax.tree.leaves(self), self.stored(k, v), strict=True)
        return type(self)(*(kept.at[rows, slot].set(x) for kept, x in new))


class Heads(gemma1.Attention):
    """The four matrices of attention, apart from what is done between them."""

    __call__ = None  # Gemma 1's would compute without windows, caps and norms

    def in_heads(self, x):
        """Queries, keys and values, each [batch, length, heads, head_dim]."""
        weights = self.query, self.key, self.value
        return [jnp.einsum("btd,ndh->btnh", x, weight[...]) for weight in weights]

    def from_heads(self, mixed):
        """The heads' outputs, joined to [batch, length, d_model]."""
        return jnp.einsum("btnh,nhd->btd", mixed, self.attention_output[...])


class Attention(Heads):
    """Attention of a local or a global layer, in two halves: `project` and `attend`."""

    def __init__(self, config, is_local, rngs):
        super().__init__(config, rngs)
        self.is_local, self.soft_cap = is_local, config.attention_soft_cap
        self.query_size = config.query_size or config.head_dim
        self.query_norm = RMSNorm(config.head_dim) if config.qk_norm else None
        self.key_norm = RMSNorm(config.head_dim) if config.qk_norm else None
        self.rope_base = config.rope_base if is_local else config.global_rope_base
        self.rope_scale = 1.0 if is_local else config.global_rope_scale

    def project(self, x, positions):
        """Rotated queries and keys, and values."""
        q, k, v = self.in_heads(x)
        if self.query_norm is not None:
            q, k = self.query_norm(q), self.key_norm(k)
        q, k = (rope(y, positions / self.rope_scale, self.rope_base) for y in (q, k))
        return q / math.sqrt(self.query_size), k, v

    def attend(self, q, k, v, mask):
        """What the queries read, back in d_model."""
        mixed = mix_values(soft_cap(attention_scores(q, k), self.soft_cap), v, mask)
        return self.from_heads(mixed)


def attend_row(attention, x, positions, mask):
    """Whole rows [batch, length, d_model]; also gives their keys and values."""
    q, k, v = attention.project(x, positions)
    return attention.attend(q, k, v, mask), (k, v)


def attend_cache(attention, x, position, cache):
    """One token of each row [batch, 1, d_model] at its position [batch]."""
    q, k, v = attention.project(x, position[:, None])
    cache = cache.add(k[:, 0], v[:, 0], position)
    filled = slot_positions(position, cache.keys.shape[1]) >= 0
    return attention.attend(q, *cache.read(), filled[:, None]), cache


def attend_blocks(attention, x, positions, segment_ids, window):
    """As `attend_row`, under a window: a block of queries meets two of keys."""
    batch, length = segment_ids.shape
    q, k, v = attention.project(x, positions)

    def cut(y):
        edges = [(0, 0), (0, -length % window)] + [(0, 0)] * (y.ndim - 2)
        return jnp.pad(y, edges).reshape(batch, -1, window, *y.shape[2:])

    def with_last(y, before=0):
        edges = [(0, 0), (1, 0)] + [(0, 0)] * (y.ndim - 1)
        last = jnp.pad(cut(y), edges, constant_values=before)[:, :-1]
        return jnp.concatenate([last, cut(y)], axis=2)

    back = window + jnp.arange(window)[:, None] - jnp.arange(2 * window)
    same_document = (
        cut(segment_ids)[..., None] == with_last(segment_ids, -1)[:, :, None]
    )
    mask = same_document & (back >= 0) & (back < window)
    blocks = (cut(q), with_last(k), with_last(v), mask)
    out = attention.attend(*(y.reshape(-1, *y.shape[2:]) for y in blocks))
    return out.reshape(batch, -1, out.shape[-1])[:, :length], (k, v)


class Block(nnx.Module):
    """Attention and feed-forward with norms before and, from Gemma 2 on, after them."""

    def __init__(self, config, is_local, rngs):
        d, post_norms = config.d_model, config.post_norms
        self.attention = Attention(config, is_local, rngs)
        self.ffw = FeedForward(config, rngs)
        self.pre_attention_norm, self.pre_ffw_norm = RMSNorm(d), RMSNorm(d)
        self.post_attention_norm = RMSNorm(d) if post_norms else None
        self.post_ffw_norm = RMSNorm(d) if post_norms else None

    def __call__(self, x, attend, *arguments):
        """Run with `attend_row` or `attend_cache`; gives what to keep, too."""
        normed = self.pre_attention_norm(x)
        attended, kept = attend(self.attention, normed, *arguments)
        if self.post_attention_norm is not None:
            attended = self.post_attention_norm(attended)
        x = x + attended
        fed = self.ffw(self.pre_ffw_norm(x))
        if self.post_ffw_norm is not None:
            fed = self.post_ffw_norm(fed)
        return x + fed, kept


def read_rows(model, tokens, segment_ids):
    """Hidden states of whole rows, and each layer's keys and values."""
    length, window = tokens.shape[1], model.config.window
    positions, mask = jnp.arange(length)[None], causal_mask(segment_ids)
    x, kept = model.embed(tokens), []
    for block in model.blocks:
        if block.attention.is_local and length > window:
            x, new = block(x, attend_blocks, positions, segment_ids, window)
        else:
            x, new = block(x, attend_row, positions, mask)
        kept.append(new)
    return x, kept


class Gemma(gemma1.Gemma):
    """Gemma 1, 2 or 3: token ids [batch, length] to float32 logits."""

    layer_cache = LayerCache

    def __init__(self, config, rngs):
        self.config = config
        d, layers = config.d_model, range(config.num_layers)
        self.embedding = gemma1.weight(rngs, (config.vocab_size, d), d)
        self.blocks = nnx.data(
            [Block(config, config.is_local(n), rngs) for n in layers]
        )
        self.final_norm = RMSNorm(d)

    def __call__(self, tokens, segment_ids=None):
        """Logits; a document of a packed row sees itself only, segment 0 is padding."""
        if segment_ids is None:
            segment_ids = jnp.ones_like(tokens)
        return self.logits(read_rows(self, tokens, segment_ids)[0])

    def logits(self, x):
        """Next-token logits of hidden states, float32."""
        x, table = self.final_norm(x), self.embedding[...]
        logits = jnp.einsum(
            "...d,vd->...v", x, table, preferred_element_type=jnp.float32
        )
        return soft_cap(logits, self.config.final_soft_cap)


def prefill(model, tokens, lengths, max_length):
    """Read prompts [batch, length], padded on the right.

    Returns:
        Logits after the last token of each [batch, vocab], and a cache for each layer,
        with room for `max_length` positions on the global ones.
    """
    is_text = jnp.arange(tokens.shape[1]) < lengths[:, None]
    x, kept = read_rows(model, tokens, is_text.astype(jnp.int32))
    last = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
    caches = [
        model.layer_cache.of_prompt(*new, lengths, model.config.slots(n, max_length))
        for n, new in enumerate(kept)
    ]
    return model.logits(last), caches


def step(model, tokens, position, caches):
    """Read one token of each row at its position [batch]: logits, new caches."""
    x, new = model.embed(tokens[:, None]), []
    for block, cache in zip(model.blocks, caches, strict=True):
        x, cache = block(x, attend_cache, position, cache)
        new.append(cache)
    return model.logits(x[:, 0]), new
