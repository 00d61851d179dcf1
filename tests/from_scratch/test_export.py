"""What the notebooks teach is what the library imports: cells become modules, drift shows."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from data_samples.makers.notebooks.from_scratch import FROM_SCRATCH, exported_sources
from gemma_ko_lib import runtime


def notebook(folder, name, *cells):
    made = []
    for kind, tag, source in cells:
        new = new_markdown_cell if kind == "text" else new_code_cell
        made.append(new(source, metadata={"tags": [tag]} if tag else {}))
    nbformat.write(new_notebook(cells=made), folder / name)


def test_the_modules_are_what_the_notebooks_say():
    sources = exported_sources()
    for module, source in sources.items():
        written = (FROM_SCRATCH / f"{module}.py").read_text("utf-8")
        assert written == source, f"run python -m data_samples.makers.notebooks ({module} differs)"
    assert {path.stem for path in FROM_SCRATCH.glob("*.py")} == sources.keys()


def test_tagged_cells_become_a_module_and_the_others_do_not(tmp_path):
    notebook(
        tmp_path,
        "01_one.ipynb",
        ("text", "export:tiny", "A tiny thing.\n\nMore of it."),
        ("code", "export:tiny", "import math"),
        ("code", "", "raise RuntimeError('an experiment')"),
        ("code", "export:tiny", "def half_turn():\n    return math.pi"),
    )
    notebook(tmp_path, "02_two.ipynb", ("code", "export:tiny", "TURN = 2 * half_turn()"))
    sources = exported_sources(tmp_path)
    assert sources.keys() == {"__init__", "tiny"}
    names = {}
    exec(sources["tiny"], names)
    assert names["TURN"] == pytest.approx(6.2831853)
    assert names["__doc__"].startswith("A tiny thing.\n\nMore of it.")
    assert "01_one.ipynb" in names["__doc__"]
    assert "tiny: A tiny thing (01)" in sources["__init__"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([("code", "export:tiny", "x = 1")], "No markdown cell is tagged export:tiny"),
        ([("text", "export:tiny", "A."), ("text", "export:tiny", "B.")], "second docstring"),
        ([("code", "export:tiny", "y = 1\nprint(y)")], "cell 1 .*line 2 does something"),
        ([("code", "export:tiny", "%pip install x")], "not plain Python"),
        ([("code", "export:not-a-name", "x = 1")], "is not a module name"),
    ],
)
def test_what_cannot_become_a_module_is_named(cells, message, tmp_path):
    notebook(tmp_path, "01_one.ipynb", *cells)
    with pytest.raises(runtime.UserError, match=message):
        exported_sources(tmp_path)
