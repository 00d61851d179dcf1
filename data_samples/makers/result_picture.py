"""The README's picture of a recorded run: `python -m data_samples.makers.result_picture`."""

from matplotlib import pyplot as plt

from data_samples.makers.notebooks.heads import ROOT
from gemma_ko_lib import course, plotting

REGISTERS = {
    "reviews": "film reviews (영화 후기), read",
    "petitions": "petitions (청원), read",
    "news": "Korean news (뉴스), not read",
    "English news": "English news (영어), not read",
}


def main() -> None:
    """Draw it into notebooks/result.png."""
    run = course.read_recorded("continued_pretraining")
    plotting.use_korean_font()
    figure, axis = plt.subplots(figsize=(8, 2.7))
    for place, name in enumerate(REGISTERS):
        points = {when: run["bits_per_byte"][name][when] for when in ("before", "after")}
        colour = plotting.LANGUAGE_COLOURS["en" if name == "English news" else "ko"]
        for (when, (value, low, high)), shift in zip(points.items(), (-0.15, 0.15), strict=True):
            style = {"color": colour, "alpha": 0.35 if when == "before" else 1}
            axis.plot([low, high], [place + shift] * 2, linewidth=5, solid_capstyle="butt", **style)
            axis.plot(value, place + shift, "o", **style)
            axis.annotate(
                f"{when} {value:.2f}",
                (high, place + shift),
                (6, -4),
                fontsize=9,
                textcoords="offset points",
            )
    axis.set_yticks(range(len(REGISTERS)), REGISTERS.values())
    axis.set(
        ylim=(len(REGISTERS) - 0.5, -0.5),
        xlim=(1.05, 2.05),
        xlabel="bits per byte, held out: lower is better",
    )
    axis.set(title=f"Gemma 3 270M before and after {run['tokens']:,} tokens")
    axis.grid(visible=False, axis="y")
    figure.savefig(ROOT / "notebooks" / "result.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
