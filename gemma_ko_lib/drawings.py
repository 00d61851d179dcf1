"""Draws the models, the road of the course, heads, masks, caches and packed rows, in one style.

What a lesson is about is lit up.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from gemma_ko_lib.runtime import UserError

_LIT, _DIM, _LINE = "#F5C04A", "#EFEFEF", "#8A8A8A"
_SEGMENTS = ListedColormap(
    ["#F2F2F2", "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7"]
)

# Of each part: x, y, width, height, text. The residual stream runs up the middle.
_PARTS = {
    "tokens": (4.0, 0.0, 2.0, 0.7, "token ids"),
    "embedding": (3.5, 1.2, 3.0, 0.8, "embedding × √d (임베딩)"),
    "norm": (6.3, 2.6, 1.9, 0.7, "RMSNorm"),
    "attention": (6.3, 3.6, 1.9, 0.9, "attention\n(어텐션)"),
    "rope": (8.7, 3.7, 1.2, 0.7, "RoPE"),
    "norm 2": (6.3, 5.3, 1.9, 0.7, "RMSNorm"),
    "feed-forward": (6.3, 6.3, 1.9, 0.9, "GeGLU\n(피드포워드)"),
    "final norm": (4.0, 8.2, 2.0, 0.7, "RMSNorm"),
    "head": (3.5, 9.3, 3.0, 0.8, "head: the same table"),
    "logits": (4.0, 10.5, 2.0, 0.7, "logits"),
}


def draw_gemma(lit: Collection[str] = ()) -> Axes:
    """Draw Gemma 1 from token ids (bottom) to logits (top).

    Args:
        lit: parts to show in colour: "embedding", "norm" (all of them), "rope", "attention",
            "feed-forward", "residual", "head".

    Raises:
        UserError: there is no such part.
    """
    parts = {"embedding", "norm", "rope", "attention", "feed-forward", "residual", "head"}
    if wrong := set(lit) - parts:
        raise UserError(f"Gemma has no part '{min(wrong)}'; it has {', '.join(sorted(parts))}.")
    ax = plt.subplots(figsize=(6.0, 5.4))[1]
    ax.add_patch(plt.Rectangle((3.2, 2.35), 7.0, 5.3, fill=False, ec=_LINE, ls="--"))
    ax.text(10.3, 5.0, "× 18", va="center", fontsize=11)
    lit_stream = "residual" in lit
    stream = {"color": _LIT if lit_stream else _LINE, "lw": 4 if lit_stream else 1.5}
    for low, high in ((0.7, 1.2), (2.0, 8.2), (8.9, 9.3), (10.1, 10.5)):
        ax.plot([5, 5], [low, high], zorder=0, **stream)
    for start, top in ((2.95, 4.05), (5.65, 6.75)):
        ax.annotate("", (6.3, start), (5, start), arrowprops={"arrowstyle": "->", "color": _LINE})
        ax.plot([7.25, 7.25], [start + 0.35, top - 0.45], color=_LINE, lw=1.2, zorder=0)
        back = top + 0.75
        ax.plot([7.25, 7.25], [top + 0.45, back], color=_LINE, lw=1.2, zorder=0)
        ax.annotate("", (5, back), (7.25, back), arrowprops={"arrowstyle": "->", "color": _LINE})
        ax.text(5.0, back, "⊕", ha="center", va="center", fontsize=13)
    ax.plot([8.2, 8.7], [4.05, 4.05], color=_LINE, lw=1.2, zorder=0)
    for name, (*box, text) in _PARTS.items():
        kind = "norm" if "norm" in name else name
        _draw_box(ax, box, text, kind in lit)
    ax.set(xlim=(2.8, 11.2), ylim=(-0.2, 11.4))
    ax.axis("off")
    return ax


# RecurrentGemma: on the left its blocks, on the right the inside of a recurrent one.
_RECURRENT_PARTS = {
    "embedding": (0.0, 0.0, 2.6, 0.8, "embedding × √d"),
    "recurrent block": (0.0, 1.5, 2.6, 0.8, "recurrent block"),
    "recurrent block 2": (0.0, 2.6, 2.6, 0.8, "recurrent block"),
    "local attention": (0.0, 3.7, 2.6, 0.8, "local attention\n(지역 어텐션)"),
    "head": (-0.1, 5.2, 2.8, 0.8, "head: the same table"),
    "linear in 1": (4.2, 1.2, 2.0, 0.7, "linear $W_y$"),
    "gate": (4.2, 3.6, 2.0, 0.7, "GELU (게이트)"),
    "linear in 2": (7.4, 1.2, 2.6, 0.7, "linear $W_x$"),
    "convolution": (7.4, 2.4, 2.6, 0.7, "convolution (합성곱)"),
    "RG-LRU": (7.4, 3.6, 2.6, 0.7, "RG-LRU: state $h_t$"),
    "linear out": (5.8, 5.3, 2.0, 0.7, "linear"),
}
_RECURRENT_LINES = [
    *[[(1.3, low), (1.3, high)] for low, high in ((0.8, 1.5), (2.3, 2.6), (3.4, 3.7), (4.5, 5.2))],
    [(6.8, 0.2), (6.8, 0.7), (5.2, 0.7), (5.2, 1.2)],
    [(6.8, 0.7), (8.7, 0.7), (8.7, 1.2)],
    [(5.2, 1.9), (5.2, 3.6)],
    [(8.7, 1.9), (8.7, 2.4)],
    [(8.7, 3.1), (8.7, 3.6)],
    [(5.2, 4.3), (5.2, 4.75), (6.5, 4.75)],
    [(8.7, 4.3), (8.7, 4.75), (7.1, 4.75)],
    [(6.8, 5.0), (6.8, 5.3)],
    [(6.8, 6.0), (6.8, 6.4)],
]
_PALIGEMMA_PARTS = {
    "patches": (0.0, 2.3, 1.7, 1.0, "picture\n(그림 조각)"),
    "image encoder": (2.0, 2.3, 2.2, 1.0, "image encoder\n(SigLIP)"),
    "projector": (4.5, 2.3, 1.4, 1.0, "projector\n(투영층)"),
    "prompt": (0.0, 0.3, 1.7, 1.0, "prompt and\nanswer ids"),
    "embedding": (2.0, 0.3, 2.2, 1.0, "embedding × √d"),
    "Gemma": (6.2, 0.3, 2.0, 3.0, "Gemma 1\nblocks,\nprefix mask\n(접두사 마스크)"),
    "head": (8.5, 0.3, 1.9, 1.0, "head: letters\nof the answer"),
}
_PALIGEMMA_LINES = [
    *[[(low, 2.8), (low + 0.3, 2.8)] for low in (1.7, 4.2, 5.9)],
    *[[(low, 0.8), (high, 0.8)] for low, high in ((1.7, 2.0), (4.2, 6.2), (8.2, 8.5))],
]


def draw_recurrent_gemma(lit: Collection[str] = ()) -> Axes:
    """Draw RecurrentGemma, and beside it the inside of its recurrent block.

    Args:
        lit: parts to show in colour: "embedding", "recurrent block" (all of them), "local
            attention", "head", and inside "gate", "convolution", "RG-LRU", "linear in",
            "linear out".

    Raises:
        UserError: there is no such part.
    """
    ax = _draw_parts("RecurrentGemma", _RECURRENT_PARTS, _RECURRENT_LINES, lit, (6.8, 4.2))
    ax.add_patch(plt.Rectangle((-0.3, 1.3), 3.2, 3.4, fill=False, ec=_LINE, ls="--"))
    ax.text(1.5, 4.85, "26 blocks: R R A …", fontsize=10)
    ax.add_patch(plt.Rectangle((3.9, 0.0), 6.4, 6.6, fill=False, ec=_LINE, ls="--"))
    ax.text(3.9, 6.7, "inside a recurrent block (순환 블록)", fontsize=10)
    ax.text(6.8, 4.75, "⊙", ha="center", va="center", fontsize=15)
    ax.set(xlim=(-0.5, 10.5), ylim=(-0.2, 7.2))
    return ax


def draw_paligemma(lit: Collection[str] = ()) -> Axes:
    """Draw PaliGemma from picture and prompt (left) to the answer (right).

    Args:
        lit: parts to show in colour: "patches", "image encoder", "projector", "prompt",
            "embedding", "Gemma", "head".

    Raises:
        UserError: there is no such part.
    """
    ax = _draw_parts("PaliGemma", _PALIGEMMA_PARTS, _PALIGEMMA_LINES, lit, (6.2, 2.4))
    ax.set(xlim=(-0.1, 10.5), ylim=(0.0, 3.6))
    return ax


# The road runs from left to right; what serves several of its steps lies beside it as a bar.
_ROAD_PARTS = {
    "model": (0.0, 1.6, 1.3, 1.0, "Gemma\n01–03"),
    "vocabulary": (1.7, 1.6, 1.7, 1.0, "vocabulary\n(어휘) 04"),
    "corpus": (1.7, 3.1, 1.7, 1.0, "corpus\n(말뭉치) 05"),
    "continued pre-training": (3.9, 1.6, 1.9, 1.0, "pre-training\n(사전학습) 06"),
    "distillation": (3.9, 3.1, 1.9, 1.0, "distillation\n(증류) 08"),
    "fine-tuning": (6.2, 1.6, 1.9, 1.0, "fine-tuning\n(미세 조정) 09"),
    "serving": (8.5, 1.6, 1.6, 1.0, "serving\n(서비스) 11"),
    "less memory": (3.9, 0.6, 4.2, 0.6, "less memory (적은 메모리) 07"),
    "evaluation": (0.0, -0.3, 10.1, 0.6, "evaluation at every step (평가) 10"),
}
_ROAD_LINES = [
    *[[(low, 2.1), (high, 2.1)] for low, high in ((1.3, 1.7), (3.4, 3.9), (5.8, 6.2), (8.1, 8.5))],
    [(3.4, 3.6), (3.6, 3.6), (3.6, 2.4), (3.9, 2.4)],
    [(4.85, 2.6), (4.85, 3.1)],
]


def draw_road(lit: Collection[str] = ()) -> Axes:
    """Draw the road of the course, from Gemma to a served model, with the lessons' numbers.

    Args:
        lit: steps to show in colour: "model", "vocabulary", "corpus", "continued pre-training",
            "less memory", "distillation", "fine-tuning", "evaluation", "serving".

    Raises:
        UserError: there is no such step.
    """
    ax = _draw_parts("The road", _ROAD_PARTS, _ROAD_LINES, lit, (6.2, 2.6))
    ax.set(xlim=(-0.1, 10.2), ylim=(-0.5, 4.3))
    return ax


def draw_rows(groups: Mapping[str, Sequence]) -> None:
    """Draw rows of tokens, a strip for each: every document in a colour, padding in grey.

    Args:
        groups: segment ids [rows, length] by title; 0 is padding.
    """
    axes = plt.subplots(1, len(groups), figsize=(6.6, 2.2), squeeze=False)[1]
    for ax, (title, rows) in zip(axes[0], groups.items(), strict=True):
        ids = np.asarray(rows)
        # Documents that touch differ, and so do the first of two rows.
        colours = np.where(ids > 0, 1 + (ids + np.arange(len(ids))[:, None]) % 6, 0)
        ax.imshow(colours, cmap=_SEGMENTS, vmin=0, vmax=6, aspect="auto", interpolation="nearest")
        ax.set(title=title, xlabel="place in the row (자리)", yticks=range(len(ids)))
        ax.set_yticklabels([])
        ax.grid(visible=False)
        ax.hlines(np.arange(len(ids) - 1) + 0.5, -0.5, ids.shape[1] - 0.5, color="white", lw=3)
    axes[0, 0].set_ylabel("rows (행)")


def draw_masks(masks: Mapping[str, Sequence]) -> None:
    """Draw attention masks side by side: blue where the query of a row sees the key of a column.

    Args:
        masks: bool [queries, keys] by title.
    """
    wide = 1.0 + 2.9 * len(masks)
    axes = plt.subplots(1, len(masks), figsize=(wide, 3.4), squeeze=False)[1]
    for ax, (title, mask) in zip(axes[0], masks.items(), strict=True):
        ax.imshow(np.asarray(mask), cmap="Blues", vmin=0, vmax=1.4)
        ax.set(title=title, xlabel="key position (키)", ylabel="query position (쿼리)")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(8, integer=True))
        ax.grid(visible=False)


def draw_sharing(kv_heads: Mapping[str, int], heads: int = 8) -> None:
    """Draw which query heads share a key/value head.

    Args:
        kv_heads: number of key/value heads by title.
        heads: query heads, a multiple of each number.
    """
    axes = plt.subplots(1, len(kv_heads), figsize=(2.5 * len(kv_heads), 2.4), squeeze=False)[1]
    for ax, (title, keys) in zip(axes[0], kv_heads.items(), strict=True):
        for n in range(heads):
            shared = (n * keys // heads + 0.5) * heads / keys
            ax.plot([n + 0.5, shared], [1.05, 0.35], color="#999999", lw=1.2, zorder=0)
            ax.add_patch(plt.Rectangle((n + 0.14, 1), 0.72, 0.5, color="#56B4E9"))
        for n in range(keys):
            x = (n + 0.5) * heads / keys
            ax.add_patch(plt.Rectangle((x - 0.36, 0), 0.72, 0.4, color="#E69F00"))
        ax.set(xlim=(-0.2, heads + 0.2), ylim=(-0.4, 1.9), title=f"{title}: cache {keys}/{heads}")
        ax.text(heads / 2, 1.6, "query heads (쿼리)", ha="center", fontsize=9)
        ax.text(heads / 2, -0.35, "key/value heads (키·값)", ha="center", fontsize=9)
        ax.axis("off")


def draw_ring(held: Sequence[Sequence[int]]) -> Axes:
    """Draw what the slots of a ring buffer hold, a column for each new token.

    Args:
        held: positions [tokens, slots]; negative where a slot is empty. Token n has position n.
    """
    tokens, slots = len(held), len(held[0])
    ax = plt.subplots(figsize=(0.8 * tokens, 0.6 * slots))[1]
    for n, slot in np.ndindex(tokens, slots):
        position = int(held[n][slot])
        empty, new = position < 0, position == n
        colour = "#E69F00" if new else "#EEEEEE" if empty else "#56B4E9"
        ax.add_patch(plt.Rectangle((n - 0.45, slot - 0.45), 0.9, 0.9, color=colour))
        ax.text(n, slot, "" if empty else position, ha="center", va="center")
    ax.set(xlim=(-0.5, tokens - 0.5), ylim=(slots - 0.5, -0.5))
    ax.set(xticks=range(tokens), yticks=range(slots))
    ax.set(xlabel="position of the new token", ylabel="slot (칸)")
    ax.set(title=f"ring buffer (링 버퍼) of a window of {slots}: orange is written")
    ax.grid(visible=False)
    return ax


def _draw_parts(model, parts, lines, lit, size) -> Axes:
    """Boxes of (x, y, width, height, text) and arrows along their corners; lit ones in colour."""
    kinds = {name: name.rstrip(" 0123456789") for name in parts}
    if wrong := set(lit) - set(kinds.values()):
        there = ", ".join(sorted(set(kinds.values())))
        raise UserError(f"{model} has no part '{min(wrong)}'; it has {there}.")
    ax = plt.subplots(figsize=size)[1]
    for points in lines:
        ax.plot(*zip(*points[:-1], strict=True), color=_LINE, lw=1.2, zorder=0)
        arrow = {"arrowstyle": "->", "color": _LINE, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", points[-1], points[-2], arrowprops=arrow)
    for name, (*box, text) in parts.items():
        _draw_box(ax, box, text, kinds[name] in lit)
    ax.axis("off")
    return ax


def _draw_box(ax: Axes, box: Sequence[float], text: str, lit: bool) -> None:
    x, y, width, height = box
    colour = _LIT if lit else _DIM
    ax.add_patch(plt.Rectangle((x, y), width, height, fc=colour, ec=_LINE, lw=1))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10)
