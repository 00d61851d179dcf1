"""KerasHub's decoder blocks as pure functions: all that is changed in KerasHub, and why.

A block's own code runs, on a *view* of the block: an object with the attributes of the original,
some of them replaced for one call. What KerasHub's `call` has no argument for (segments, trees,
adapters, quantised kernels) reaches the block in this way, and neither the block nor its
backbone is ever touched: traces that nest, or run in several threads, share nothing.
"""

import functools
import importlib.metadata
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import kernels
from gemma_ko_lib.models.adapters import run_projection
from gemma_ko_lib.runtime import UserError

# What the views below were written and tested against; pyproject.toml has the same bounds.
TESTED = ("keras>=3.15,<3.16", "keras-hub>=0.32,<0.33")


class TokenTree(NamedTuple):
    """Rows that hold texts with common beginnings as a tree, depth first: each token once.

    Attributes:
        positions: int32 [batch, length], the place of a token in its text.
        visible_until: int32 [batch, length], where the part of the row ends that goes on
            from a token; nothing at or after that place sees it.
    """

    positions: jax.Array
    visible_until: jax.Array


class LayerKind(NamedTuple):
    """In what a layer differs from others of its model, as data: one program runs them all.

    Attributes:
        local: bool [], whether it sees no more than its window.
        inverse_frequencies: float32 [head_dim / 2], of its rotation.
    """

    local: jax.Array
    inverse_frequencies: jax.Array


def run_layer(blocks, layer, weights: dict, x, segment_ids, tree: TokenTree | None = None):
    """Run one of a model's blocks, whose number may be traced.

    Args:
        blocks: all of them.
        layer: int or int32 [], the block's number.
        weights, x, segment_ids, tree: as for `run_block`.
    """
    kinds = [_kind(block) for block in blocks]
    distinct = dict(zip(kinds, blocks, strict=True))
    if len(distinct) == 1:
        return run_block(blocks[0], weights, x, segment_ids, tree)
    which = jnp.array([list(distinct).index(kind) for kind in kinds])[layer]
    local = jnp.array([window(block) is not None for block in distinct.values()])
    attention = [block.attention for block in distinct.values()]
    frequencies = jnp.stack([a.rope_layer._get_inverse_freq(a.head_dim) for a in attention])
    # A local block knows the window's size, and can do without it.
    block = next(block for block in blocks if window(block))
    kind = LayerKind(local[which], frequencies[which])
    return run_block(block, weights, x, segment_ids, tree, kind=kind)


def run_block(
    block,
    weights: dict,
    x,
    segment_ids,
    tree: TokenTree | None = None,
    *,
    kind: LayerKind | None = None,
    attend=None,
    read=None,
):
    """Run one decoder block on whole rows.

    Args:
        block: a GemmaDecoderBlock or Gemma3DecoderBlock; only its code and settings are used.
        weights: by their names inside the block, adapters and quantised kernels among them.
        x: [batch, length, d_model].
        segment_ids: int32 [batch, length]; positions attend within their own segment only, 0 is
            padding.
        tree: the rows hold trees of texts.
        kind: of the layer, where it is not the block's own; the block is a local one then.
        attend: called with KerasHub's attention and what it is given: rotated queries and keys,
            values [batch, length, heads, head_dim] and the mask; what it gives is used instead.
        read: called with each linear layer's name in `kernels` and its input.

    Returns:
        [batch, length, d_model].

    Raises:
        UserError: the block did not ask for something that is replaced here, so that the
            result would be wrong: the installed KerasHub is another one than was tested.
    """

    def same_document(mask):
        mask = jnp.logical_and(mask, segment_ids[:, :, None] == segment_ids[:, None, :])
        if tree is None:
            return mask
        place = jnp.arange(mask.shape[1])
        return mask & (place[:, None] < tree.visible_until[:, None, :])

    def join_window(mask, size, first):
        places = jnp.arange(mask.shape[2])[None]
        queries = first + places[:, : mask.shape[1]]
        if tree is not None:  # distance is one of positions in a text, not of places in the row
            places = queries = tree.positions
        if kind is not None:
            size = jnp.where(kind.local, size, mask.shape[2])
        return jnp.logical_and(mask, queries[:, :, None] - places[:, None, :] < size)

    return _run(
        block,
        weights,
        x,
        segment_ids,
        same_document,
        positions=None if tree is None else tree.positions,
        window=None if tree is None and kind is None else join_window,
        attend=attend,
        read=read,
        kind=kind,
    )


def step_block(block, weights: dict, x, place, visible, extend):
    """Run one decoder block on the next token of each row.

    Args:
        block: as for `run_block`.
        weights: as for `run_block`.
        x: [batch, 1, d_model].
        place: int32 [], of the token in its row.
        visible: bool [batch, slots], what the token sees of its block's cache.
        extend: called with the token's key and value [batch, 1, kv_heads, head_dim], gives those
            of the cache's slots [batch, slots, kv_heads, head_dim], in which it stands, too.

    Returns:
        [batch, 1, d_model].
    """
    ones = jnp.ones(x.shape[:2], "int32")
    mask = jnp.broadcast_to(visible[:, None], (len(x), 1, visible.shape[1]))
    return _run(
        block,
        weights,
        x,
        ones,
        lambda its: mask,
        place * ones,
        lambda mask, *window: mask,  # the cache of a local layer holds no more than its window
        lambda attend, q, k, v, mask: attend(q, *extend(k, v), mask),
    )


def check(backbone) -> None:
    """Run a backbone's first block on shapes alone, with everything replaced that can be.

    Raises:
        UserError: this KerasHub's models are not built as the tested ones.
    """
    row = jax.ShapeDtypeStruct((1, 2), "int32")
    try:
        block = backbone.transformer_layers[0]
        weights = {name_inside(v): jax.ShapeDtypeStruct(v.shape, v.dtype) for v in block.variables}
        x = jax.ShapeDtypeStruct((1, 2, backbone.hidden_dim), block.compute_dtype)
        tree = TokenTree(row, row)
        run = functools.partial(run_block, attend=lambda attend, *args: attend(*args))
        jax.eval_shape(functools.partial(run, block), weights, x, row, tree)
        layers = functools.partial(run_layer, backbone.transformer_layers)
        jax.eval_shape(layers, jax.ShapeDtypeStruct((), "int32"), weights, x, row)
        _ = backbone.token_embedding.embeddings, backbone.layer_norm.scale
        _ = backbone.final_logit_soft_cap
    except UserError:
        raise
    except Exception as error:  # of any type: the inputs are right, so the block has changed
        raise _moved(backbone, f"{type(error).__name__}: {error}") from error


def window(block) -> int | None:
    """Tokens that a local block sees; None of a global one."""
    attention = block.attention
    return attention.sliding_window_size if attention.use_sliding_window_attention else None


def _kind(block) -> tuple:
    rotation = block.attention.rope_layer
    return window(block), rotation.max_wavelength, rotation.scaling_factor


def name_inside(variable) -> str:
    """A weight's name without its block's: "attention/query/kernel"."""
    return re.sub(r"^decoder_block_\d+/", "", variable.path)


class _Replacements:
    """Functions that stand in for a block's own, and which of them it has used."""

    def __init__(self):
        self.names, self.used = set(), set()

    def __call__(self, name: str, function):
        def stand_in(*args, **kwargs):
            self.used.add(name)
            return function(*args, **kwargs)

        self.names.add(name)
        return stand_in


def _run(
    block,
    weights,
    x,
    segment_ids,
    mask,
    positions=None,
    window=None,
    attend=None,
    read=None,
    kind=None,
):
    """Run a view of a block.

    Args:
        block, weights, x, segment_ids, attend, read, kind: as for `run_block`.
        mask: gives the mask in place of KerasHub's, with which it is called.
        positions: int32 [batch, length] to rotate to; None for the places in the row.
        window: called with a mask [batch, queries, keys], the window of a local layer in tokens,
            and the place of the first query; joins the window to the mask. None for KerasHub's,
            which counts places.
    """
    replaced = _Replacements()
    # Adapters and quantised kernels stand beside a layer's kernel, or in its place; and a product
    # of plain matrices takes fewer copies than Keras' of tensors, see `kernels.input_rows`.
    dtype = kernels.product_dtype(block)

    def run(name, linear, x):
        if read is not None:
            read(name, x)
        return run_projection(name, linear.kernel.shape, weights, x, dtype)

    def projections(layer, attributes: dict[str, str]) -> dict:
        return {
            attribute: replaced(name, functools.partial(run, name, getattr(layer, attribute)))
            for name, attribute in attributes.items()
        }

    # KerasHub 0.32's decoder blocks drop this setting on its way to the attention layer, which
    # would scale the queries of Gemma 2 and 3 27B wrongly.
    normalize = block.query_head_dim_normalize
    layer = _view(block.attention, query_head_dim_normalize=normalize)
    attention = _view(
        layer,
        **projections(layer, kernels.OF_ATTENTION),
        **_in_attention(layer, replaced, positions, window, attend, kind),
    )
    own_mask = block._compute_attention_mask
    view = _view(
        block,
        # Documents of a packed row do not see each other.
        _compute_attention_mask=replaced(
            "_compute_attention_mask", lambda *args: mask(own_mask(*args))
        ),
        attention=attention,
        **projections(block, kernels.OF_BLOCK),
    )
    values = [_value_of(variable, weights) for variable in block.variables]
    padding_mask = (segment_ids > 0).astype("int32")
    outputs, _ = view.stateless_call(values, [], x, padding_mask=padding_mask)
    if unused := replaced.names - replaced.used:
        raise _moved(block, f"it no longer uses {', '.join(sorted(unused))}")
    return outputs


def _view(layer, **replaced):
    """An object that is `layer` but for some attributes."""
    view = object.__new__(type(layer))
    vars(view).update(vars(layer), **replaced)
    return view


def _in_attention(attention, replaced, positions, window, attend, kind) -> dict:
    """What is replaced in an attention layer, apart from its products."""
    changes = {}
    narrow = kernels.product_dtype(attention) != attention.compute_dtype
    # On TPUs Keras 3.15's fused attention drops the soft-cap when the mask is traced.
    if attention.logit_soft_cap is not None and not narrow:
        changes["_use_fused_attention_op"] = lambda: False
    if positions is not None or kind is not None:
        rotation = attention.rope_layer
        if kind is not None:
            name = "_get_inverse_freq"
            its_own = replaced(name, lambda width: kind.inverse_frequencies)
            rotation = _view(rotation, **{name: its_own})
        changes["rope_layer"] = lambda x, start_index: rotation(x, positions=positions)
    local, size = attention.use_sliding_window_attention, attention.sliding_window_size
    if window is not None and local:
        changes["_mask_sliding_window"] = lambda mask, cache_update_index: window(
            mask, size, cache_update_index
        )
    changes = {name: replaced(name, function) for name, function in changes.items()}
    by_windows = local and positions is None
    if attend is not None or narrow or by_windows:

        def computed_by(view):
            return functools.partial(_attend, view) if narrow else view._compute_attention

        view = _view(attention, **changes)
        compute = computed_by(view)
        if by_windows:
            everywhere = computed_by(_view(view, use_sliding_window_attention=False))
            compute = functools.partial(_attend_by_windows, compute, everywhere, size, kind)
        attend = attend or (lambda compute, *args: compute(*args))
        changes["_compute_attention"] = replaced(
            "_compute_attention", lambda q, k, v, mask, **rest: attend(compute, q, k, v, mask)
        )
    return changes


def _attend_by_windows(attend, attend_everywhere, size: int, kind, q, k, v, mask):
    """Attention of a local layer, of which a long row has mostly pairs that do not see each other.

    A row is cut into pieces of the window's length, each of which attends to itself and to the
    piece before it.

    Args:
        attend: what computes attention, see `_attend`.
        attend_everywhere: the same without the window.
        size: of the window.
        kind: says whether this layer has the window; None if it does.
        q, k, v: [batch, length, heads, head_dim], as many heads as each has.
        mask: [batch, length, length].
    """
    if q.shape[1] <= 2 * size:
        return attend(q, k, v, mask)
    in_pieces = functools.partial(_attend_in_pieces, attend, size)
    if kind is None:
        return in_pieces(q, k, v, mask)
    return jax.lax.cond(kind.local, in_pieces, attend_everywhere, q, k, v, mask)


def _attend_in_pieces(attend, size: int, q, k, v, mask):
    """What `_attend_by_windows` does with a long row."""
    batch, length = q.shape[:2]
    pieces = -(-length // size)
    rest = (0, pieces * size - length)

    def cut(x):  # [batch, pieces, size, heads, head_dim]
        return jnp.pad(x, ((0, 0), rest, (0, 0), (0, 0))).reshape(batch, pieces, size, *x.shape[2:])

    def with_the_one_before(x):
        x = cut(x)
        return jnp.concatenate([jnp.roll(x, 1, axis=1), x], 2)

    mask = jnp.pad(mask, ((0, 0), rest, rest)).reshape(batch, pieces, size, pieces, size)
    own = jnp.arange(pieces)
    # Nothing is before the first piece: its own last is there, which no token of it sees.
    mask = jnp.concatenate([mask[:, own, :, own - 1], mask[:, own, :, own]], -1)
    mask = jnp.moveaxis(mask, 0, 1)  # [batch, pieces, size, 2 * size]
    pieces_of = (cut(q), with_the_one_before(k), with_the_one_before(v), mask)
    found = attend(
        *(x.reshape(batch * pieces, *x.shape[2:]) for x in pieces_of), cache_update_index=size
    )
    return found.reshape(batch, pieces * size, *q.shape[2:])[:, :length]


def _attend(attention, q, k, v, mask, cache_update_index=0):
    """KerasHub's attention where products are of another number format than what is between them.

    Args:
        attention: KerasHub's layer.
        q: [batch, length, heads, head_dim].
        k, v: [batch, keys, heads, head_dim], as many heads as each has.
        mask: bool [batch, length, keys].
        cache_update_index: how many keys come before that of the first query.
    """
    *batch_length, heads, head_dim = q.shape
    scale = head_dim if attention.query_head_dim_normalize else attention.hidden_dim // heads
    q = (q * scale**-0.5).reshape(*batch_length, k.shape[2], -1, head_dim)
    dtype = kernels.product_dtype(attention)
    scores = kernels.product("btkgh,bskh->bkgts", q, k, dtype)
    scores = kernels.soft_capped(scores, attention.logit_soft_cap)
    if attention.use_sliding_window_attention:
        mask = attention._mask_sliding_window(mask, cache_update_index=cache_update_index)
    shares = attention.softmax(scores, mask=mask[:, None, None])
    found = kernels.product("bkgts,bskh->btkgh", shares, v, dtype)
    return found.reshape(*batch_length, heads, head_dim)


def _value_of(variable, weights: dict):
    name = name_inside(variable)
    if name.endswith("/kernel"):  # `run_projection` takes it, or what stands in its place
        return jnp.zeros(variable.shape, variable.dtype)
    return weights[name]


def _moved(layer, what: str) -> UserError:
    installed = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("keras-hub", "keras"))
    return UserError(
        f"{type(layer).__name__} of the installed {installed} is not built as the course expects "
        f"({what}). Install what it was tested with: "
        f"pip install {' '.join(repr(package) for package in TESTED)}"
    )
