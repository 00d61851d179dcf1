"""The Korean edition renders the English one as it stands, in one Korean throughout."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from data_samples.makers.notebooks import korean_edition
from data_samples.makers.notebooks.korean_edition import STALE, TRANSLATE, korean_notebook
from data_samples.makers.notebooks.learner_edition import learner_files
from gemma_ko_lib import course
from gemma_ko_lib.runtime import UserError

FOLDER = course.notebooks_dir() / korean_edition.FOLDER
EDITION = course.find_notebooks(folder=FOLDER)
each_notebook = pytest.mark.parametrize("path", EDITION, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def original(path):
    return read(course.notebooks_dir() / path.name)


def prose(path):
    """The Korean cells of a notebook without code, quotations, formulas and addresses."""
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    aside = r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]*>"
    quoted = r'"[^"]*"|“[^”]*”|‘[^’]*’'
    return re.sub(f"{aside}|{quoted}", "", "\n\n".join(cells), flags=re.S)


# --- The edition as it is committed ----------------------------------------------------


def test_no_cell_is_missing_stale_or_orphaned():
    assert korean_edition.setup_is_current()
    waiting = korean_edition.waiting_cells(korean_edition.edition_files())
    assert waiting == [], "run python -m data_samples.makers.notebooks"


def test_the_edition_is_as_the_command_writes_it():
    files = korean_edition.edition_files()
    files |= learner_files(FOLDER)
    differing = [str(path) for path, text in files.items() if path.read_text("utf-8") != text]
    assert differing == [], "run python -m data_samples.makers.notebooks"


@each_notebook
def test_code_and_outputs_are_those_of_the_english_notebook(path):
    def code(notebook):
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert code(read(path)) == code(original(path))


@each_notebook
def test_a_notebook_opens_its_korean_copy_and_links_to_notebooks_that_are_there(path):
    cells = read(path).cells
    assert cells[0].source.count(f"/notebooks/{korean_edition.FOLDER}/learner/{path.name})") == 2
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    # Nothing else is the same way from here and from the learner's copies.
    assert set(linked) <= {notebook.name for notebook in course.find_notebooks()}


@each_notebook
def test_formulas_and_addresses_are_those_of_the_english_text(path):
    def kept(source):
        found = re.findall(r"\$\$[^$]+\$\$|\$[^$]+\$|\]\(https?:[^)]*\)", source)
        return sorted(" ".join(text.split()) for text in found)

    english = {cell.id: cell.source for cell in original(path).cells}
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and cell.id not in ("badges", "setup"):
            assert kept(cell.source) == kept(english[cell.id]), cell.id


@each_notebook
def test_emphasis_ends_where_markdown_sees_it(path):
    # CommonMark does not close ** between a punctuation mark and a letter: **키(key)**를
    hidden = re.findall(r"[^\n]{0,20}[)\]\"'”’.,?!]\*\*[가-힣]", prose(path))
    assert hidden == []


@each_notebook
def test_every_sentence_is_in_the_polite_style_of_speech(path):
    others = re.findall(r"[^\n]{0,30}(?:[가-힣]니다|[가-힣]다)[.!?](?=\s|$)", prose(path))
    assert others == [], "해요체 throughout"


# Speed and what follows from it, which no two runs have in common.
TIMED = {"tokens/s", "MB/s", "core-hours", "min", "USD"}


@pytest.mark.slow  # one lesson that reads text, and one that walks the whole road
@pytest.mark.parametrize("number", ["05", "12"])
def test_both_editions_executed_record_the_same_figures(number, tmp_path):
    recorded = {}
    for name, folder in {"en": course.notebooks_dir(), "ko": FOLDER}.items():
        output = tmp_path / name
        result = course.run_course(only=[number], output_dir=output, folder=folder)
        assert result.ok, result.notebooks[0].error
        metrics = result.notebooks[0].metrics
        recorded[name] = {
            what: None if found["unit"] in TIMED else found["value"]
            for what, found in metrics.items()
        }
    assert recorded["ko"] == recorded["en"]
    assert sum(value is not None for value in recorded["en"].values()) >= 5


def test_both_editions_use_the_words_of_the_glossary():
    table = (course.notebooks_dir() / "GLOSSARY.md").read_text("utf-8")
    words = re.findall(r"^\| (?!English)(\w[^|]*) \| ([^|]*) \|", table, re.M)
    assert len(words) > 80
    for place, folder in enumerate((course.notebooks_dir(), FOLDER)):
        cells = (c for path in course.find_notebooks(folder=folder) for c in read(path).cells)
        text = " ".join(c.source for c in cells if c.cell_type == "markdown").lower()
        text = re.sub(r"\s+|\*\*", " ", text).replace("  ", " ")
        missing = [
            word
            for row in words
            for word in re.sub(r" ?\([^)]*\)", "", row[place]).lower().split(", ")
            if word.removesuffix("다") not in text  # a verb is inflected
        ]
        assert missing == [], folder


# What notebook 10's set of native phrasing calls translationese, where a pattern is enough.
TRANSLATIONESE = (
    *(r"에 대해|에 대하여|에 대한", r"[을를] 통해|[을를] 통하여|[을를] 통한"),
    *(
        r"에 의해|에 의하여|에 의한",
        r"가지고 있|갖고 있",
        r"되어지|되어진|되어졌|혀지|혀진|보여지|보여진",
    ),
    *(r"중에 있|있는 중", r"그것|그들", r"에 있어서?[ ,]", r"으?로부터", r"에도 불구하고"),
    *(r"필요로 하|필요로 해", r"라고 불리|라고 불려", r"보다 더 "),
)


@each_notebook
def test_the_prose_has_none_of_the_translationese_that_notebook_10_counts(path):
    patterns = "|".join(TRANSLATIONESE)
    assert re.findall(rf"[^\n]{{0,20}}(?:{patterns})[^\n]{{0,10}}", prose(path)) == []


# --- What the command does ---------------------------------------------------------------


def english(*texts, code="1 + 1"):
    cells = [new_markdown_cell(text, id=f"cell-{n}") for n, text in enumerate(texts)]
    output = new_output("stream", text="2")
    return new_notebook(cells=[*cells, new_code_cell(code, id="code", outputs=[output])])


def translated(notebook, *texts):
    korean = korean_notebook("00_name", notebook)
    for cell, text in zip(korean.cells, texts, strict=False):
        cell.source = text
    return korean


def test_a_notebook_begins_with_the_english_text_marked_and_is_done_when_the_marks_are_gone():
    begun = korean_notebook("00_name", english("One.", "Two."))
    assert [cell.source for cell in begun.cells[:2]] == [TRANSLATE + "One.", TRANSLATE + "Two."]
    assert korean_edition.marked_cells(begun) == [
        "cell cell-0: translate",
        "cell cell-1: translate",
    ]
    done = translated(english("One.", "Two."), "하나예요.", "둘이에요.")
    assert korean_edition.marked_cells(done) == []
    assert korean_notebook("00_name", english("One.", "Two."), done) == done


def test_changed_english_keeps_the_korean_and_marks_it_until_the_mark_is_deleted():
    korean = translated(english("One.", "Two."), "하나예요.", "둘이에요.")
    changed = english("One!", "Two.")
    again = korean_notebook("00_name", changed, korean)
    assert [cell.source for cell in again.cells[:2]] == [STALE + "하나예요.", "둘이에요."]
    assert korean_notebook("00_name", changed, again) == again  # it does not settle by itself
    again.cells[0].source = "하나예요!"
    assert korean_edition.marked_cells(korean_notebook("00_name", changed, again)) == []


def test_english_whose_lines_are_filled_anew_asks_for_no_other_korean():
    korean = translated(english("One or\ntwo."), "하나나 둘이에요.")
    again = korean_notebook("00_name", english("One\nor two."), korean)
    assert korean_edition.marked_cells(again) == []


def test_english_that_changes_before_it_is_translated_is_shown_as_it_is_now():
    begun = korean_notebook("00_name", english("One."))
    again = korean_notebook("00_name", english("Uno."), begun)
    assert again.cells[0].source == TRANSLATE + "Uno."


def test_a_cell_that_moved_or_has_another_id_keeps_its_korean():
    korean = translated(english("One.", "Two."), "하나예요.", "둘이에요.")
    moved = english("New.", "Two.", "One.")
    again = korean_notebook("00_name", moved, korean)
    assert [c.source for c in again.cells[:3]] == [TRANSLATE + "New.", "둘이에요.", "하나예요."]


def test_korean_whose_english_is_gone_is_listed():
    korean = translated(english("One.", "Two."), "하나예요.", "둘이에요.")
    again = korean_notebook("00_name", english("One."), korean)
    assert [cell.source for cell in again.cells] == ["하나예요.", "1 + 1"]
    assert korean_edition.orphaned_cells(again, korean) == ["cell cell-1: orphaned, '둘이에요.'"]


def test_code_and_outputs_follow_the_english_notebook():
    korean = translated(english("One."), "하나예요.")
    korean.cells[1].source = "edited()"
    again = korean_notebook("00_name", english("One.", code="2 + 2"), korean)
    assert again.cells[1] == english("One.", code="2 + 2").cells[1]


def test_a_notebook_without_an_original_is_named(tmp_path):
    (tmp_path / "ko").mkdir()
    nbformat.write(english("One."), tmp_path / "00_here.ipynb")
    nbformat.write(english("One."), tmp_path / "ko" / "03_gone.ipynb")
    with pytest.raises(UserError, match=r"03_gone\.ipynb has no English original"):
        korean_edition.edition_files(folder=tmp_path)
