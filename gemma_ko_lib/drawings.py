"""Draws the model, with the part that a lesson is about lit up."""

from collections.abc import Collection

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from gemma_ko_lib.runtime import UserError

_LIT, _DIM, _LINE = "#F5C04A", "#EFEFEF", "#8A8A8A"

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


def draw_gemma(lit: Collection[str] = (), layers: int = 18, ax: Axes | None = None) -> Axes:
    """Draw Gemma 1 from token ids (bottom) to logits (top).

    Args:
        lit: parts to show in colour: "embedding", "norm" (all of them), "rope", "attention",
            "feed-forward", "residual", "head".
        layers: number of blocks to write beside the block.
        ax: where to draw; a new figure when None.

    Raises:
        UserError: there is no such part.
    """
    parts = {"embedding", "norm", "rope", "attention", "feed-forward", "residual", "head"}
    if wrong := set(lit) - parts:
        raise UserError(f"Gemma has no part '{min(wrong)}'; it has {', '.join(sorted(parts))}.")
    if ax is None:
        ax = plt.subplots(figsize=(4.6, 4.2))[1]
    ax.add_patch(plt.Rectangle((3.2, 2.35), 7.0, 5.3, fill=False, ec=_LINE, ls="--"))
    ax.text(10.3, 5.0, f"× {layers}", va="center", fontsize=10)
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
        ax.text(4.95, back, "⊕", ha="center", va="center", fontsize=13)
    ax.plot([8.2, 8.7], [4.05, 4.05], color=_LINE, lw=1.2, zorder=0)
    for name, (x, y, width, height, text) in _PARTS.items():
        kind = "norm" if "norm" in name else name
        colour = _LIT if kind in lit else _DIM
        ax.add_patch(plt.Rectangle((x, y), width, height, fc=colour, ec=_LINE, lw=1))
        ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=8)
    ax.set(xlim=(2.8, 11.2), ylim=(-0.2, 11.4))
    ax.axis("off")
    return ax
