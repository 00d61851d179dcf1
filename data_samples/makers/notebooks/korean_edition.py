"""Makes the Korean edition, notebooks/ko: Korean prose around the English notebooks' code cells.

Code cells, outputs, order and metadata are taken from the English notebook, byte for byte, so an
execution of the English edition stands for both, and none is run twice. The prose is written in
notebooks/ko/NN_name.ipynb itself, in any notebook editor. Each Korean cell keeps the hash of the
English that it renders. Where the English is new or has changed, the command puts a line

    <!-- translate: … -->     on top of the English text, where there is no Korean yet
    <!-- stale: … -->         on top of the Korean text, which is kept

and lists these cells. Whoever has put the Korean right deletes the line; that is all. A notebook
that the edition lacks is begun by naming it (--begin NN). A test fails while a line of these
stands. The learner's copies, notebooks/ko/learner, are made as the English ones are.
"""

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from data_samples.makers.notebooks import heads
from gemma_ko_lib.course.notebook_files import find_notebooks, notebooks_dir, source_sha256
from gemma_ko_lib.runtime import UserError

FOLDER = "ko"
TRANSLATE = "<!-- translate: put Korean in place of this cell, this line too -->\n"
STALE = "<!-- stale: the English has changed; correct the Korean and delete this line -->\n"
_SETUP = """\
**시간과 메모리.** `PROFILE = "auto"`로 두면 JAX가 찾은 장치에 따라 `gpu`나 `tpu`를 고르고, 둘 다
없으면 `cpu`를 골라요. 세 프로필은 모두 구글의 Gemma 3 270M을 실행해요. `smoke`는 강좌에 딸려 오는
연습용 모델 nano를 실행하고, Gemma 가중치가 없으면 `auto`도 `smoke`를 골라요.

{table}
{counted}
다음 셀은 Colab이나 Kaggle처럼 강좌가 없는 곳에 강좌를 설치해요. 약 130 MB를 받는 데 1~2분이 걸리고,
Gemma 3 270M 가중치는 250 MB를 따로 받아요. 무엇을 하는지 하나하나 출력하고, 플랫폼에 있던 JAX는
건드리지 않으며, 런타임을 다시 시작하지 않아도 돼요. GPU나 TPU가 있는데 쓰지 못하면 마지막 줄에 그
까닭이 나와요."""
_COUNTED = """
“계산값”이라고 적힌 줄은 실행해서 잰 시간이 아니에요. `smoke`에 걸린 시간에 노트북의 연산에 걸릴
시간을 더한 값이에요. T4(float32)와 TPU v5e(칩 하나)는 최대 성능의 30%로 돈다고 보았고, CPU 코어
2개는 실제로 실행한 노트북의 속도에 맞추었어요. 그 노트북들에서 계산값과 잰 시간의 차이는 두 배가
안 돼요. 내려받는 시간은 들어 있지 않아요.
"""
# Of the English texts that _SETUP and _COUNTED render; a test fails when one has changed.
_SETUP_SHA256 = "b8e65bf31b588447b78a3fc060a55f52baae547c45671e2a0fac798bd7d1ba02"
_TABLE_WORDS = (
    (r"\| minutes \| peak memory \| on \|", "| 분 | 최대 메모리 | 컴퓨터 |"),
    (r"not run yet", "아직 재지 않음"),
    (r"\| about (\d+) \|", r"| 약 \1 |"),
    (r"\| a T4\b", "| T4"),
    (r"counted, not run", "계산값, 실행하지 않음"),
    (r"2 CPU cores", "CPU 코어 2개"),
    (r"\((\d+) cores\)", r"(\1코어)"),
    (r"(\d+) lessons at once", r"노트북 \1개 동시 실행"),
    (r"other work beside it", "다른 작업과 함께"),
    (r" and a pause of (\d+) minutes", r", 중간에 \1분 멈춤"),
)


def setup_is_current() -> bool:
    """Whether the Korean setup text renders the English one as it stands in `heads`."""
    return source_sha256(heads.SETUP + heads.COUNTED) == _SETUP_SHA256


def _made(name: str, english: NotebookNode) -> str | None:
    """The Korean source of a cell that the edition writes itself; None for other cells."""
    if english.id == "badges":
        return english.source.replace("/notebooks/", f"/notebooks/{FOLDER}/")
    if english.id == "setup":
        setup = heads.setup_text(name, _SETUP, _COUNTED)
        for words, korean in _TABLE_WORDS:
            setup = re.sub(words, korean, setup)
        return setup
    return None


# --- One notebook ----------------------------------------------------------------------


def korean_notebook(
    name: str, english: NotebookNode, korean: NotebookNode | None = None
) -> NotebookNode:
    """Make a notebook of the edition anew.

    Args:
        name: the notebook's, without .ipynb.
        english: the notebook that it renders.
        korean: the edition's notebook as it stands; its prose is kept. None begins one.

    Returns:
        The English notebook with Korean prose where there is some; other cells are marked.
    """
    written = _prose(korean) if korean else []
    by_hash = {_rendered(cell): cell for cell in written}
    texts = {_hash(cell.source) for cell in _prose(english)}
    by_id = {cell.id: cell for cell in written if _rendered(cell) not in texts}
    notebook = nbformat.from_dict(json.loads(json.dumps(english)))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            continue
        sha256 = _hash(cell.source)
        made = _made(name, cell)
        # A cell that was moved or was given another id is still the same text.
        old = by_hash.get(sha256) or by_id.get(cell.id)
        cell.source = _source(cell.source, sha256, old) if made is None else made
        cell.metadata["gemma_ko"] = {"english_sha256": sha256}
    return notebook


def _source(english: str, sha256: str, old: NotebookNode | None) -> str:
    if old is None or (old.source.startswith(TRANSLATE) and _rendered(old) != sha256):
        return TRANSLATE + english
    if _rendered(old) == sha256:
        return old.source
    return STALE + old.source.removeprefix(STALE)


def _hash(english: str) -> str:
    """Fingerprint of a text's words: lines that are filled anew ask for no other Korean."""
    return source_sha256(" ".join(english.split()))


def _prose(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _rendered(cell: NotebookNode) -> str | None:
    """Hash of the English text that a Korean cell renders."""
    return cell.metadata.get("gemma_ko", {}).get("english_sha256")


def marked_cells(notebook: NotebookNode) -> list[str]:
    """List the cells of a notebook of the edition that wait for a translator, with their state."""
    return [
        f"cell {cell.id}: {mark.partition(':')[0].removeprefix('<!-- ')}"
        for cell in _prose(notebook)
        for mark in (TRANSLATE, STALE)
        if cell.source.startswith(mark.strip())
    ]


def orphaned_cells(notebook: NotebookNode, korean: NotebookNode) -> list[str]:
    """List Korean cells whose English is gone; a notebook made anew has no place for them."""
    kept = {cell.id for cell in notebook.cells} | {cell.source for cell in notebook.cells}
    return [
        f"cell {cell.id}: orphaned, {cell.source.partition(chr(10))[0][:60]!r}"
        for cell in _prose(korean)
        if cell.id not in kept and cell.source not in kept
    ]


# --- The edition -----------------------------------------------------------------------


def edition_files(begin: list[str] | None = None, folder: Path | None = None) -> dict[Path, str]:
    """Every notebook of the edition by path, with the text that belongs into it.

    Args:
        begin: numbers or names of notebooks that the edition lacks and shall have.
        folder: the English notebooks; the course's own when None.

    Raises:
        UserError: the edition has a notebook that has no English original.
    """
    folder = notebooks_dir() if folder is None else Path(folder)
    originals = {path.stem: path for path in find_notebooks(folder=folder)}
    begun = {path.stem for path in find_notebooks(begin, folder)} if begin else set()
    there = {path.stem for path in (folder / FOLDER).glob("*.ipynb")}
    if without := sorted(there - set(originals)):
        raise UserError(
            f"{folder / FOLDER / without[0]}.ipynb has no English original. Rename it after the "
            "notebook that it renders, or delete it."
        )
    files = {}
    for name in sorted(there | begun):
        path = folder / FOLDER / f"{name}.ipynb"
        korean = nbformat.read(path, as_version=4) if name in there else None
        notebook = korean_notebook(name, nbformat.read(originals[name], as_version=4), korean)
        files[path] = nbformat.writes(notebook).rstrip("\n") + "\n"
    return files


def waiting_cells(files: dict[Path, str]) -> list[str]:
    """List what waits for a translator in `edition_files`, before they are written."""
    waiting = []
    for path, text in files.items():
        notebook = nbformat.reads(text, as_version=4)
        found = marked_cells(notebook)
        if path.exists():
            found += orphaned_cells(notebook, nbformat.read(path, as_version=4))
        waiting += [f"{path.name}, {what}" for what in found]
    if not setup_is_current():
        waiting.append("heads.py, its text on time and memory: stale, see _SETUP in this module")
    return waiting
