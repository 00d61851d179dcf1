"""The corpus pipeline: raw files in, a folder of clean documents and a report out.

    DIR/documents-NNNNN.jsonl.gz            id, text and metadata of each kept document
    DIR/held_out/documents-NNNNN.jsonl.gz   the same for evaluation, if a share was held out
    DIR/rejects.jsonl                       every record that was no document: file, line, reason
    DIR/report.json                         counters of every step, written last

A folder without report.json is unfinished. The work happens in DIR/.partial, which is
gone afterwards, however the run ended.
"""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.corpus.documents import InputFile, find_files, read_file
from gemma_ko_lib.corpus.report import build_report, collect_rejects
from gemma_ko_lib.runtime import Progress, UserError, disk_error, whole_file

if TYPE_CHECKING:
    from datatrove.data import Document

REPORT = "report.json"
REJECTS = "rejects.jsonl"
_PARTIAL = ".partial"
_HELD_OUT = "held_out"
_OUTPUTS = "documents-*.jsonl.gz"
EXECUTORS = ("local",)
# Small files share a task, so that a million of them are not a million outputs; a file
# above this size is a task of its own.
_TASK_BYTES = 16_000_000


def clean(
    inputs: str | Path | Iterable[str | Path],
    output_dir: str | Path,
    workers: int = 1,
    executor: str = "local",
    hold_out: float = 0.0,
    hold_out_by: str | None = None,
    progress: bool = True,
) -> dict:
    """Clean files into a folder of documents; what `gemma-ko clean` calls.

    The documents are the same, byte for byte, whatever the number of workers.

    Args:
        inputs: .jsonl, .jsonl.gz, .txt or .txt.gz files, and folders of them.
        output_dir: where the results go; a former result there is replaced.
        workers: processes at once. A file is read by one of them.
        executor: "local".
        hold_out: share of documents to write to held_out/, 0 up to but not including 1.
        hold_out_by: metadata field whose equal values stay on one side, e.g. "movie_id".
        progress: say on stderr how many documents were read.

    Returns:
        The report, as written to report.json.

    Raises:
        UserError: a missing path, nothing to read, no document left, a full disk, an output
            folder that holds the inputs, or a setting out of range.
    """
    _check_settings(workers, executor, hold_out)
    output_dir = Path(output_dir).expanduser().absolute()
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    files = find_files(inputs)
    _check_places(inputs, files, output_dir)
    input_bytes = sum(os.path.getsize(file.path) for file in files)
    started = time.monotonic()
    partial = output_dir / _PARTIAL
    try:
        _remove_former_result(output_dir)
        partial.mkdir(parents=True)
        tasks = split_into_tasks(files)
        with _show_progress(partial, progress):
            _run(tasks, partial, workers, hold_out, hold_out_by)
        collect_rejects(partial, output_dir / REJECTS, len(tasks))
        report = build_report(partial, output_dir / REJECTS, len(tasks), hold_out, hold_out_by)
        report["files"] = _move_into_place(partial, output_dir)
        seconds = time.monotonic() - started
        report |= {
            "input_files": len(files),
            "input_file_bytes": input_bytes,
            "seconds": round(seconds, 3),
            # Of UTF-8 text, which is what other cleaners count.
            "mb_per_second": round(report["text_bytes"]["in"] / 1e6 / seconds, 3),
        }
        with whole_file(output_dir / REPORT) as file:
            json.dump(report, file, ensure_ascii=False, indent=1)
            file.write("\n")
    except OSError as error:
        raise disk_error(output_dir, error) from error
    finally:
        # Also frees the space again after a full disk.
        shutil.rmtree(partial, ignore_errors=True)
    return report


def _check_settings(workers: int, executor: str, hold_out: float) -> None:
    if executor not in EXECUTORS:
        raise UserError(f"No executor '{executor}' here. There is: {', '.join(EXECUTORS)}.")
    if workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}.")
    if not 0 <= hold_out < 1:
        raise UserError(f"hold_out is a share from 0 up to, not including, 1; {hold_out} is not.")


def _check_places(inputs: list, files: list[InputFile], output_dir: Path) -> None:
    if not files:
        raise UserError(f"Nothing to read in {', '.join(map(str, inputs))}: no files there.")
    # Former results are removed from the output folder, so nothing to be read may lie there.
    target = output_dir.resolve()
    for given in inputs:
        place = Path(given).expanduser().resolve()
        if place == target or place in target.parents or target in place.parents:
            raise UserError(
                f"The input {given} and the output folder {output_dir} lie in one another; "
                "give an output folder outside of the inputs."
            )


def _remove_former_result(output_dir: Path) -> None:
    # The report goes first: without it the rest is nothing finished.
    for path in (output_dir / REPORT, output_dir / REJECTS):
        path.unlink(missing_ok=True)
    for folder in (output_dir, output_dir / _HELD_OUT):
        for path in folder.glob(_OUTPUTS):
            path.unlink()
    shutil.rmtree(output_dir / _PARTIAL, ignore_errors=True)


def split_into_tasks(files: list[InputFile]) -> list[list[InputFile]]:
    """Group files into tasks; the grouping depends on the files only, not on the workers."""
    tasks: list[list[InputFile]] = []
    room = 0
    for file in files:
        size = os.path.getsize(file.path)
        if size > room or not tasks:
            tasks.append([])
            room = _TASK_BYTES
        tasks[-1].append(file)
        room -= size
    return tasks


def _run(
    tasks: list[list[InputFile]],
    partial: Path,
    workers: int,
    hold_out: float,
    hold_out_by: str | None,
) -> None:
    from gemma_ko_lib.corpus.blocks import Cleaner, CorpusWriter, DocumentReader
    from gemma_ko_lib.corpus.executor import LocalExecutor

    blocks = [
        DocumentReader(tasks, partial),
        Cleaner(partial),
        CorpusWriter(str(partial / "out"), hold_out, hold_out_by),
    ]
    LocalExecutor(
        blocks,
        tasks=len(tasks),
        workers=min(workers, len(tasks)),
        logging_dir=str(partial / "logs"),
        skip_completed=False,
    ).run()


@contextlib.contextmanager
def _show_progress(partial: Path, progress: bool):
    """Add up what the tasks report, while the executor runs."""
    done = threading.Event()
    with Progress(None, "cleaning", "documents", quiet=not progress) as bar:
        watcher = threading.Thread(target=_watch, args=(partial, bar, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _watch(partial: Path, bar: Progress, done: threading.Event) -> None:
    shown = 0
    while not done.wait(1.0):
        counts = [path.read_text() for path in partial.glob("progress-*")]
        total = sum(int(count) for count in counts if count)
        bar.update(max(total - shown, 0))
        shown = max(total, shown)


def _move_into_place(partial: Path, output_dir: Path) -> list[dict]:
    files = []
    out = partial / "out"
    for path in sorted(out.rglob(_OUTPUTS)):
        target = output_dir / path.relative_to(out)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
        name = target.relative_to(output_dir).as_posix()
        files.append({"name": name, "bytes": target.stat().st_size})
    return files


def read_clean(folder: str | Path, held_out: bool = False) -> Iterator["Document"]:
    """Read the documents of a finished folder.

    Args:
        folder: as written by `clean`.
        held_out: read the held-out side instead.

    Raises:
        UserError: the folder is unfinished, files are missing or changed, or nothing was
            held out.
    """
    folder = Path(folder)
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no {REPORT}: it is not a finished set of clean documents. "
            "Run `gemma-ko clean` again."
        ) from None
    except ValueError as error:
        raise UserError(f"{folder / REPORT} is damaged ({error}); clean the files again.") from None
    entries = [e for e in report["files"] if e["name"].startswith(f"{_HELD_OUT}/") == held_out]
    if not entries:
        missing = "held-out documents; clean with hold_out above 0" if held_out else "documents"
        raise UserError(f"{folder} has no {missing}.")
    paths = [folder / entry["name"] for entry in entries]
    for path, entry in zip(paths, entries, strict=True):
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise UserError(f"{path} is missing or changed since it was written; clean again.")
    return (document for path in paths for document in read_file(InputFile(str(path), path.name)))
