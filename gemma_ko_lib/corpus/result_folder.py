"""The folder of a run's result: which files are its own, how they get there, and reading them.

At the end stands how tasks write what the result's lists and its report are made of.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gemma_ko_lib.corpus.documents import InputFile, read_file
from gemma_ko_lib.runtime import UserError, read_json_object, write_whole

if TYPE_CHECKING:
    from datatrove.data import Document

REPORT = "report.json"
LISTS = ("rejects", "duplicates", "contaminated")
PARTIAL = ".partial"
OUT = "out"  # in .partial: the new result's files
# In .partial: the names of the former result's files, which go first; then a sign that they have
# gone, and that the new ones are being moved.
_FORMER, MOVING = "former.json", "moving"
DROPPED = "dropped"
HELD_OUT = "held_out"
_DOCUMENTS = "documents-*.jsonl.*"


def result_files(folder: Path) -> list[str]:
    """Names in a folder that are those of a result's files, without the report."""
    places = (_DOCUMENTS, f"{HELD_OUT}/{_DOCUMENTS}", f"{DROPPED}/*-?????.jsonl.gz")
    names = [path.relative_to(folder).as_posix() for place in places for path in folder.glob(place)]
    return sorted(names) + [
        f"{kind}.jsonl" for kind in LISTS if (folder / f"{kind}.jsonl").exists()
    ]


def former_files(output_dir: Path) -> list[str]:
    """The files of a folder's result, as its report lists them; also of one that is half moved.

    Raises:
        UserError: what is called a report is none.
    """
    report = output_dir / REPORT
    if report.exists():
        return _listed(report)
    partial = output_dir / PARTIAL
    names = _listed(partial / REPORT) if (partial / REPORT).exists() else []
    if (partial / _FORMER).exists():
        names += json.loads((partial / _FORMER).read_text("utf-8"))
    return names


def _listed(path: Path) -> list[str]:
    try:
        report = json.loads(path.read_text("utf-8"))
        lists = report.get("lists", [f"{kind}.jsonl" for kind in LISTS])
        return [entry["name"] for entry in report["files"]] + lists
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path} is not the report of a run; move it away, or give another folder with -o."
        ) from None


def remove_former(output_dir: Path, names: Iterable[str]) -> None:
    """Remove the report of the result in a folder, and those of the named files that are its."""
    # The report goes first: without it the rest is nothing finished.
    (output_dir / REPORT).unlink(missing_ok=True)
    for name in set(names) & set(result_files(output_dir)):
        (output_dir / name).unlink()
    for folder in (HELD_OUT, DROPPED):
        with contextlib.suppress(OSError):  # it is not there, or holds what is not ours
            (output_dir / folder).rmdir()


def move_into_place(partial: Path, output_dir: Path) -> None:
    """Put a whole result in the place of the former one; can be done again after a stop.

    Args:
        partial: its report, and its files in out/.
        output_dir: where they go, the report last.
    """
    if not (partial / MOVING).exists():
        if not (partial / _FORMER).exists():
            names = former_files(output_dir) if (output_dir / REPORT).exists() else []
            write_whole(partial / _FORMER, json.dumps(names))
        remove_former(output_dir, json.loads((partial / _FORMER).read_text("utf-8")))
        (partial / MOVING).touch()
    for name in result_files(partial / OUT):
        target = output_dir / name
        target.parent.mkdir(exist_ok=True)
        os.replace(partial / OUT / name, target)
    os.replace(partial / REPORT, output_dir / REPORT)


def read_clean(folder: str | Path, held_out: bool = False) -> Iterator["Document"]:
    """Read the documents of a finished folder.

    Args:
        folder: as written by `clean`.
        held_out: read the held-out side instead.

    Raises:
        UserError: see `clean_files`.
    """
    return (
        document
        for path in clean_files(folder, held_out)
        for document in read_file(InputFile(str(path), path.name, (), path.stat().st_size))
    )


def clean_files(folder: str | Path, held_out: bool = False) -> list[Path]:
    """The files of a finished folder that hold its documents.

    Args:
        folder: as written by `clean`.
        held_out: those of the held-out side instead.

    Raises:
        UserError: the folder is unfinished, files are missing or changed, or nothing was
            held out.
    """
    folder = Path(os.path.expanduser(folder))  # as `clean` takes it
    if not folder.exists():
        raise UserError(f"There is no folder {folder}. Check the path.")
    try:
        report = read_json_object(folder / REPORT)
        entries = [e for e in report["files"] if e["name"].startswith(f"{HELD_OUT}/") == held_out]
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} is no finished folder of clean documents: there is no {REPORT} in it. Make "
            "one: gemma-ko clean INPUT -o DIR."
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{folder / REPORT} is damaged ({reason}); clean the files again."
        ) from None
    if not entries:
        missing = "held-out documents; clean with hold_out above 0" if held_out else "documents"
        raise UserError(f"{folder} has no {missing}.")
    paths = [folder / entry["name"] for entry in entries]
    for path, entry in zip(paths, entries, strict=True):
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise UserError(f"{path} is missing or changed since it was written; clean again.")
    return paths


def sources_of(inputs: Iterable[str | Path]) -> list[dict[str, str]]:
    """What is known of the corpora that texts come from, for whoever passes a model on.

    Args:
        inputs: folders of clean documents, whose reports name the corpora that were fetched; other
            files and folders say nothing.

    Returns:
        "corpus", "licence" and "source" of each; `{"corpus": "other texts"}` at the end where they
        are not all. Empty where nothing is known.
    """
    found, others = {}, False
    for folder in map(Path, map(os.path.expanduser, inputs)):
        try:
            report = read_json_object(folder / REPORT)
        except (OSError, ValueError):
            report = {}
        sources = report.get("sources", [])
        for source in sources:
            known = {key: source[key] for key in ("corpus", "licence", "source") if key in source}
            found[tuple(known.items())] = known
        others |= sum(len(source["files"]) for source in sources) < report.get("input_files", 1)
    return [*found.values(), *[{"corpus": "other texts"}] * others] if found else []


# --- Lists, line by line, as the tasks of a run write them ---------------------------------


def task_lines(folder: Path, name: str, rank: int) -> Path:
    """The file of one task's JSON lines of some kind, e.g. its rejects."""
    return folder / f"{name}-{rank:05d}.jsonl"


def new_lines(folder: Path, name: str, rank: int) -> TextIO:
    """A task's file of JSON lines, opened to be written anew."""
    return open(task_lines(folder, name, rank), "w", encoding="utf-8")


def write_line(file: TextIO, record: dict) -> None:
    """Write one JSON line, as people read it."""
    file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_lines(path: Path) -> Iterator[dict]:
    """Read JSON lines."""
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def join_lines(folder: Path, name: str, tasks: int, target: Path) -> None:
    """Join the tasks' lines in order."""
    with open(target, "w", encoding="utf-8") as joined:
        for rank in range(tasks):
            with open(task_lines(folder, name, rank), encoding="utf-8") as part:
                joined.writelines(part)


def read_joined(folder: Path, name: str, tasks: int) -> Iterator[dict]:
    """Read the tasks' lines in order."""
    for rank in range(tasks):
        yield from read_lines(task_lines(folder, name, rank))
