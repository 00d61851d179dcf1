"""Reads from a learner's executed notebooks which exercises are passed: `gemma-ko progress`.

An exercise counts as passed when its check cell stands in the notebook letter for letter as the
course has it, was run, and raised nothing. Nothing is executed here, and nothing leaves the
machine. Who wrote an answer, and with what help, no notebook shows.
"""

import dataclasses
import datetime
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gemma_ko_lib import __version__
from gemma_ko_lib.course.html_report import fill_page
from gemma_ko_lib.course.notebook_files import find_notebooks, source_sha256
from gemma_ko_lib.runtime import UserError, printable, write_whole

CHECK = re.compile(r"# check exercise (\d+): \S")
MARKER = re.compile(r"^( *)# solution$", re.M)
# From the least to the best; of several notebooks of a lesson the best result counts.
STATES = ("not run", "check was changed", "not passed", "passed")
# nbformat takes other JSON for a notebook, and fails at what that lacks.
_NO_NOTEBOOK = (ValueError, TypeError, AttributeError, nbformat.ValidationError)


@dataclasses.dataclass
class Lesson:
    """A lesson's exercises by number, each with one of `STATES`."""

    name: str
    title: str
    states: dict[int, str]

    @property
    def passed(self) -> int:
        return sum(state == "passed" for state in self.states.values())


def read_progress(paths: Iterable[str | Path], folder: Path | None = None) -> list[Lesson]:
    """Read which exercises of each lesson are passed.

    A notebook belongs to the lesson whose checks it holds, whatever its file is called. Notebooks
    with solutions, as the course itself stores them, do not count; stderr says how many there are.

    Args:
        paths: notebooks, or folders in which all are looked at.
        folder: where the course's notebooks are; its own when None.

    Returns:
        Every lesson that has exercises, in course order.

    Raises:
        UserError: a path is not there, or a file is not a notebook. One that lies in a folder is
            passed over; stderr says so.
    """
    lessons, owner = [], {}
    for path in find_notebooks(folder=folder):
        cells = nbformat.read(path, as_version=4).cells
        if checks := _checks(cells):
            title = next(filter(None, map(_title, cells)), path.stem)
            lessons.append(Lesson(path.stem, title, {number: "not run" for number, _ in checks}))
            owner |= {source_sha256(cell.source): lessons[-1] for _, cell in checks}
    solved, named = [], list(map(Path, paths))
    for path in _notebooks(named):
        try:
            cells = nbformat.read(path, as_version=4).cells
        except (OSError, *_NO_NOTEBOOK) as error:
            said = f"{path} is not a notebook that can be read: {error}"
            if path in named:
                raise UserError(said) from None
            print(printable(f"{said}; passed over"), file=sys.stderr)
            continue
        if any(MARKER.search(cell.source) for cell in cells if cell.cell_type == "code"):
            solved.append(path)
        else:
            _take(cells, owner)
    if solved:
        print(
            f"{len(solved)} with the course's solutions (a line `# solution`), such as "
            f"{printable(str(solved[0]))}: not counted",
            file=sys.stderr,
        )
    return lessons


def _title(cell) -> str:
    return cell.source.split("\n")[0].removeprefix("# ") if cell.source.startswith("# ") else ""


def _notebooks(paths: Iterable[Path]) -> list[Path]:
    found = []
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} is not there; name notebooks, or a folder that holds some.")
        if not path.is_dir():
            found.append(path)
            continue
        # Hidden folders in it, such as .ipynb_checkpoints; its own path may have "..".
        found += [
            inside
            for inside in sorted(path.rglob("*.ipynb"))
            if not any(part.startswith(".") for part in inside.relative_to(path).parts)
        ]
    return found


def _checks(cells: list[NotebookNode]) -> list[tuple[int, NotebookNode]]:
    """The cells that check an exercise, each with its number."""
    found = ((CHECK.match(cell.source), cell) for cell in cells if cell.cell_type == "code")
    return [(int(match[1]), cell) for match, cell in found if match]


def _take(cells: list[NotebookNode], owner: dict[str, Lesson]) -> None:
    checks = _checks(cells)
    owners = [owner.get(source_sha256(cell.source)) for _, cell in checks]
    known = next(filter(None, owners), None)
    if known is None:
        return
    for (number, cell), lesson in zip(checks, owners, strict=True):
        if lesson is None:
            lesson, state = known, "check was changed"  # the lesson is known by its other checks
        elif cell.execution_count is None:
            state = "not run"
        else:
            raised = any(output.output_type == "error" for output in cell.outputs)
            state = "not passed" if raised else "passed"
        if number in lesson.states:
            lesson.states[number] = max(lesson.states[number], state, key=STATES.index)


def progress_lines(lessons: list[Lesson]) -> list[str]:
    """A line a lesson for a terminal, with what is open by number."""
    lines = []
    for lesson in lessons:
        open_ = (f"{n}: {state}" for n, state in lesson.states.items() if state != "passed")
        line = f"{lesson.name:<28}{lesson.passed} of {len(lesson.states)} passed"
        lines.append("   ".join(filter(None, [line, ", ".join(open_)])))
    return lines


def write_certificate(lessons: list[Lesson], name: str, path: str | Path) -> None:
    """Write a plain HTML page of what is passed, in the learner's name."""
    page = fill_page(
        "progress.html",
        name=name,
        lessons=lessons,
        of=sum(len(lesson.states) for lesson in lessons),
        date=datetime.date.today().isoformat(),
        version=__version__,
    )
    write_whole(path, page)
