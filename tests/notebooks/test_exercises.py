"""Exercises are whole, stubs fail their check, and the learner's edition is that of its source.

That the solutions pass is shown by every run of the source notebooks.
"""

import ast
import os
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from data_samples.makers.notebooks import heads, learner_edition
from data_samples.makers.notebooks.exercises import exercises
from data_samples.makers.notebooks.learner_edition import learner_files, learner_notebook
from gemma_ko_lib import course
from gemma_ko_lib.runtime import UserError


def read(path):
    return nbformat.read(path, as_version=4)


def has_exercises(path):
    return '"exercise"' in path.read_text("utf-8")


LESSONS = [path for path in course.find_notebooks() if has_exercises(path)]
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
QUESTION = re.compile(
    r"^\*\*(?P<number>\d+)\.[^*]*\*\* (?P<level>★☆☆|★★☆|★★★) \((?P<minutes>\d+) minutes?[^)]*\) \S",
    re.M,
)


@each_lesson
def test_every_exercise_has_level_minutes_and_hints(path):
    for exercise in exercises(read(path)):
        asked = QUESTION.search(exercise.question.source)
        assert asked, f"no '**N.** ★☆☆ (M minutes) …' in: {exercise.question.source}"
        assert int(asked["number"]) == exercise.number
        assert 1 <= int(asked["minutes"]) <= 45
        assert "<details><summary>Hint (힌트)</summary>" in exercise.question.source


@each_lesson
def test_a_lesson_has_four_to_six_exercises_of_more_than_one_level(path):
    found = exercises(read(path))
    assert 4 <= len(found) <= 6
    assert len({QUESTION.search(exercise.question.source)["level"] for exercise in found}) > 1


@each_lesson
def test_no_exercise_of_the_older_form_is_left(path):
    left = [c.source for c in read(path).cells if "solution" in c.metadata.get("tags", [])]
    assert left == [exercise.explanation.source for exercise in exercises(read(path))]


# --- Both ways: stubs fail -----------------------------------------------------------


def bound(statements) -> set[str]:
    """Names that statements bind where they stand, loops and withs included."""
    names = set()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add((node.asname or node.name).split(".")[0])
    return names


def python(source):
    """The syntax tree of a cell, without its %magics."""
    return ast.parse(re.sub(r"^(\s*)%.*$", r"\1pass", source, flags=re.M))


def left_open(exercise, before: list[str]) -> set[str]:
    """Names that only the learner's part gives: without it, whoever uses one gets an error."""
    open_functions, stub = set(), python(learner_edition.stub(exercise))
    for number, statement in enumerate(stub.body):
        used = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        raises = "raise NotImplementedError" in ast.unparse(statement)
        if isinstance(statement, ast.FunctionDef):
            if raises:
                open_functions.add(statement.name)
        elif raises or used & open_functions:
            # The cell ends here, so what it would bind from here on is missing.
            names = bound(python(exercise.code.source).body) - bound(stub.body[:number])
            names -= bound(part for source in before for part in python(source).body)
            return open_functions | names
    return open_functions


def unproved(notebook) -> list[str]:
    """Checks that might pass although the learner has written nothing."""
    problems, before = [], []
    every = {exercise.code.id: exercise for exercise in exercises(notebook)}
    for cell in notebook.cells:
        if exercise := every.get(cell.id):
            check = python(exercise.check.source)
            used = {n.id for n in ast.walk(check) if isinstance(n, ast.Name)}
            missing = left_open(exercise, before)
            if not used & missing or any(isinstance(n, ast.Try) for n in ast.walk(check)):
                problems.append(
                    f"the check of exercise {exercise.number} uses none of {sorted(missing)}"
                )
            if not any(isinstance(n, ast.Assert) for n in ast.walk(check)):
                problems.append(f"the check of exercise {exercise.number} asserts nothing")
        elif cell.cell_type == "code":
            before.append(cell.source)
    return problems


@each_lesson
def test_a_check_cannot_pass_on_a_stub(path):
    assert unproved(read(path)) == []


@each_lesson
def test_a_check_says_what_is_wrong(path):
    for exercise in exercises(read(path)):
        for node in ast.walk(python(exercise.check.source)):
            assert not isinstance(node, ast.Assert) or node.msg, exercise.check.source


def four_cells(code, check="# check exercise 1: it doubles\nassert double(2) == 4, 'not twice'"):
    return [
        new_markdown_cell("**1.** ★☆☆ (2 minutes) Double."),
        new_code_cell(code, metadata={"tags": ["exercise"]}),
        new_code_cell(check, metadata={"tags": ["exercise-check"]}),
        new_markdown_cell("Twice.", metadata={"tags": ["solution"]}),
    ]


DOUBLE = 'def double(x):\n    """Twice x."""\n    # solution\n    return 2 * x'


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (DOUBLE, "# check exercise 1: x\nassert True, 'x'"),
        (DOUBLE, "# check exercise 1: x\ntry:\n    assert double(2) == 4, 'x'\nexcept E:\n    y"),
        (DOUBLE, "# check exercise 1: x\nprint(double(2))"),
        ("# solution\nearlier = 2", "# check exercise 1: x\nassert earlier == 2, 'x'"),
        ("given = 1\n# solution\nb = 2", "# check exercise 1: x\nassert given == 1, 'x'"),
    ],
)
def test_a_check_that_could_pass_on_a_stub_is_found(code, check):
    assert unproved(new_notebook(cells=[new_code_cell("earlier = 1"), *four_cells(code, check)]))


# --- The edition ---------------------------------------------------------------------


def test_the_learners_edition_is_that_of_its_source():
    stale = [
        path.name
        for path, text in learner_files().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    assert stale == [], "run python -m data_samples.makers.notebooks"
    folder = course.notebooks_dir() / "learner"
    assert sorted(folder.glob("*.ipynb")) == sorted(learner_files())


def test_a_learner_gets_stub_check_and_folded_solution_and_sees_the_other_outputs():
    shown = new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2")])
    code = DOUBLE + "\n    # end\n\n\nprint(double(3))"
    source = new_notebook(cells=[shown, *four_cells(code)])
    source.cells[2].outputs = [nbformat.v4.new_output("stream", text="6")]
    before = nbformat.writes(source)
    kept, question, stub, check, folded = learner_notebook(source).cells
    assert nbformat.writes(source) == before
    assert kept.outputs and question == source.cells[1]
    assert stub.source == (
        'def double(x):\n    """Twice x."""\n'
        '    raise NotImplementedError("Exercise 1: write this part")\n\n\nprint(double(3))'
    )
    assert stub.outputs == [] and check.source == source.cells[3].source
    assert stub.metadata.tags == ["exercise", "raises-exception"]
    assert check.metadata.tags == ["exercise-check", "raises-exception"]
    assert folded.source.startswith("<details><summary>Solution (풀이)</summary>\n\n```python\n")
    assert "return 2 * x\n\n\nprint" in folded.source and "Twice." in folded.source
    assert "# solution" not in folded.source and "# end" not in folded.source


def test_the_learners_part_ends_with_its_function():
    stub = learner_notebook(new_notebook(cells=four_cells(DOUBLE + "\n\n\nprint(double(3))")))
    assert stub.cells[1].source.endswith('part")\n\n\nprint(double(3))')
    text = (
        DOUBLE.replace("return 2 * x", 'return """\nnot indented\n"""') + "\n\n\nprint(double(3))"
    )
    stub = learner_notebook(new_notebook(cells=four_cells(text)))
    assert stub.cells[1].source.endswith('part")\n\n\nprint(double(3))')
    everything = learner_notebook(new_notebook(cells=four_cells("a = 1\n# solution\nb = 2\n\nc")))
    assert everything.cells[1].source.endswith(
        'a = 1\nraise NotImplementedError("Exercise 1: write this part")'
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda cells: cells.pop(0), "no question"),
        (lambda cells: cells.pop(2), "no cell tagged exercise-check"),
        (lambda cells: cells.pop(3), "no explanation"),
        (lambda cells: cells[1].update(source="x = 1"), "no line `# solution`"),
        (lambda cells: cells[2].update(source="assert x"), "does not begin with"),
        (lambda cells: cells[2].update(source="# check exercise 2: x"), r"numbered \[2\]"),
    ],
)
def test_an_exercise_that_is_not_whole_is_named(spoil, says, tmp_path):
    notebook = new_notebook(cells=four_cells(DOUBLE))
    spoil(notebook.cells)
    nbformat.write(notebook, tmp_path / "01_x.ipynb")
    with pytest.raises(UserError, match=rf"01_x.ipynb: .*{says}"):
        learner_files(tmp_path)


def run_all(notebook, folder):
    """Execute a notebook as "Run all" does, on the smoke profile."""
    (taken,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    taken.source = f"PROFILE, SEED, OUTPUT_DIR = 'smoke', 0, {str(folder)!r}"
    environment = {**os.environ, "PYTHONPATH": str(heads.ROOT)}
    NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute(env=environment)
    return notebook


def errors(cell):
    return [output.ename for output in cell.outputs if output.output_type == "error"]


def states(notebook, folder):
    """Run a learner's notebook to its end: which exercises pass; nothing else may raise."""
    done = run_all(notebook, folder)
    tagged = [c for c in done.cells if "raises-exception" in c.metadata.get("tags", [])]
    rest = [cell for cell in done.cells if cell.cell_type == "code" and cell not in tagged]
    assert [cell.source for cell in rest if cell.execution_count is None and cell.source] == []
    assert [cell.source for cell in rest if errors(cell)] == []
    for stub, check in zip(tagged[::2], tagged[1::2], strict=True):
        raised = errors(stub) + errors(check)
        assert not raised or ("NotImplementedError" in raised and errors(check)), check.source
    return [not errors(check) for check in tagged[1::2]]


def test_run_all_goes_on_past_an_open_exercise_and_a_solved_one_passes(tmp_path):
    parameters = new_code_cell("PROFILE = 'auto'", metadata={"tags": ["parameters"]})
    cells = [parameters, *four_cells(DOUBLE), new_code_cell("'the end'")]
    learner = learner_notebook(new_notebook(cells=cells))
    assert states(learner, tmp_path) == [False]
    learner.cells[2].source = DOUBLE
    assert states(learner, tmp_path) == [True]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, marks=[] if p.stem[:2] == "05" else pytest.mark.slow, id=p.stem)
        for p in LESSONS
    ],
)
def test_a_learners_notebook_runs_to_its_end_and_only_exercises_raise(path, tmp_path):
    assert not any(states(learner_notebook(read(path)), tmp_path))
