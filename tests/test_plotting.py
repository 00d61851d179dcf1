"""Plots: Hangul renders wherever the course runs, and a language keeps its colour."""

import errno
import io
import os
import sys
import warnings

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import font_manager
from matplotlib import pyplot as plt

from gemma_ko_lib import drawings, plotting
from gemma_ko_lib.runtime import UserError


@pytest.fixture(autouse=True)
def _settings_restored():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def draw(figure) -> bytes:
    """Render; a glyph that the font lacks is an error."""
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(image)
    return image.getvalue()


def test_hangul_renders_without_missing_glyphs():
    plotting.use_korean_font()
    figure, ax = plt.subplots()
    ax.set(title="조사 · 어절 · 형태소 — 뷁", xlabel="학습 단계 ✓", ylabel="\N{MINUS SIGN}1")
    ax.plot([-1, 1], [-1, 1])
    assert draw(figure).startswith(b"\x89PNG")


def test_a_figure_says_in_words_what_it_shows():
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("Which learns?")
    curves = {"ko": ([1, 2], [3, 2]), "en": ([1, 2], [1, 1])}
    plotting.line_curves(curves, "step", "nats\na token", "Loss (손실)", ax=left)
    right.set_title("Loss (손실)")  # one title over both is said once
    right.set_ylabel("bytes")
    assert plotting.alternative_text(figure) == (
        "Which learns? Loss (손실). Axes: step, nats a token. Axes: bytes. Legend: ko, en."
    )


def test_a_drawing_is_told_by_what_is_written_in_it():
    text = plotting.alternative_text(drawings.draw_gemma().figure)
    assert text.startswith("Drawing: ") and "attention (어텐션)" in text
    assert plotting.alternative_text(plt.subplots()[0]) == ""


@pytest.mark.parametrize("scale", ["log", "symlog", "scientific"])
def test_an_exponent_has_a_real_minus(scale, caplog):
    """Mathtext takes its minus from the first font, and says so in the log where it has none."""
    plotting.use_korean_font()
    low, high = {"log": (1e-5, 1e-2), "symlog": (-1000, 1000)}.get(scale, (-1e-7, 1e-7))
    ax = plotting.line_curves({"학습률": ([1, 2], [low, high])})
    if scale == "scientific":
        ax.ticklabel_format(style="sci", useMathText=True, scilimits=(0, 0))
    else:
        ax.set_yscale(scale)
    draw(ax.figure)
    assert "does not have a glyph" not in caplog.text
    written = [label.get_text() for label in ax.get_yticklabels()]
    written.append(ax.yaxis.get_offset_text().get_text())
    assert any("-" in text or "\N{MINUS SIGN}" in text for text in written)


def test_the_check_of_exponents_can_fail(caplog):
    with matplotlib.rc_context({"font.family": plotting.use_korean_font()}):
        ax = plotting.line_curves({"ko": ([1, 2], [1e-5, 1e-2])})
        ax.set_yscale("log")
        draw(ax.figure)
    assert "does not have a glyph" in caplog.text


def test_the_check_above_can_fail():
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure, ax = plt.subplots()  # its texts take the family of this moment
        ax.set_title("조사")
        with pytest.raises(UserWarning, match="missing from font"):
            draw(figure)


def test_the_carried_font_is_used_without_importing_its_package(monkeypatch):
    # Many a machine in Korea has the same font of its own.
    others = [font for font in font_manager.fontManager.ttflist if "Nanum" not in font.name]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", others)
    plotting.use_korean_font()
    found = font_manager.findfont("NanumGothic", fallback_to_default=False)
    assert "koreanize_matplotlib" in found
    assert "koreanize_matplotlib" not in sys.modules  # importing it breaks on Python 3.12


def test_without_any_korean_font_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(plotting, "_bundled_fonts", list)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    with pytest.raises(UserError, match="pip install koreanize-matplotlib"):
        plotting.use_korean_font()


def test_a_language_has_the_same_colour_in_every_plot():
    one = plotting.colours_for(["ko", "baseline", "en"])
    other = plotting.colours_for(["en", "zh", "ko"])
    assert (one[0], one[2]) == (other[2], other[0])
    assert len(set(plotting.PALETTE)) == len(plotting.PALETTE)


def test_curves_are_labelled_and_a_single_point_is_visible():
    ax = plotting.line_curves(
        {"ko": ([0, 10], [3.0, 2.0]), "en": ([10], [1.0])}, ylabel="bits/byte"
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ko", "en"]
    assert ax.lines[1].get_marker() == "o"
    assert ax.get_ylabel() == "bits/byte"


def test_bars_run_from_the_top_and_show_their_values():
    ax = plotting.bar_table({"full": 12.5, "LoRA": 3.25}, value_format="{:.1f} GB", baseline=1.0)
    texts = {text.get_text() for text in ax.texts}
    assert texts == {"12.5 GB", "3.2 GB"}
    top, bottom = (ax.transData.transform((0, row))[1] for row in (0, 1))
    assert top > bottom


def test_a_table_shows_what_a_model_wrote_to_the_letter_and_figures_to_the_right(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    rows = [["**1**", "<b>네|_네_\n네", 1.5, "-3% (-4 to -2)"], ["2", "", "–", "+1"]]
    plotting.table(["item", "written", "bits", "change"], rows)
    (table,) = (output.data for output in shown)
    assert "<td style='text-align:left'>&lt;b&gt;네|_네_<br>네</td>" in table
    assert "<td style='text-align:left'>**1**</td><" in table
    assert table.count("text-align:right") == 6  # two columns, their heads too
    plotting.table(["item", "written"], [])
    assert shown[1].data.count("<th ") == 2 and "<td" not in shown[1].data


def test_ten_dense_plots_fit_a_stored_notebook():
    plotting.use_korean_font()
    steps = list(range(500))
    noisy = [1 / (1 + step) + (step * 7919 % 101) / 500 for step in steps]
    ax = plotting.line_curves(dict.fromkeys(("ko", "en", "zh", "ja"), (steps, noisy)))
    # Base64 adds a third; 600 KB is the limit of a notebook.
    assert len(draw(ax.figure)) * 4 / 3 * 10 < 600_000


def test_a_full_disk_leaves_the_picture_that_was_there(tmp_path, monkeypatch):
    def full(handle) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n')
    path = plotting.save_run_curves(tmp_path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"curves.png: No space left"):
        plotting.save_run_curves(tmp_path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
