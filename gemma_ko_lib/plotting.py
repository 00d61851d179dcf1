"""Draws the plots and tables that several notebooks need, in one style, with a font for Hangul.

A notebook calls `use_korean_font()` once, at its beginning. Figures then also carry a text for
those who do not see them (`alternative_text`).
"""

import html
import importlib.util
import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gemma_ko_lib.runtime import UserError, write_whole

# Okabe and Ito's palette, which can be told apart with any common colour blindness and in grey.
LANGUAGE_COLOURS = {"ko": "#0072B2", "en": "#D55E00", "zh": "#009E73", "ja": "#CC79A7"}
OTHER_COLOURS = ("#595959", "#E69F00", "#56B4E9", "#7A5195")
PALETTE = (*LANGUAGE_COLOURS.values(), *OTHER_COLOURS)

_FIGURE = re.compile(r"[-+–×±]?\d|–$")
_KOREAN_FONTS = (
    "NanumGothic",
    "Nanum Gothic",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "Malgun Gothic",
)
_HOUSE_STYLE = {
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "savefig.format": "png",
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "mathtext.fontset": "dejavusans",
    "axes.prop_cycle": matplotlib.cycler(color=PALETTE),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}


def use_korean_font() -> str:
    """Make Hangul render in every plot that follows, and set the course's style.

    Works offline: the font is the Nanum Gothic that the koreanize-matplotlib wheel carries,
    or a Korean font of the system. In a notebook each figure is published with its
    `alternative_text`.

    Returns:
        The name of the font family in use.

    Raises:
        UserError: no Korean font was found.
    """
    for path in _bundled_fonts():
        font_manager.fontManager.addfont(path)
    known = set(font_manager.fontManager.get_font_names())
    family = next((name for name in _KOREAN_FONTS if name in known), None)
    if family is None:
        raise UserError(
            "No font with Hangul was found, so Korean labels would show as empty boxes. "
            "Run `pip install koreanize-matplotlib` (it carries Nanum Gothic), or install a "
            f"Korean system font such as fonts-nanum. Looked for: {', '.join(_KOREAN_FONTS)}."
        )
    # Matplotlib falls back by the glyph, but exponents and the minus before them come from the
    # first font alone, and Nanum Gothic has no U+2212: DejaVu goes first, Hangul falls back.
    matplotlib.rcParams.update({**_HOUSE_STYLE, "font.family": ["DejaVu Sans", family]})
    _publish_alternative_texts()
    return family


def _bundled_fonts() -> list[Path]:
    # The package is located and not imported: importing it needs distutils, gone in Python 3.12.
    spec = importlib.util.find_spec("koreanize_matplotlib")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(next(iter(spec.submodule_search_locations))) / "fonts"
    return sorted(folder.glob("NanumGothic*.ttf"))


def _publish_alternative_texts() -> None:
    # Outside a notebook nothing has imported IPython, and there is nobody to publish for.
    ipython = sys.modules.get("IPython")
    if shell := ipython and ipython.get_ipython():
        # The inline backend puts its own formatter in place of any other for image/png; it leaves
        # this one, whose metadata nbconvert writes into a page (template classic).
        formatter = shell.display_formatter.mimebundle_formatter
        formatter.for_type(Figure, lambda figure: ({}, _image_metadata(figure)))


def _image_metadata(figure: Figure) -> dict:
    text = alternative_text(figure)
    return {"image/png": {"alt": text}} if text else {}


def alternative_text(figure: Figure) -> str:
    """Say in words what a figure shows, for a screen reader.

    Returns:
        The figure's title, each plot's title and what its axes measure, then what the legends
        name: "Loss. Axes: step, nats a token. Legend: ko, en." A drawing without any of these is
        told by what is written in it. Empty where a figure holds no words.
    """
    said = [figure.get_suptitle()]
    for axes in figure.axes:
        said += [axes.get_title(place) for place in ("left", "center", "right")]
        if measured := [label for label in (axes.get_xlabel(), axes.get_ylabel()) if label]:
            said.append(f"Axes: {', '.join(measured)}")
    legends = [*figure.legends, *filter(None, (axes.get_legend() for axes in figure.axes))]
    for legend in legends:
        said.append(f"Legend: {', '.join(text.get_text() for text in legend.get_texts())}")
    if not any(said):
        written = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
        words = ", ".join(text.get_text() for text in written if text.get_text())
        said = [f"Drawing: {words}"] if words else []
    sentences = dict.fromkeys(" ".join(sentence.split()) for sentence in said if sentence)
    return " ".join(text if text[-1] in ".?!" else f"{text}." for text in sentences if text)


def colours_for(labels: Sequence[str]) -> list[str]:
    """One colour per label; a language always gets its own ("ko" is the same in every plot)."""
    others = cycle(OTHER_COLOURS)
    return [LANGUAGE_COLOURS.get(label) or next(others) for label in labels]


def line_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str = "step",
    ylabel: str = "loss",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw loss or bits-per-byte curves over steps, tokens or anything else.

    Args:
        curves: label to (x, y), e.g. `{"ko": (steps, bits_per_byte)}`.
        ax: where to draw; a new figure when None.
    """
    ax = ax or plt.subplots()[1]
    for (label, (x, y)), colour in zip(curves.items(), colours_for(list(curves)), strict=True):
        # A single evaluation point would be invisible as a line.
        ax.plot(x, y, label=label, color=colour, marker="o" if len(x) <= 12 else None, ms=4)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if len(curves) > 1:
        ax.legend()
    return ax


def bar_table(
    values: Mapping[str, float],
    xlabel: str = "",
    title: str = "",
    value_format: str = "{:,.3g}",
    baseline: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw horizontal bars from top to bottom, each with its value.

    Args:
        values: label to value.
        value_format: how a value is written at the end of its bar.
        baseline: drawn as a dashed line, e.g. the accuracy of the most frequent answer.
        ax: where to draw; a new figure, as high as the bars need, when None.
    """
    if ax is None:
        ax = plt.subplots(figsize=(7.0, 0.9 + 0.36 * len(values)))[1]
    # Bars of one kind have one colour; that of a language says which it is.
    colours = [LANGUAGE_COLOURS.get(label, OTHER_COLOURS[0]) for label in values]
    bars = ax.barh(list(values), list(values.values()), color=colours)
    ax.bar_label(bars, labels=[value_format.format(v) for v in values.values()], padding=4)
    if baseline is not None:
        ax.axvline(baseline, color="#333333", linestyle="--", linewidth=1)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=xlabel, title=title)
    return ax


def table(head: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Show rows as a table under a cell: figures to the right, texts to the left.

    What a model wrote is shown to the letter, its marks of Markdown or HTML and its lines too.

    Args:
        head: what each column holds.
        rows: for each row its cells, as they are to be read.
    """
    from IPython.display import HTML, display

    lines = [[str(cell) for cell in row] for row in rows]
    columns = zip(*lines, strict=True) if lines else ([name] for name in head)
    sides = ["right" if all(map(_FIGURE.match, column)) else "left" for column in columns]
    body = ""
    for tag, cells in [("th", head), *(("td", line) for line in lines)]:
        shown = zip(sides, map(html.escape, cells), strict=True)
        row = "".join(f"<{tag} style='text-align:{side}'>{cell}</{tag}>" for side, cell in shown)
        body += f"<tr>{row}</tr>"
    display(HTML(f"<table>{body}</table>".replace("\n", "<br>")))


def frontier(
    points: Mapping[str, tuple[float, float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    chosen: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what is gained against what is lost, and the line of those that nothing beats in both.

    Args:
        points: label to (x, y); a larger x and a smaller y are better.
        chosen: label of the one that is marked.
        ax: where to draw; a new figure when None.
    """
    ax = ax or plt.subplots()[1]
    unbeaten = {
        (x, y)
        for x, y in points.values()
        if not any(a >= x and b <= y and (a, b) != (x, y) for a, b in points.values())
    }
    ax.plot(*zip(*sorted(unbeaten), strict=True), color="#999999", zorder=1)
    for (label, (x, y)), colour in zip(points.items(), colours_for(list(points)), strict=True):
        size = 150 if label == chosen else 50
        ax.scatter(x, y, s=size, color=colour, marker="*" if label == chosen else "o", zorder=2)
        ax.annotate(label, (x, y), xytext=(6, 6), textcoords="offset points", fontsize=9)
    ax.margins(0.2)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return ax


def save_run_curves(run_dir: str | Path) -> Path:
    """Draw a run's metrics.jsonl into curves.png beside it: loss, held-out figures, learning rate.

    Args:
        run_dir: a run folder of `gemma-ko pretrain` or `finetune`.

    Returns:
        The picture's path.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    from gemma_ko_lib.training.run_log import read_log

    entries = read_log(run_dir)
    panels = [
        ("loss", "nats a token"),
        ("held_out_loss", "nats an answer token"),
        ("held_out_bits_per_byte", "bits per byte"),
        ("learning_rate", "learning rate"),
    ]
    panels = [panel for panel in panels if any(panel[0] in entry for entry in entries)]
    with matplotlib.rc_context():
        use_korean_font()
        # Without pyplot: a command needs no screen, and leaves no figure open.
        figure = Figure(figsize=(3.6 * len(panels), 3.2), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (name, unit) in zip(axes, panels, strict=True):
            points = [(entry["step"], entry[name]) for entry in entries if name in entry]
            curve = {name: tuple(zip(*points, strict=True))}
            line_curves(curve, "update", unit, name.replace("_", " "), ax=axis)
        path = Path(run_dir) / "curves.png"
        write_whole(path, picture(figure))
    return path


def picture(figure: Figure) -> bytes:
    """A figure as a PNG file's content."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
