"""The corpus pipeline: raw files in, a folder of clean documents and a report out.

    DIR/documents-NNNNN.jsonl.gz            id, text and metadata of each kept document (or .zst)
    DIR/held_out/documents-NNNNN.jsonl.gz   the same for evaluation, if a share was held out
    DIR/rejects.jsonl                       every record that was no document: file, line, reason
    DIR/duplicates.jsonl                    every duplicate, and the document that stays for it
    DIR/contaminated.jsonl                  every document with a piece of an evaluation set
    DIR/dropped/BLOCK-NNNNN.jsonl.gz        what was dropped, as it came in, with the rule's name;
                                            cleaned, if only then all personal data is found
    DIR/report.json                         counters of every step, written last

A folder without report.json is unfinished. The work happens in DIR/.partial, stage by
stage, and stays there when a run is stopped: the same command then goes on with the tasks
that are not done. A former result stays until the new one is whole; then those of its files
that its report lists are removed, and nothing else.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib import __version__
from gemma_ko_lib.corpus.clean_settings import CleanSettings, evaluation_files
from gemma_ko_lib.corpus.documents import InputFile, Note, find_files_and_notes
from gemma_ko_lib.corpus.report import build_report
from gemma_ko_lib.corpus.result_folder import (
    LISTS,
    MOVING,
    OUT,
    PARTIAL,
    REPORT,
    former_files,
    join_lines,
    move_into_place,
    remove_former,
    result_files,
    task_lines,
)
from gemma_ko_lib.corpus.sources.open_corpora import EVERYTHING, Limit, is_open
from gemma_ko_lib.runtime import (
    Progress,
    UserError,
    disk_errors,
    only_process,
    sha256_of,
    write_json,
    write_whole,
)

if TYPE_CHECKING:
    from gemma_ko_lib.corpus.executor import Stage

_PLAN, _CLOCK = "plan.json", "clock.json"
# Small files share a task, so that a million of them are not a million outputs; a file
# above this size is a task of its own.
_TASK_BYTES = 16_000_000


def clean(
    inputs: str | Path | Iterable[str | Path],
    output_dir: str | Path,
    settings: CleanSettings | None = None,
    workers: int = 1,
    executor: str = "local",
    slurm: dict[str, str] | None = None,
    progress: bool = True,
    limit: Limit = EVERYTHING,
) -> dict:
    """Clean files into a folder of documents; what `gemma-ko clean` calls.

    The documents are the same, byte for byte, whatever the executor and the number of
    workers, and whether the run was stopped in between.

    Args:
        inputs: files, archives, and folders of them; open:NAME and hf://datasets/….
        output_dir: where the results go; a former result there is replaced.
        settings: see `CleanSettings`.
        workers: tasks at once. A file is read by one of them.
        executor: "local", "ray" or "slurm".
        slurm: for Slurm: "partition", "time" and other options of sbatch.
        progress: say on stderr how far it is.
        limit: how much of each open:NAME and hf://… is taken.

    Returns:
        The report, as written to report.json; for Slurm {"jobs": numbers of the jobs}, the
        last of which writes it.

    Raises:
        UserError: a missing path, nothing to read, no document left, a full disk, an output
            folder that holds the inputs, a setting out of range, or one that would do nothing.
    """
    from gemma_ko_lib.corpus.executor import EXECUTORS, run_stages

    if executor not in EXECUTORS:
        raise UserError(f"No executor '{executor}' here. There is: {', '.join(EXECUTORS)}.")
    if workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}.")
    if slurm and executor != "slurm":
        raise UserError(f"Options for Slurm need the executor slurm, not {executor}.")
    settings = settings or CleanSettings()
    output_dir = Path(os.path.expanduser(output_dir)).absolute()
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if limit != EVERYTHING and not any(map(is_open, inputs)):
        raise UserError("A limit is for inputs open:NAME and hf://…; files are read whole.")
    files, left_out = find_files_and_notes(inputs, limit, quiet=not progress)
    _check_places(inputs, files, left_out, output_dir)
    partial = output_dir / PARTIAL
    with disk_errors(output_dir), only_process(output_dir):
        _prepare(output_dir, files, settings, quiet=not progress)
        run = CorpusRun(output_dir, files, left_out, settings)
        run.started -= _seconds_before(partial)
        with _show_progress(run, not progress):
            stages = run.stages(finish=executor == "slurm")
            jobs = run_stages(stages, executor, workers, partial / "logs", slurm or {})
        return {"jobs": jobs} if executor == "slurm" else run.finish()


def _check_places(
    inputs: list, files: list[InputFile], left_out: list[Note], output_dir: Path
) -> None:
    if not files:
        why = [f"{note.name} is left out: {note.reason}" for note in left_out[:3]]
        said = "; ".join(why) or "no files there"
        raise UserError(f"Nothing to read in {', '.join(map(str, inputs))}: {said}.")
    # Former results are removed from the output folder, so nothing to be read may lie there.
    target = output_dir.resolve()
    for given in inputs:
        if is_open(given):
            continue
        place = Path(os.path.expanduser(given)).resolve()
        if place == target or place in target.parents or target in place.parents:
            raise UserError(
                f"The input {given} and the output folder {output_dir} lie in one another; "
                "give an output folder outside of the inputs."
            )


# --- One run in one folder, from where it was stopped -----------------------------------


def _prepare(
    output_dir: Path, files: list[InputFile], settings: CleanSettings, quiet: bool
) -> None:
    """Go on with a stopped run of the same inputs and settings, or start from nothing."""
    partial = output_dir / PARTIAL
    exams = evaluation_files(settings.decontaminate)
    plan = {
        "version": __version__,  # another one may clean by other rules
        "files": [[*file, _modified(file.path)] for file in files],
        "settings": dataclasses.asdict(settings),
        "evaluation_sets": [[str(file), _modified(file)] for file in exams],
    }
    plan = json.loads(json.dumps(plan, default=str))
    path = partial / _PLAN
    is_placed = (output_dir / REPORT).exists() and (partial / MOVING).exists()
    if path.is_file() and json.loads(path.read_text("utf-8")) == plan and not is_placed:
        if not quiet:
            done = len(list((partial / "logs").glob("*/completions/*")))
            print(f"Going on with the stopped run: {done} tasks are done.", file=sys.stderr)
        return
    own = former_files(output_dir)
    foreign = [name for name in result_files(output_dir) if name not in own]
    if partial.exists() and not path.is_file() and any(partial.iterdir()):
        foreign.append(PARTIAL)
    if foreign:
        raise UserError(
            f"{output_dir} holds {foreign[0]}, which no finished run there has listed in its "
            f"{REPORT}; move it away, or give another folder with -o."
        )
    if own and not (output_dir / REPORT).exists():
        # Stopped between two results: neither is whole.
        remove_former(output_dir, own)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_whole(path, "{}")  # the folder is ours from now on
    if exams:
        from gemma_ko_lib.corpus.decontamination import build_index

        found = build_index(exams, partial / "evaluation")
        (partial / "evaluation" / "counts.json").write_text(json.dumps(found), "utf-8")
    write_whole(path, json.dumps(plan))  # in ASCII: a path may hold bytes that are no UTF-8


def _seconds_before(partial: Path) -> float:
    """What a stopped run has worked so far, up to the last task that it finished."""
    path, before = partial / _CLOCK, 0.0
    if path.is_file():
        start, before = json.loads(path.read_text("utf-8"))
        done = [file.stat().st_mtime for file in (partial / "logs").glob("*/completions/*")]
        before += max([0.0, *(at - start for at in done)])
    write_whole(path, json.dumps([time.time(), before]))
    return before


def _modified(path: str | Path) -> int:
    """When a file was changed; 0 where it has gone, as its reader will say."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def split_into_tasks(files: list[InputFile]) -> list[list[InputFile]]:
    """Group files into tasks; the grouping depends on the files only, not on the workers."""
    tasks: list[list[InputFile]] = []
    room = 0
    for file in files:
        if file.size > room or not tasks:
            tasks.append([])
            room = _TASK_BYTES
        tasks[-1].append(file)
        room -= file.size
    return tasks


class CorpusRun:
    """The stages of a run, and what follows them.

    Args:
        output_dir: of the result; the stages work in its .partial.
        files: inputs.
        left_out: files that are not read, and why.
        settings: see `CleanSettings`.
    """

    def __init__(
        self,
        output_dir: Path,
        files: list[InputFile],
        left_out: list[Note],
        settings: CleanSettings,
    ):
        self.output_dir, self.settings = output_dir, settings
        self.left_out = [note._asdict() for note in left_out]
        self.partial = output_dir / PARTIAL
        self.tasks = split_into_tasks(files)
        self.sources = _sources(files)
        self.input_bytes = sum(file.size for file in files)
        self.input_files = len(files)
        self.started = time.time()

    def stages(self, finish: bool = False) -> list["Stage"]:
        """The pipeline, for any executor.

        Args:
            finish: end with a stage that puts the result into place.
        """
        from gemma_ko_lib.corpus import blocks, duplicates
        from gemma_ko_lib.corpus.decontamination import Decontaminator
        from gemma_ko_lib.corpus.duplicate_keys import DuplicateKeys, parts_for
        from gemma_ko_lib.corpus.executor import Stage
        from gemma_ko_lib.corpus.spool import SpoolReader, SpoolWriter

        settings, tasks = self.settings, len(self.tasks)
        run = self.partial, settings
        read = [blocks.DocumentReader(self.tasks, *run), blocks.Cleaner(*run)]
        if settings.pii != "keep":
            read.append(blocks.Masker(*run))
        if settings.decontaminate:
            read.append(Decontaminator(self.partial / "evaluation", *run))
        write = blocks.CorpusWriter(*run)
        if settings.duplicates == "keep":
            stages = [Stage("clean", [*read, write], tasks)]
        else:
            parts = parts_for(self.input_bytes)
            stages = [
                Stage("clean", [*read, DuplicateKeys(*run), SpoolWriter(*run)], tasks),
                Stage("match", [duplicates.DuplicateMatch(parts, *run)], parts),
                Stage("resolve", [duplicates.DuplicateResolve(*run)], 1),
                Stage("write", [SpoolReader(*run), duplicates.DuplicateFilter(*run), write], tasks),
            ]
        return [*stages, Stage("finish", [self], 1)] if finish else stages

    def __call__(self, data, rank: int = 0, world_size: int = 1) -> None:
        """`finish` as a block, for an executor that runs when nobody waits."""
        self.finish()

    def finish(self) -> dict:
        """Add the counters up, put the documents into place, write the report, tidy up.

        Raises:
            UserError: no document is left; the report is there all the same.
        """
        ready = self.partial / REPORT
        if not ready.exists():
            write_json(ready, self._report())
        report = json.loads(ready.read_text("utf-8"))
        move_into_place(self.partial, self.output_dir)
        shutil.rmtree(self.partial, ignore_errors=True)
        if report["nothing_left"]:
            raise UserError(report["nothing_left"])
        return report

    def _report(self) -> dict:
        out = self.partial / OUT
        out.mkdir(exist_ok=True)
        for kind in LISTS:
            if task_lines(self.partial, kind, 0).exists():
                join_lines(self.partial, kind, len(self.tasks), out / f"{kind}.jsonl")
        try:
            report = build_report(self.partial, len(self.tasks), self.settings, self.left_out)
        except UserError:
            # The same command would end the same way: there is nothing to go on with.
            shutil.rmtree(self.partial, ignore_errors=True)
            raise
        names = result_files(out)
        documents = [name for name in names if name.rpartition("/")[2].startswith("documents-")]
        seconds = time.time() - self.started
        return report | {
            # What the run needed on disk beside its result: a larger one can be planned by it.
            "working_bytes": {
                name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                for name in ("spool", "keys", "matches")
                if (folder := self.partial / name).is_dir()
            },
            "files": [{"name": name, "bytes": (out / name).stat().st_size} for name in documents],
            "lists": [name for name in names if name not in documents],
            "sources": self.sources,
            "input_files": self.input_files,
            "input_file_bytes": self.input_bytes,
            "seconds": round(seconds, 3),
            # Of UTF-8 text, which is what other cleaners count.
            "mb_per_second": round(report["text_bytes"]["in"] / 1e6 / seconds, 3),
        }


def _sources(files: list[InputFile]) -> list[dict]:
    """Each corpus that was fetched: what it is, its licence, and which of its files were read."""
    sources: dict[tuple, list[dict]] = {}
    for file in files:
        if file.about:
            read = {"name": file.name, "bytes": file.size, "sha256": sha256_of(file.path)}
            sources.setdefault(file.about, []).append(read)
    return [{**dict(about), "files": read} for about, read in sources.items()]


# --- Progress -----------------------------------------------------------------------------


@contextlib.contextmanager
def _show_progress(run: CorpusRun, quiet: bool):
    """Add up what the tasks report, while the executor runs."""
    done = threading.Event()
    with Progress(None, "cleaning", "documents", quiet=quiet) as bar:
        watcher = threading.Thread(target=_watch, args=(run.partial, bar, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


# By the stages, the last one first.
_NOTES = {"write": "read; writing", "match": "read; looking for duplicates"}


def _watch(partial: Path, bar: Progress, done: threading.Event) -> None:
    shown = 0
    while not done.wait(1.0):
        counts = [path.read_text() for path in partial.glob("progress-*")]
        total = sum(int(count) for count in counts if count)
        logs = partial / "logs"
        note = next((said for stage, said in _NOTES.items() if (logs / stage).is_dir()), "")
        bar.update(max(total - shown, 0), note)
        shown = max(total, shown)
