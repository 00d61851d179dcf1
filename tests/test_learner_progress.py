"""`gemma-ko progress`: what counts as passed, and what does not."""

import os
import subprocess
import sys
from importlib import metadata

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from data_samples.makers.notebooks.learner_edition import learner_notebook
from gemma_ko_lib import cli, course
from gemma_ko_lib.course.learner_progress import read_progress, write_certificate
from gemma_ko_lib.runtime import UserError
from tests.conftest import ROOT


def source_notebook():
    cells = [new_markdown_cell("badges"), new_markdown_cell("# 01 · Doubling <twice>\n\ntext")]
    for number in (1, 2, 3):
        code = f"def f{number}(x):\n    # solution\n    return {number} * x"
        check = f"# check exercise {number}: x\nassert f{number}(2) == {2 * number}, 'not'"
        cells += [
            new_markdown_cell("question"),
            new_code_cell(code, metadata={"tags": ["exercise"]}, execution_count=1),
            new_code_cell(check, metadata={"tags": ["exercise-check"]}, execution_count=1),
            new_markdown_cell("explanation", metadata={"tags": ["solution"]}),
        ]
    return new_notebook(cells=cells)


@pytest.fixture
def course_folder(tmp_path):
    (tmp_path / "course").mkdir()
    nbformat.write(source_notebook(), tmp_path / "course/01_doubling.ipynb")
    return tmp_path / "course"


@pytest.fixture
def learner(tmp_path):
    """A learner's notebook in which the first exercise is passed, the second failed."""
    notebook = learner_notebook(source_notebook())
    first, second, _ = (c for c in notebook.cells if "exercise-check" in c.metadata.get("tags", []))
    first.execution_count = second.execution_count = 7
    second.outputs = [new_output("error", ename="AssertionError", evalue="not", traceback=[])]
    (tmp_path / "mine").mkdir()
    return notebook, tmp_path / "mine" / "Copy of doubling (1).ipynb"


def states(paths, folder):
    (lesson,) = read_progress(paths, folder)
    return list(lesson.states.values())


def test_a_check_that_ran_without_an_error_is_passed_whatever_the_file_is_called(
    learner, course_folder
):
    notebook, path = learner
    nbformat.write(notebook, path)
    assert states([path], course_folder) == ["passed", "not passed", "not run"]
    assert states([path.parent], course_folder) == ["passed", "not passed", "not run"]


def test_a_changed_check_does_not_count(learner, course_folder):
    notebook, path = learner
    check = next(c for c in notebook.cells if "exercise-check" in c.metadata.get("tags", []))
    check.source = "# check exercise 1: x\nassert True"
    nbformat.write(notebook, path)
    assert states([path], course_folder) == ["check was changed", "not passed", "not run"]


def test_the_edition_with_solutions_does_not_count_which_is_said(course_folder, capsys):
    assert states([course_folder], course_folder) == ["not run"] * 3
    assert f"{course_folder / '01_doubling.ipynb'}: not counted" in capsys.readouterr().err


def test_of_several_notebooks_of_a_lesson_the_best_counts(learner, course_folder):
    notebook, path = learner
    nbformat.write(notebook, path)
    nbformat.write(learner_notebook(source_notebook()), path.parent / "a new start.ipynb")
    assert states([path.parent], course_folder) == ["passed", "not passed", "not run"]


def test_only_hidden_folders_inside_the_given_one_are_left_out(
    learner, course_folder, tmp_path, monkeypatch
):
    notebook, path = learner
    for place in (path, tmp_path / ".work/mine.ipynb", path.parent / ".old/copy.ipynb"):
        place.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, place)
    passed, nothing = ["passed", "not passed", "not run"], ["not run"] * 3
    monkeypatch.chdir(course_folder)
    assert states(["../mine"], course_folder) == passed
    assert states([tmp_path / ".work"], course_folder) == passed
    assert states([tmp_path / ".work/mine.ipynb"], course_folder) == passed
    path.unlink()
    assert states(["../mine"], course_folder) == nothing


def test_what_cannot_be_read_is_named(tmp_path, course_folder):
    with pytest.raises(UserError, match="nowhere is not there"):
        read_progress([tmp_path / "nowhere"], course_folder)
    number = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 7}'
    for text in ('{"cells": [', "[]", number):
        (tmp_path / "cut.ipynb").write_text(text)
        with pytest.raises(UserError, match=r"cut.ipynb is not a notebook"):
            read_progress([tmp_path / "cut.ipynb"], course_folder)


def test_a_damaged_notebook_in_a_folder_is_passed_over(learner, course_folder, capsys):
    notebook, path = learner
    nbformat.write(notebook, path)
    before = states([path.parent], course_folder)
    (path.parent / "empty.ipynb").touch()
    assert states([path.parent], course_folder) == before
    assert "empty.ipynb is not a notebook" in capsys.readouterr().err


def test_the_certificate_says_what_is_passed_and_what_it_cannot_know(
    learner, course_folder, tmp_path, monkeypatch
):
    # A checkout on the path is no installed package.
    monkeypatch.setattr(metadata, "version", None)
    notebook, path = learner
    nbformat.write(notebook, path)
    written = tmp_path / "certificate.html"
    write_certificate(read_progress([path], course_folder), "김 <b>민지", written)
    page = written.read_text("utf-8")
    assert "1 of 3 exercises" in page and "김 &lt;b&gt;민지" in page
    assert '<td>01 · Doubling &lt;twice&gt;</td><td class="number">1 of 3\n' in page
    assert "cannot say who wrote the answers" in page.replace("\n", " ")
    assert "http" not in page  # one file, which loads nothing


def test_the_command_reads_the_course_itself(tmp_path, capsys):
    written = tmp_path / "certificate.html"
    assert cli.main(["progress", str(tmp_path), "-o", str(written), "--name", "민지"]) == 0
    assert "00_start_here" in capsys.readouterr().out
    assert "민지" in written.read_text("utf-8")


@pytest.mark.parametrize("command", ["progress", "course"])
def test_without_the_extra_a_sentence_says_what_to_install(command, tmp_path):
    (tmp_path / "nbformat.py").write_text("raise ModuleNotFoundError(name='nbformat')")
    done = subprocess.run(
        [sys.executable, "-m", "gemma_ko_lib.cli", command, "-o", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "needs nbformat: pip install 'gemma-ko[course]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_that_is_there_and_broken_is_not_called_missing():
    said = "numpy was built for another machine"
    with pytest.raises(ImportError, match=said), course.needing_extra("This command"):
        raise ImportError(said)
