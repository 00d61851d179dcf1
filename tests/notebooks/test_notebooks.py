"""Every committed notebook keeps the course's promises, without being executed."""

import nbformat
import pytest

from gemma_ko_lib import course
from gemma_ko_lib.course.notebook_files import MAX_STORED_BYTES

NOTEBOOKS = sorted(course.notebooks_dir().glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@each_notebook
def test_the_first_cell_states_the_objectives(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert "objectives" in first.source.lower()


@each_notebook
def test_exactly_one_cell_takes_the_parameters(path):
    tagged = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for name in ("PROFILE", "SEED", "OUTPUT_DIR"):
        assert f"{name} = " in tagged[0].source


@each_notebook
def test_something_the_text_claims_is_checked(path):
    assert any(cell.source.startswith("# check") for cell in code_cells(path))


@each_notebook
def test_a_code_cell_fits_a_projector(path):
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 30, cell.source


@each_notebook
def test_stored_outputs_belong_to_the_cells_as_they_stand(path):
    assert course.check_stored_outputs(path) == []


@each_notebook
def test_the_file_is_small_and_free_of_widget_state(path):
    assert path.stat().st_size <= MAX_STORED_BYTES
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
