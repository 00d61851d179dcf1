"""Local links of the documents and notebooks lead somewhere; no network is used."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from data_samples.makers.notebooks.heads import ROOT, repository

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^()\s]+(?:\([^()\s]*\))?[^()\s]*)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
DOCUMENTS = [
    path
    for pattern in ("*.md", "notebooks/**/*.md", "data_samples/**/*.md", "tests/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def text_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text("utf-8")
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a Markdown text."""
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?)\s*#*$", _CODE.sub("", text), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading)
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


def broken(path: Path, text: str) -> list[str]:
    """Links to files or headings that are not there, in this repository's own addresses too."""
    found = []
    for link in _LINK.finditer(_CODE.sub("", text)):
        target, _, anchor = link["target"].partition("#")
        own = re.match(rf"{re.escape(repository())}/(?:blob|tree)/main/(.+)", target)
        if re.match(r"[a-z]+:", target) and not own:
            continue
        place = ROOT / own[1] if own else path.parent / target if target else path
        if "ko" in path.parts and not place.exists():
            place = ROOT / "notebooks" / target  # a lesson that has no translation yet
        headed = anchor and place.suffix == ".md"
        if not place.exists() or (headed and anchor not in anchors(text_of(place))):
            found.append(link["target"])
    return found


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *NOTEBOOKS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_local_links_lead_somewhere(path):
    assert broken(path, text_of(path)) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# Two words (둘)\n\n`[x](code.md)`\n", "utf-8")
    page = tmp_path / "page.md"
    right = "# Here\n[a](there.md) [b](there.md#two-words-둘) [c](#here) [d](https://example.com/x)"
    page.write_text(right, "utf-8")
    assert broken(page, right) == []
    wrong = f"[a](gone.md) [b](there.md#three) [c](#there) [d]({repository()}/blob/main/gone.md)"
    assert len(broken(page, wrong)) == 4


_FILE = re.compile(r"`((?:gemma_ko_lib|data_samples|notebooks|tests)/[\w./-]*)`")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_are_there(path):
    named = (name for name in _FILE.findall(path.read_text("utf-8")) if "NAME" not in name)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_on_other_languages_names_every_file_whose_code_holds_hangul():
    page = (ROOT / "notebooks" / "OTHER_LANGUAGES.md").read_text("utf-8")
    named = re.findall(r"`((?:gemma_ko_lib|data_samples|notebooks)/[^`]*)`", page)
    assert [path for path in named if not (ROOT / path).exists()] == []
    for path in sorted((ROOT / "gemma_ko_lib").rglob("*.py")):
        inside = path.relative_to(ROOT).as_posix()
        if not any(inside.startswith(name) for name in named):
            assert not hangul_in_code(path.read_text("utf-8")), inside


def hangul_in_code(source: str) -> list[str]:
    """String constants with Hangul, but for docstrings."""
    tree = ast.parse(source)
    notes = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [n.value for n in texts if id(n) not in notes and re.search("[ㄱ-ㅣ가-힣]", n.value)]


def test_citation_and_release_notes_are_those_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == project["version"]
    assert citation["repository-code"] == repository()
    assert citation["license"] == project["license"]
    notes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## (\S+)", notes, re.M)[1] == project["version"]


def test_forms_for_issues_ask_for_what_is_needed():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    form = yaml.safe_load((folder / "lesson.yml").read_text("utf-8"))
    asked = {field["id"] for field in form["body"] if field["validations"]["required"]}
    assert {"notebook", "cell", "profile", "doctor"} <= asked
    for path in folder.glob("*.yml"):
        assert yaml.safe_load(path.read_text("utf-8")), path
