"""Makes the learner's edition of the notebooks: exercises open, checks kept, solutions folded.

An exercise is written once, with its solution, as four cells (CONTRIBUTING.md has an example):

    question      markdown that begins with **1.**, level, minutes and folded hints
    `exercise`    code; the learner's part begins at a line `# solution` and ends at a line
                  `# end`, or with the function in which it stands
    `exercise-check`   code that begins with "# check exercise 1: …" and fails for a wrong answer
    `solution`    markdown that explains

In the edition the learner's part raises NotImplementedError until it is written.
"""

import ast
import dataclasses
import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gemma_ko_lib.course.notebook_files import find_notebooks
from gemma_ko_lib.runtime import UserError, whole_file

FOLDER = "learner"
CHECK = re.compile(r"# check exercise (\d+): \S")
MARKER = re.compile(r"^( *)# solution$", re.M)


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One exercise of a source notebook, as its four cells."""

    number: int
    question: NotebookNode
    code: NotebookNode
    check: NotebookNode
    explanation: NotebookNode

    @property
    def stub(self) -> str:
        """The exercise's code with the learner's part open."""
        left = f'raise NotImplementedError("Exercise {self.number}: write this part")'
        lines, last = [], 0  # of the learner's part, the last line
        for number, line in enumerate(self.code.source.split("\n"), start=1):
            text = line.strip()
            if text == "# end":
                last = 0
                continue
            if number <= last:
                continue
            if text == "# solution":
                last = _last_line_of_block(self.code.source, number)
                line = line.removesuffix(text) + left
            lines.append(line)
        return "\n".join(lines)

    @property
    def solution(self) -> str:
        """The exercise's code without the marks, as it is shown folded."""
        return re.sub(r"^ *# (?:solution|end)\n?", "", self.code.source, flags=re.M).rstrip()


def _last_line_of_block(source: str, line: int) -> int:
    """Last line of the innermost block around a line; that of the source outside of any."""
    blocks = (
        node.end_lineno
        for node in ast.walk(ast.parse(source))
        if hasattr(node, "body")
        and hasattr(node, "lineno")
        and node.lineno < line <= node.end_lineno
    )
    return min(blocks, default=source.count("\n") + 1)


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a source notebook, in order.

    Raises:
        ValueError: an exercise lacks one of its four cells, or its mark; says which and what.
    """
    cells = notebook.cells
    found = []
    for place, cell in enumerate(cells):
        if "exercise" not in _tags(cell):
            continue
        where = f"the exercise in cell {cell.get('id', place)}"
        check, explanation = (*cells[place + 1 : place + 3], None, None)[:2]
        if place == 0 or cells[place - 1].cell_type != "markdown":
            raise ValueError(f"{where}: no question stands before it")
        if not MARKER.search(cell.source):
            raise ValueError(f"{where}: no line `# solution`")
        if check is None or "exercise-check" not in _tags(check):
            raise ValueError(f"{where}: no cell tagged exercise-check follows it")
        number = CHECK.match(check.source)
        if number is None:
            raise ValueError(f"{where}: its check does not begin with `# check exercise N: …`")
        if explanation is None or "solution" not in _tags(explanation):
            raise ValueError(f"{where}: no explanation tagged solution follows its check")
        found.append(Exercise(int(number[1]), cells[place - 1], cell, check, explanation))
    if [exercise.number for exercise in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"exercises are numbered {[exercise.number for exercise in found]}")
    return found


def learner_notebook(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook with its exercises open and their solutions folded.

    The other cells keep their outputs. An exercise's two code cells lose them and are tagged
    `raises-exception`, so that "Run all" goes on past those that are not solved.

    Raises:
        ValueError: as `exercises`.
    """
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for exercise in exercises(notebook):
        folded = f"```python\n{exercise.solution}\n```\n\n{exercise.explanation.source}"
        exercise.explanation.source = _folded(folded)
        exercise.code.source = exercise.stub
        for cell in (exercise.code, exercise.check):
            cell.metadata.tags.append("raises-exception")
            cell.metadata.pop("gemma_ko", None)
            cell.outputs, cell.execution_count = [], None
    return notebook


def _folded(text: str) -> str:
    return f"<details><summary>Solution (풀이)</summary>\n\n{text}\n\n</details>"


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def learner_files(only: list[str] | None = None, folder: Path | None = None) -> dict[Path, str]:
    """The learner's edition as text by path, in the folder `learner` beside the notebooks.

    Args:
        only: as in `find_notebooks`.
        folder: where the source notebooks are; the course's own folder when None.

    Raises:
        UserError: a notebook's exercises are not as they should be.
    """
    files = {}
    for path in find_notebooks(only, folder):
        try:
            notebook = learner_notebook(nbformat.read(path, as_version=4))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
        files[path.parent / FOLDER / path.name] = nbformat.writes(notebook).rstrip("\n") + "\n"
    return files


def write_learner_edition(only: list[str] | None = None, folder: Path | None = None) -> list[Path]:
    """Write the learner's edition; the arguments are those of `learner_files`."""
    files = learner_files(only, folder)
    for path, text in files.items():
        with whole_file(path) as file:
            file.write(text)
    return list(files)
