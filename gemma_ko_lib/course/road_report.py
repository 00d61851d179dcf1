"""Writes report.json and report.html of a road: before and after, and what it cost."""

import base64
from pathlib import Path

import numpy as np

from gemma_ko_lib import course, plotting
from gemma_ko_lib.course.html_report import fill_page
from gemma_ko_lib.runtime import printable, write_json, write_whole

_STATIONS = {
    "base": "as it was",
    "vocabulary": "other vocabulary, not trained",
    "pretrain": "pre-trained further",
    "finetune": "fine-tuned",
}


def write(report: dict, folder: Path) -> None:
    """Write report.json and report.html.

    Args:
        report: the figures of the road (see `cli.road_figures`); machine and versions are added.
        folder: of the road.
    """
    report = report | {"machine": course.this_machine(), "versions": course.versions()}
    curves = {
        name: _png((folder / name / "curves.png").read_bytes())
        for name in report["stations"]
        if (folder / name / "curves.png").is_file()
    }
    page = fill_page(
        "road.html",
        {"with_interval": _with_interval, "printable": printable},
        road=report,
        names={name: _STATIONS[name] for name in report["stations"]},
        picture=_picture(report) if report["bits_per_byte"] else "",
        curves=curves,
        versions=report["versions"],
    )
    write_json(folder / "report.json", report)
    write_whole(folder / "report.html", page)


def _picture(report: dict) -> str:
    """Bits per byte at each station, a line for each text."""
    from matplotlib.figure import Figure

    plotting.use_korean_font()
    figure = Figure(figsize=(7.5, 3.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    stations = report["stations"]
    for text, found in report["bits_per_byte"].items():
        figures = [found["stations"][name] for name in stations]
        value, low, high = np.array(figures, float).T  # None, no interval, draws no bar
        spread = [value - low, high - value]
        axes.errorbar(range(len(stations)), value, spread, marker="o", capsize=3, label=text)
    axes.set_xticks(
        range(len(stations)), [_STATIONS[name].replace(", ", ",\n") for name in stations]
    )
    axes.set_ylabel("bits per byte")
    axes.legend()
    return _png(plotting.picture(figure))


def _png(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _with_interval(figure: list, form: str, between: str = "–", factor: float = 1) -> str:
    """A figure and, where there is one, its interval in brackets, which a narrow table keeps whole.

    Args:
        figure: value, low and high; low and high are None without an interval.
        form: of each of the three.
        between: stands between low and high.
        factor: they are shown times this.
    """
    value, *ends = (None if x is None else form.format(x * factor) for x in figure)
    if None in ends:
        return value
    inside = between.join(ends).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{value} ({inside})".replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")
