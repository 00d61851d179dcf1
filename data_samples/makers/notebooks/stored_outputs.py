"""Stores the outputs of a run in the committed notebooks, and checks these.

The committed notebooks carry the outputs of a run, so that they read well unexecuted.
Each code cell holds the hash of the source that made its outputs, which reveals a later edit.
"""

import base64
import io
import json
import re
import sysconfig
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from gemma_ko_lib.course.notebook_files import source_sha256
from gemma_ko_lib.runtime import UserError, write_whole

MAX_STORED_BYTES = 900_000
_VOLATILE_CELL_METADATA = ("papermill", "execution", "ExecuteTime", "gemma_ko")
_PLATFORM_METADATA = ("accelerator", "colab", "kaggle")
_WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
# Roots that name somebody's machine. Folders of a hosted platform (/content, /kaggle) and
# routes (/v1/chat/completions) are the same for every reader and may stay.
_LOCAL_PATH = re.compile(
    r"(?:(?<![\w.~-])/(?:home|root|tmp|Users|var|private|opt|usr|mnt|media|srv|workspace|work)/"
    r"|\b[A-Za-z]:\\{1,2}Users\\)[^\s'\"<>]*"
)


def store_outputs(executed_dir: str | Path, notebooks_dir: str | Path) -> list[Path]:
    """Put the outputs of a successful run into the committed notebooks.

    The notebook keeps its own cells and metadata and takes only outputs, without what differs
    from machine to machine: warnings, progress bars, widget state, local paths.

    Args:
        executed_dir: output folder of `course.run_course`.
        notebooks_dir: the notebooks to write into.

    Returns:
        The notebooks written.

    Raises:
        UserError: some notebooks could not be stored (the message says which and why); the
            others have been.
    """
    executed_dir, notebooks_dir = Path(executed_dir), Path(notebooks_dir)
    written, problems = [], []
    for path in sorted(notebooks_dir.glob("*.ipynb")):
        executed = executed_dir / path.name
        if not executed.exists():
            continue
        notebook = nbformat.read(path, as_version=4)
        found = _take_outputs(notebook, nbformat.read(executed, as_version=4), executed_dir)
        text = nbformat.writes(notebook).rstrip("\n") + "\n"
        found = found or _problems(notebook, len(text.encode()))
        if found:
            problems += [f"{path.name}: {problem}" for problem in found]
            continue
        write_whole(path, text)
        written.append(path)
    if problems:
        raise UserError("Outputs not stored:\n  " + "\n  ".join(problems))
    if not written:
        raise UserError(f"{executed_dir} holds no executed notebook of {notebooks_dir}.")
    return written


def _take_outputs(notebook: NotebookNode, executed: NotebookNode, folder: Path) -> list[str]:
    run = executed.metadata.get("papermill", {})
    if run.get("exception"):
        return ["its run failed; put it right and run it again"]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ran = [
        cell
        for cell in executed.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    if [cell.source for cell in cells] != [cell.source for cell in ran]:
        return ["its code has changed since the run; run it again"]
    if any(cell.source.strip() and cell.execution_count is None for cell in ran):
        return ["its run did not reach the last cell; run it again"]

    replacements = _local_folders(folder, executed)
    for number, (cell, done) in enumerate(zip(cells, ran, strict=True), start=1):
        cell.execution_count = number
        cell.outputs = [
            _clean_output(output, number, replacements)
            for output in done.outputs
            if not (output.output_type == "stream" and output.name == "stderr")
        ]
    _settle_metadata(notebook)
    return []


def _settle_metadata(notebook: NotebookNode) -> None:
    notebook.metadata = NotebookNode(
        {key: notebook.metadata[key] for key in _PLATFORM_METADATA if key in notebook.metadata},
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    taken = {cell.get("id") for cell in notebook.cells}
    names = (name for n in range(1, 10_000) if (name := f"cell-{n}") not in taken)
    for cell in notebook.cells:
        if not cell.get("id"):
            cell["id"] = next(names)
        for key in _VOLATILE_CELL_METADATA:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.metadata["gemma_ko"] = {"source_sha256": source_sha256(cell.source)}


def _local_folders(executed_dir: Path, executed: NotebookNode) -> list[tuple[re.Pattern, str]]:
    """List patterns of this machine's folders and what replaces them, the longest first."""
    folders = {
        Path.home(): "~",
        Path.cwd(): "gemma-ko",
        Path(__file__).parents[3]: "gemma-ko",
        Path(sysconfig.get_path("purelib")): "site-packages",
        Path(sysconfig.get_path("stdlib")): "python",
        Path(executed_dir): "course-output",
    }
    if output_dir := executed.metadata.papermill.parameters.get("OUTPUT_DIR"):
        folders[Path(output_dir)] = "course-output/artefacts"
    names = {str(p): name for folder, name in folders.items() for p in (folder, folder.resolve())}
    names.pop("/", None)  # a home folder "/" would match every path
    patterns = [
        (re.compile(rf"(?<![\w.~-]){re.escape(name)}(?![\w-])"), names[name])
        for name in sorted(names, key=len, reverse=True)
        if Path(name).is_absolute()
    ]
    temporary = re.escape(tempfile.gettempdir())
    patterns.append((re.compile(rf"{temporary}/(?:tmp\w+|ipykernel_\d+)"), "temporary"))
    return patterns


def _clean_output(output: NotebookNode, number: int, replacements) -> NotebookNode:
    output = NotebookNode(output)
    data = output.get("data", {})
    data.pop(_WIDGET_MIME, None)
    if "image/png" in data:
        data["image/png"] = _with_palette(data["image/png"])
    if output.output_type == "execute_result":
        output.execution_count = number
    return _replace(output, replacements)


def _with_palette(png: str) -> str:
    """A PNG in base64 with 256 colours at most: plots look the same in a third of the bytes."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "RGBA" and picture.getextrema()[3][0] < 255:
        return png  # transparent: which colour is behind it is not known
    small = io.BytesIO()
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return min(png, base64.b64encode(small.getvalue()).decode(), key=len)


def _replace(value, replacements):
    if isinstance(value, dict):
        # Base64 could spell a path by chance, and changing it would break the image.
        return NotebookNode(
            {k: v if _is_image(k) else _replace(v, replacements) for k, v in value.items()}
        )
    if isinstance(value, list):
        return [_replace(item, replacements) for item in value]
    if isinstance(value, str):
        for pattern, name in replacements:
            value = pattern.sub(name, value)
    return value


def _is_image(mime: str) -> bool:
    return mime.startswith("image/") and mime != "image/svg+xml"


def check_stored_outputs(path: str | Path) -> list[str]:
    """List what is wrong with a committed notebook's outputs.

    This finds cells that were edited, added, removed or moved since their outputs were made,
    errors, warnings and progress on stderr, local paths, widget state, and files over 900 KB.
    """
    path = Path(path)
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError) as error:
        return [f"not a valid notebook: {error}"]
    return _problems(notebook, path.stat().st_size)


def _problems(notebook: NotebookNode, size: int) -> list[str]:
    problems = []
    if size > MAX_STORED_BYTES:
        problems.append(f"{size:,} bytes; at most {MAX_STORED_BYTES:,} (fewer or smaller plots)")
    if "widgets" in notebook.metadata or "papermill" in notebook.metadata:
        problems.append("holds widget or papermill metadata")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        stored = cell.metadata.get("gemma_ko", {}).get("source_sha256")
        first_line = next(iter(cell.source.strip().splitlines()), "")
        where = f"code cell {number} ({first_line[:50]!r})"
        if stored is None:
            problems.append(f"{where}: has no source_sha256, so its outputs prove nothing")
        elif stored != source_sha256(cell.source):
            problems.append(f"{where}: was edited after its outputs were made")
        if cell.execution_count != number:
            problems.append(f"{where}: execution count {cell.execution_count}, not {number}")
        problems += [f"{where}: {problem}" for problem in _output_problems(cell.outputs)]
    return problems


def _output_problems(outputs: list[NotebookNode]) -> list[str]:
    problems = []
    for output in outputs:
        if output.output_type == "error":
            problems.append(f"holds the error {output.ename}: {output.evalue}")
        elif output.output_type == "stream" and output.name == "stderr":
            problems.append("holds stderr output")
        data = output.get("data", {})
        if _WIDGET_MIME in data:
            problems.append("holds a widget")
        text = {mime: value for mime, value in data.items() if not _is_image(mime)}
        content = [output.get("text", ""), *map(_as_text, text.values())]
        problems += [
            f"holds the local path {match[0]}"
            for part in content
            for match in _LOCAL_PATH.finditer(part)
        ]
    return problems


def _as_text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
