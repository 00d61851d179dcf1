"""What a section of a lesson takes in a class, to read and to compute, and what its exercises take.

`heads` writes the tables into notebooks/README.md, the teacher's guide. Computing is measured, by
the runs recorded in data_samples/lesson_times.json. Reading is an estimate, by the length of the
text and of the code. The minutes of an exercise are those that its question names.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

WORDS_A_MINUTE, LINES_A_MINUTE = 130, 35
_HEADING = re.compile(r"^## +(.+)$", re.M)
_HEAD = ("badges", "setup", "install")  # nobody reads these aloud
LEVELS = ("★☆☆", "★★☆", "★★★")
_EXERCISE = re.compile(
    r"^\*\*(?P<number>\d+)\.\*\* (?P<level>[★☆]{3}) \((?P<minutes>\d+) minutes?\)", re.M
)


def section_seconds(executed: Path) -> dict[str, float]:
    """Seconds that the code cells of each section took in a notebook that papermill executed."""
    took = {}
    for title, cells in sections(nbformat.read(executed, as_version=4)).items():
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
    for title, cells in sections(nbformat.read(path, as_version=4)).items():
        if title.split(" (")[0] in ("Exercises", "Summary"):
            continue
        minutes = sum(map(reading_minutes, cells))
        total += minutes
        took = (measured[name].get(title) for name in profiles)
        ran = "".join(" |" if seconds is None else f" {seconds / 60:.1f} |" for seconds in took)
        lines.append(f"| {title} | {minutes:.0f} |{ran}")
    sums = (sum(measured[name].values()) / 60 for name in profiles)
    lines.append(f"| **all** | **{total:.0f}** |" + "".join(f" **{x:.1f}** |" for x in sums))
    return "\n".join(lines)


def reading_minutes(cell: NotebookNode) -> float:
    """Minutes to read a cell aloud: an estimate, by its words or its lines of code."""
    if cell.cell_type == "markdown":
        return len(cell.source.split()) / WORDS_A_MINUTE
    return (cell.source.count("\n") + 1) / LINES_A_MINUTE


def exercises_table(paths: list[Path]) -> str:
    """Markdown table of all exercises, number (minutes), by lesson and level, with their count.

    Args:
        paths: the lessons' notebooks.
    """
    head = ("lesson", *LEVELS, "exercises", "minutes")
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|--:|--:|"]
    of_level, minutes = dict.fromkeys(LEVELS, 0), 0
    for path in paths:
        own = exercise_minutes(path)
        cells = [
            ", ".join(f"{n} ({took})" for n, (level, took) in own.items() if level == wanted)
            for wanted in LEVELS
        ]
        for level, took in own.values():
            of_level[level] += 1
            minutes += took
        name, here = path.stem.split("_")[0], sum(took for _, took in own.values())
        lines.append(f"| {name} | {' | '.join(cells)} | {len(own)} | {here} |")
    counts = " | ".join(f"**{count}**" for count in of_level.values())
    lines.append(f"| **all** | {counts} | **{sum(of_level.values())}** | **{minutes}** |")
    return "\n".join(lines)


def exercise_minutes(path: Path) -> dict[int, tuple[str, int]]:
    """Level and minutes of each exercise of a lesson, by its number."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return {int(f["number"]): (f["level"], int(f["minutes"])) for f in _EXERCISE.finditer(text)}


def sections(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """A notebook's cells by the heading of their section; what stands first is the opening."""
    title, found = "Opening", {}
    for cell in notebook.cells:
        if cell.get("id") in _HEAD:
            continue
        if cell.cell_type == "markdown" and (heading := _HEADING.search(cell.source)):
            title = heading[1]
        found.setdefault(title, []).append(cell)
    return found
