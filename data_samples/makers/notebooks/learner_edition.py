"""Makes the learner's edition of the notebooks: exercises open, checks kept, solutions folded.

In the edition the learner's part of an exercise raises NotImplementedError until it is written.
"""

import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gemma_ko_lib.course.exercises import exercises
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
