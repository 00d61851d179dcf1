"""What a section of a lesson takes in a class: to read and explain, and to compute.

`course.heads` writes the table into notebooks/README.md, the teacher's guide. Computing is
measured, by the runs recorded in data_samples/lesson_times.json. Reading is an estimate, by the
length of the text and of the code.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

WORDS_A_MINUTE, LINES_A_MINUTE = 130, 35
_HEADING = re.compile(r"^## +(.+)$", re.M)
_HEAD = ("badges", "setup", "install")  # nobody reads these aloud


def section_seconds(executed: Path) -> dict[str, float]:
    """Seconds that the code cells of each section took in a notebook that papermill executed."""
    took = {}
    for title, cells in _sections(nbformat.read(executed, as_version=4)).items():
        runs = (cell.metadata.get("papermill", {}) for cell in cells)
        took[title] = round(sum(run.get("duration") or 0 for run in runs), 1)
    return took


def minutes_table(path: Path, runs: list[dict]) -> str:
    """Markdown table of a lesson's sections: minutes to read aloud, and to compute.

    Args:
        path: the lesson's notebook.
        runs: its recorded runs, as in lesson_times.json; those without sections do not count.
    """
    measured = {run["profile"]: run["sections"] for run in runs if "sections" in run}
    profiles = [name for name in ("smoke", "cpu", "gpu", "tpu") if name in measured]
    lines = [
        "| section | read | " + "".join(f"`{name}` | " for name in profiles).rstrip(),
        "|---|---:|" + "---:|" * len(profiles),
    ]
    total = 0.0
    for title, cells in _sections(nbformat.read(path, as_version=4)).items():
        if title.split(" (")[0] in ("Exercises", "Summary"):
            continue
        words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
        code = sum(cell.source.count("\n") + 1 for cell in cells if cell.cell_type == "code")
        minutes = words / WORDS_A_MINUTE + code / LINES_A_MINUTE
        total += minutes
        took = (measured[name].get(title) for name in profiles)
        ran = "".join(" |" if seconds is None else f" {seconds / 60:.1f} |" for seconds in took)
        lines.append(f"| {title} | {minutes:.0f} |{ran}")
    sums = (sum(measured[name].values()) / 60 for name in profiles)
    lines.append(f"| **all** | **{total:.0f}** |" + "".join(f" **{x:.1f}** |" for x in sums))
    return "\n".join(lines)


def _sections(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """A notebook's cells by the heading of their section; what stands first is the opening."""
    title, found = "Opening", {}
    for cell in notebook.cells:
        if cell.get("id") in _HEAD:
            continue
        if cell.cell_type == "markdown" and (heading := _HEADING.search(cell.source)):
            title = heading[1]
        found.setdefault(title, []).append(cell)
    return found
