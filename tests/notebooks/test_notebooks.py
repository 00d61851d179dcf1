"""Every committed notebook keeps the course's promises, without being executed."""

import ast
import importlib
import re
from importlib.util import find_spec

import nbformat
import pytest

from data_samples.makers.notebooks import heads
from data_samples.makers.notebooks.stored_outputs import MAX_STORED_BYTES, check_stored_outputs
from gemma_ko_lib import course

NOTEBOOKS = course.find_notebooks()
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@each_notebook
def test_the_first_cell_after_the_badges_states_the_objectives(path):
    first = nbformat.read(path, as_version=4).cells[1]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ") and "objectives" in first.source.lower()


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
        assert len(cell.source.splitlines()) <= 20, cell.source


@pytest.mark.parametrize("path", [*NOTEBOOKS, *(course.notebooks_dir() / "ko").glob("*.ipynb")])
def test_a_tag_hides_neither_markdown_nor_a_formula(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            # Without an empty line, what stands behind a tag is HTML: backticks stay backticks.
            assert not re.search(r"</summary>(?!\n\n)", cell.source), cell.source
            # A browser takes the "<t" of x_{<t} for a tag, \lt is safe.
            prose = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"\$[^$\n]*<[a-zA-Z][^$\n]*\$", prose), cell.source


@each_notebook
def test_stored_outputs_belong_to_the_cells_as_they_stand(path):
    assert check_stored_outputs(path) == []


@each_notebook
def test_the_library_has_what_is_imported_from_it(path):
    for cell in code_cells(path):
        source = re.sub(r"^( *)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("gemma_ko_lib"):
                module = importlib.import_module(node.module)
                for name in (alias.name for alias in node.names):
                    # A module of it need not be imported, which may want an extra.
                    known = hasattr(module, name) or find_spec(f"{node.module}.{name}")
                    assert known, f"{node.module} has no {name}"


@each_notebook
def test_the_file_is_small_and_free_of_widget_state(path):
    assert path.stat().st_size <= MAX_STORED_BYTES
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


def test_the_lessons_that_the_guide_calls_stored_with_gemma_3_are():
    guide = (heads.ROOT / "notebooks" / "README.md").read_text("utf-8")
    assert re.search(r"lessons 00\s+to 02 are stored with its outputs", guide)
    said_by = {
        "00": "gemma3_270m_ko_bits_per_byte",
        "01": "gemma3_270m: Config(",
        "02": "cpu: gemma3_270m on cpu",
    }
    for number, said in said_by.items():
        (path,) = course.find_notebooks([number])
        outputs = "\n".join(str(cell.outputs) for cell in code_cells(path))
        assert said in outputs, f"{path.name} is stored as another profile ran it"
        assert not re.search(r"\bsmoke( on|:)", outputs), path.name


def test_heads_and_addresses_are_as_the_command_writes_them():
    stale = [p.name for p, text in heads.written_files().items() if p.read_text("utf-8") != text]
    assert stale == [], "run python -m data_samples.makers.notebooks"


@each_notebook
def test_a_notebook_opens_at_the_first_click(path):
    cells = nbformat.read(path, as_version=4).cells
    address = heads.repository().removeprefix("https://github.com/")
    for host in ("colab.research.google.com", "kaggle.com"):
        assert host in cells[0].source
    assert cells[0].source.count(f"{address}/blob/main/notebooks/learner/{path.name})") == 2
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code[0].source == heads.install_source()
    assert "parameters" in code[1].metadata.tags
    assert code[1].source.startswith('PROFILE = "auto"\n')


def test_one_address_stands_in_notebooks_and_readmes():
    readmes = (heads.ROOT / "README.md", heads.ROOT / "README.ko.md")
    for text in (path.read_text("utf-8") for path in (*readmes, *NOTEBOOKS)):
        assert f"{heads.repository()}/blob/main/notebooks/" in text
        assert set(re.findall(r"(?:git\+|git clone )(https://[^\s\"'`\\]+)", text)) <= {
            heads.repository()
        }


@each_notebook
def test_the_platforms_are_asked_for_the_accelerator_that_the_lesson_uses(path):
    asked = nbformat.read(path, as_version=4).metadata
    wanted = "05" not in path.stem
    assert (asked.get("accelerator") == "GPU") == wanted
    assert (asked.colab.get("gpuType") == "T4") == wanted
    assert asked.kaggle.isGpuEnabled == wanted and asked.kaggle.isInternetEnabled


def test_a_new_address_in_pyproject_reaches_badges_cells_and_readme(monkeypatch):
    monkeypatch.setattr(heads, "repository", lambda: "https://github.com/another/gemma-ko")
    for path, text in heads.written_files().items():
        assert "gemma-ko/gemma-ko" not in text, path
        if path.parent.name != "notebooks" or path.suffix == ".ipynb":  # the guide has none
            assert "another/gemma-ko" in text, path
