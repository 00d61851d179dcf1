"""Finds the course's notebooks, and what is recorded of their runs."""

import hashlib
import json
import re
from pathlib import Path

from gemma_ko_lib.runtime import UserError, samples_dir

_LESSON = re.compile(r"\d\d[a-z]?_\w+\.ipynb")


def notebooks_dir() -> Path:
    """The course's notebooks: beside the library in a checkout, inside it in a wheel.

    Raises:
        UserError: the installation has no notebooks.
    """
    package = Path(__file__).parent.parent
    for folder in (package.parent / "notebooks", package / "notebooks"):
        if folder.is_dir():
            return folder
    raise UserError(
        "This installation of gemma-ko has no notebooks folder. Clone the repository and run "
        "the course from there."
    )


def find_notebooks(only: list[str] | None = None, folder: Path | None = None) -> list[Path]:
    """List the notebooks in course order.

    Args:
        only: numbers ("5", "05"; "3" is 03a and 03b where a lesson has parts) or names
            ("05_korean_corpus", with or without .ipynb); all of them when None or empty.
        folder: where to look; the course's own folder when None.

    Raises:
        UserError: there are no notebooks, or `only` names one that there is not.
    """
    folder = notebooks_dir() if folder is None else Path(folder)
    found = sorted(p for p in folder.glob("*.ipynb") if _LESSON.match(p.name))
    if not found:
        raise UserError(f"No notebooks named NN_name.ipynb in {folder}.")
    if not only:
        return found
    chosen = set()
    for wanted in only:
        name = Path(wanted).name.removesuffix(".ipynb")
        number = f"0{name}" if re.fullmatch(r"\d[a-z]?", name) else name
        matches = {p for p in found if number in (p.stem, p.stem[:2], p.stem.split("_")[0])}
        if not matches:
            there = ", ".join(path.stem for path in found)
            raise UserError(f"There is no notebook {wanted!r}. There are: {there}.")
        chosen |= matches
    return [path for path in found if path in chosen]


def source_sha256(source: str) -> str:
    """Fingerprint of a cell's source, kept beside the outputs that it made."""
    return hashlib.sha256(source.encode()).hexdigest()


def times_file() -> Path:
    """The file that holds the recorded runs of all lessons."""
    return samples_dir() / "lesson_times.json"


def recorded_runs() -> list[dict]:
    """The recorded runs: lesson, profile, machine, date, seconds, memory, seconds of sections."""
    return json.loads(times_file().read_text("utf-8"))
