"""The exercises of a notebook: each is written once, with its solution, as four cells.

    question      markdown that begins with **1.**, level, minutes and folded hints
    `exercise`    code; the learner's part begins at a line `# solution` and ends at a line
                  `# end`, or with the function in which it stands
    `exercise-check`   code that begins with "# check exercise 1: …" and fails for a wrong answer
    `solution`    markdown that explains

CONTRIBUTING.md has an example.
"""

import dataclasses

from nbformat import NotebookNode

from gemma_ko_lib.course.learner_progress import CHECK, MARKER


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One exercise of a source notebook, as its four cells."""

    number: int
    question: NotebookNode
    code: NotebookNode
    check: NotebookNode
    explanation: NotebookNode


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


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])
