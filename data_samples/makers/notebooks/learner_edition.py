"""Makes the learner's edition of the notebooks: exercises open, checks kept, solutions folded.

In the edition the learner's part of an exercise raises NotImplementedError until it is written.
"""

import ast
import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from data_samples.makers.notebooks.exercises import Exercise, exercises
from gemma_ko_lib.course.notebook_files import find_notebooks
from gemma_ko_lib.runtime import UserError

FOLDER = "learner"


def learner_notebook(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook with its exercises open and their solutions folded.

    The other cells keep their outputs. An exercise's two code cells lose them and are tagged
    `raises-exception`, so that "Run all" goes on past those that are not solved.

    Raises:
        ValueError: as `exercises`.
    """
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for exercise in exercises(notebook):
        folded = f"```python\n{_solution(exercise)}\n```\n\n{exercise.explanation.source}"
        exercise.explanation.source = _folded(folded)
        exercise.code.source = stub(exercise)
        for cell in (exercise.code, exercise.check):
            cell.metadata.tags.append("raises-exception")
            cell.metadata.pop("gemma_ko", None)
            cell.outputs, cell.execution_count = [], None
    return notebook


def stub(exercise: Exercise) -> str:
    """An exercise's code with the learner's part open."""
    source = exercise.code.source
    left = f'raise NotImplementedError("Exercise {exercise.number}: write this part")'
    lines, last = [], 0  # of the learner's part, the last line
    for number, line in enumerate(source.split("\n"), start=1):
        text = line.strip()
        if text == "# end":
            last = 0
            continue
        if number <= last:
            continue
        if text == "# solution":
            last = _last_line_of_block(source, number)
            line = line.removesuffix(text) + left
        lines.append(line)
    return "\n".join(lines)


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


def _solution(exercise: Exercise) -> str:
    """An exercise's code without the marks, as it is shown folded."""
    return re.sub(r"^ *# (?:solution|end)\n?", "", exercise.code.source, flags=re.M).rstrip()


def _folded(text: str) -> str:
    return f"<details><summary>Solution (풀이)</summary>\n\n{text}\n\n</details>"


def learner_files(folder: Path | None = None) -> dict[Path, str]:
    """The learner's edition as text by path, in the folder `learner` beside the notebooks.

    Args:
        folder: where the source notebooks are; the course's own folder when None.

    Raises:
        UserError: a notebook's exercises are not as they should be.
    """
    files = {}
    for path in find_notebooks(folder=folder):
        try:
            notebook = learner_notebook(nbformat.read(path, as_version=4))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
        files[path.parent / FOLDER / path.name] = nbformat.writes(notebook).rstrip("\n") + "\n"
    return files
