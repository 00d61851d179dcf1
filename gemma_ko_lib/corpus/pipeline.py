"""The corpus pipeline: raw files in, a folder of clean documents and a report out.

    DIR/documents-NNNNN.jsonl.gz            id, text and metadata of each kept document (or .zst)
    DIR/held_out/documents-NNNNN.jsonl.gz   the same for evaluation, if a share was held out
    DIR/rejects.jsonl                       every record that was no document: file, line, reason
    DIR/duplicates.jsonl                    every duplicate, and the document that stays for it
    DIR/contaminated.jsonl                  every document with a piece of an evaluation set
    DIR/dropped/BLOCK-NNNNN.jsonl.gz        what was dropped, as it came in, with the rule's name
    DIR/report.json                         counters of every step, written last

A folder without report.json is unfinished. The work happens in DIR/.partial, stage by
stage, and stays there when a run is stopped: the same command then goes on with the tasks
that are not done. A former result stays until the new one is whole; then those of its files
that its report lists are removed, and nothing else.
"""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.corpus.documents import InputFile, Note, find_files_and_notes, read_file
from gemma_ko_lib.corpus.report import build_report
from gemma_ko_lib.corpus.sources.records import DOCUMENTS_BY, Fields
from gemma_ko_lib.runtime import Progress, UserError, disk_error, only_process, whole_file

if TYPE_CHECKING:
    from datatrove.data import Document

    from gemma_ko_lib.corpus.executor import Stage
    from gemma_ko_lib.corpus.sources.reading import Reading

REPORT = "report.json"
LISTS = ("rejects", "duplicates", "contaminated")
_PARTIAL = ".partial"
_PLAN = "plan.json"
_HELD_OUT = "held_out"
_DROPPED = "dropped"
# In .partial: the report before its files are in place, and a sign that moving has begun.
_MOVING = "moving"
_DOCUMENTS = "documents-*.jsonl.*"
PII = ("placeholder", "surrogate", "keep")
URLS = ("personal", "all", "keep")
DUPLICATES = ("near", "exact", "keep")
COMPRESSION = ("gzip", "zstd")
# Small files share a task, so that a million of them are not a million outputs; a file
# above this size is a task of its own.
_TASK_BYTES = 16_000_000


@dataclasses.dataclass(frozen=True)
class CleanSettings:
    """What decides the documents of a run; where and how fast it runs does not.

    Attributes:
        languages: documents in these are kept.
        quality: also apply FineWeb-2's measures, with words by a morphological analyser.
        pii: personal data becomes a "placeholder" or a "surrogate", or is left ("keep").
        duplicates: take out "near" (and exact) or "exact" ones, or none ("keep").
        decontaminate: evaluation sets no piece of which may be in the documents.
        hold_out: share of documents to write to held_out/, 0 up to but not including 1.
        hold_out_by: metadata field whose equal values stay on one side, e.g. "movie_id".
        seed: of the surrogates.
        urls: which links are personal data: "personal" (those to a person's page), "all" or,
            with "keep", none.
        names: names of persons and dates of birth are personal data too; see `pii.find_pii`.
        show: how many examples of each rule the report holds.
        keep_dropped: write what is dropped to dropped/, with the rule's name.
        documents_by: how the documents of a text file are parted, see `sources.texts`.
        text_field: name of the text in tables and JSON, where nobody can know it.
        title_field: name of a title to stand above it.
        id_field: name of what a document is called by.
        compression: of the documents, "gzip" or "zstd".
    """

    languages: tuple[str, ...] = ("ko",)
    quality: bool = False
    pii: str = "placeholder"
    duplicates: str = "near"
    decontaminate: tuple[str, ...] = ()
    hold_out: float = 0.0
    hold_out_by: str | None = None
    seed: int = 0
    urls: str = "personal"
    names: bool = False
    show: int = 3
    keep_dropped: bool = False
    documents_by: str = "auto"
    text_field: str | None = None
    title_field: str | None = None
    id_field: str | None = None
    compression: str = "gzip"

    def __post_init__(self):
        for name, known in (
            ("pii", PII),
            ("duplicates", DUPLICATES),
            ("urls", URLS),
            ("documents_by", DOCUMENTS_BY),
            ("compression", COMPRESSION),
        ):
            if getattr(self, name) not in known:
                raise UserError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)}.")
        if not 0 <= self.hold_out < 1:
            raise UserError(
                f"hold_out is a share from 0 up to, not including, 1; {self.hold_out} is not."
            )
        if (self.title_field or self.id_field) and not self.text_field:
            raise UserError("title_field and id_field need text_field: the field of the text.")
        if self.show < 0:
            raise UserError(f"show is a number of examples, 0 or more; {self.show} is not.")
        for path in self.decontaminate:
            if not Path(path).is_file():
                raise UserError(f"There is no evaluation set {path}. Check the path.")

    def reading(self) -> "Reading":
        """What readers are told."""
        from gemma_ko_lib.corpus.sources.reading import Reading

        return Reading(self.documents_by, Fields(self.text_field, self.title_field, self.id_field))


def clean(
    inputs: str | Path | Iterable[str | Path],
    output_dir: str | Path,
    settings: CleanSettings | None = None,
    workers: int = 1,
    executor: str = "local",
    slurm: dict[str, str] | None = None,
    progress: bool = True,
) -> dict:
    """Clean files into a folder of documents; what `gemma-ko clean` calls.

    The documents are the same, byte for byte, whatever the executor and the number of
    workers, and whether the run was stopped in between.

    Args:
        inputs: files, archives, and folders of them.
        output_dir: where the results go; a former result there is replaced.
        settings: see `CleanSettings`.
        workers: tasks at once. A file is read by one of them.
        executor: "local", "ray" or "slurm".
        slurm: for Slurm: "partition", "time" and other options of sbatch.
        progress: say on stderr how far it is.

    Returns:
        The report, as written to report.json; for Slurm {"jobs": numbers of the jobs}, the
        last of which writes it.

    Raises:
        UserError: a missing path, nothing to read, no document left, a full disk, an output
            folder that holds the inputs, or a setting out of range.
    """
    with warnings.catch_warnings():
        # tqdm, on its first import in a notebook, asks for a package that nothing here uses.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from gemma_ko_lib.corpus.executor import EXECUTORS, run_stages

    if executor not in EXECUTORS:
        raise UserError(f"No executor '{executor}' here. There is: {', '.join(EXECUTORS)}.")
    if workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}.")
    settings = settings or CleanSettings()
    output_dir = Path(output_dir).expanduser().absolute()
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    files, left_out = find_files_and_notes(inputs)
    _check_places(inputs, files, output_dir)
    partial = output_dir / _PARTIAL
    try:
        with only_process(output_dir):
            _prepare(output_dir, files, settings, quiet=not progress)
            run = CorpusRun(output_dir, files, left_out, settings)
            with _show_progress(run, not progress):
                stages = run.stages(finish=executor == "slurm")
                jobs = run_stages(stages, executor, workers, partial / "logs", slurm or {})
            return {"jobs": jobs} if executor == "slurm" else run.finish()
    except OSError as error:
        raise disk_error(output_dir, error) from error


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


# --- One run in one folder, from where it was stopped -----------------------------------


def _prepare(
    output_dir: Path, files: list[InputFile], settings: CleanSettings, quiet: bool
) -> None:
    """Go on with a stopped run of the same inputs and settings, or start from nothing."""
    partial = output_dir / _PARTIAL
    plan = {
        "files": [[*file, _modified(file.path)] for file in files],
        "settings": dataclasses.asdict(settings),
        "evaluation_sets": [_modified(path) for path in settings.decontaminate],
    }
    plan = json.loads(json.dumps(plan))
    path = partial / _PLAN
    is_placed = (output_dir / REPORT).exists() and (partial / _MOVING).exists()
    if path.is_file() and json.loads(path.read_text("utf-8")) == plan and not is_placed:
        if not quiet:
            done = len(list((partial / "logs").glob("*/completions/*")))
            print(f"Going on with the stopped run: {done} tasks are done.", file=sys.stderr)
        return
    own = set(_former_files(output_dir))
    foreign = [name for name in _results(output_dir) if name not in own]
    if partial.exists() and not path.is_file() and any(partial.iterdir()):
        foreign.append(_PARTIAL)
    if foreign:
        raise UserError(
            f"{output_dir} holds {foreign[0]}, which no finished run there has listed in its "
            f"{REPORT}; move it away, or give another folder with -o."
        )
    if (partial / _MOVING).exists():
        # Stopped between two results: neither is whole.
        _remove_former(output_dir)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    path.write_text("{}", "utf-8")  # the folder is ours from now on
    if settings.decontaminate:
        from gemma_ko_lib.corpus.decontamination import build_index

        found = build_index(settings.decontaminate, partial / "evaluation")
        (partial / "evaluation" / "counts.json").write_text(json.dumps(found), "utf-8")
    with whole_file(path) as file:
        json.dump(plan, file)  # in ASCII: a path may hold bytes that are no UTF-8


def _modified(path: str) -> int:
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
        self.partial = output_dir / _PARTIAL
        self.tasks = split_into_tasks(files)
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
        from gemma_ko_lib.corpus.pii import mask_pii
        from gemma_ko_lib.corpus.spool import SpoolReader, SpoolWriter

        partial, settings, tasks = self.partial, self.settings, len(self.tasks)
        show, dropped = (
            settings.show,
            (partial / "out" / _DROPPED if settings.keep_dropped else None),
        )
        how = {
            "replacement": settings.pii,
            "seed": settings.seed,
            "urls": settings.urls,
            "names": settings.names,
        }
        mask = None if settings.pii == "keep" else functools.partial(mask_pii, **how)
        read = [
            blocks.DocumentReader(self.tasks, partial, settings.reading()),
            blocks.Cleaner(partial, settings.languages, settings.quality, show, dropped, mask),
        ]
        if mask:
            read.append(blocks.Masker(partial, **how, show=show))
        if settings.decontaminate:
            read.append(Decontaminator(partial / "evaluation", partial, dropped))
        out, side = str(partial / "out"), (settings.hold_out, settings.hold_out_by)
        write = [blocks.CorpusWriter(out, *side, settings.compression)]
        if settings.duplicates == "keep":
            stages = [Stage("clean", [*read, *write], tasks)]
        else:
            near = settings.duplicates == "near"
            keys, matches, spool = partial / "keys", partial / "matches", partial / "spool"
            parts = parts_for(self.input_bytes)
            match = duplicates.DuplicateMatch(keys, matches, parts, near)
            resolve = duplicates.DuplicateResolve(keys, matches)
            left_out = duplicates.DuplicateFilter(keys, matches, partial, dropped)
            stages = [
                Stage("clean", [*read, DuplicateKeys(keys, near), SpoolWriter(spool)], tasks),
                Stage("match", [match], parts),
                *([Stage("resolve", [resolve], 1)] if near else []),
                Stage("write", [SpoolReader(spool), left_out, *write], tasks),
            ]
        return [*stages, Stage("finish", [_Finish(self)], 1)] if finish else stages

    def finish(self) -> dict:
        """Add the counters up, put the documents into place, write the report, tidy up.

        Raises:
            UserError: no document is left; the report is there all the same.
        """
        ready = self.partial / REPORT
        if not ready.exists():
            report = self._report()
            with whole_file(ready) as file:
                json.dump(report, file, ensure_ascii=False, indent=1)
                file.write("\n")
        report = json.loads(ready.read_text("utf-8"))
        if not (self.partial / _MOVING).exists():
            _remove_former(self.output_dir)
            (self.partial / _MOVING).touch()
        for name in _results(self.partial / "out"):
            target = self.output_dir / name
            target.parent.mkdir(exist_ok=True)
            os.replace(self.partial / "out" / name, target)
        os.replace(ready, self.output_dir / REPORT)
        shutil.rmtree(self.partial, ignore_errors=True)
        if report["nothing_left"]:
            raise UserError(report["nothing_left"])
        return report

    def _report(self) -> dict:
        from gemma_ko_lib.corpus.spool import join_lines

        out = self.partial / "out"
        out.mkdir(exist_ok=True)
        for kind in LISTS:
            if list(self.partial.glob(f"{kind}-*.jsonl")):
                join_lines(self.partial, kind, range(len(self.tasks)), out / f"{kind}.jsonl")
        try:
            report = build_report(self.partial, len(self.tasks), self.settings, self.left_out)
        except UserError:
            # The same command would end the same way: there is nothing to go on with.
            shutil.rmtree(self.partial, ignore_errors=True)
            raise
        names = _results(out)
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
            "input_files": self.input_files,
            "input_file_bytes": self.input_bytes,
            "seconds": round(seconds, 3),
            # Of UTF-8 text, which is what other cleaners count.
            "mb_per_second": round(report["text_bytes"]["in"] / 1e6 / seconds, 3),
        }


class _Finish:
    """`CorpusRun.finish` as a block, for an executor that runs when nobody waits."""

    def __init__(self, run: CorpusRun):
        self.run = run

    def __call__(self, data, rank: int = 0, world_size: int = 1) -> None:
        self.run.finish()


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


def _watch(partial: Path, bar: Progress, done: threading.Event) -> None:
    shown = 0
    while not done.wait(1.0):
        counts = [path.read_text() for path in partial.glob("progress-*")]
        total = sum(int(count) for count in counts if count)
        stages = [path.name for path in (partial / "logs").glob("*")]
        note = next((name for name in ("write", "match") if name in stages), "")
        bar.update(max(total - shown, 0), _NOTES[note])
        shown = max(total, shown)


_NOTES = {"": "", "match": "read; looking for duplicates", "write": "read; writing"}


# --- The result ---------------------------------------------------------------------------


def _results(folder: Path) -> list[str]:
    """Names in a folder that are those of a result's files, without the report."""
    places = (_DOCUMENTS, f"{_HELD_OUT}/{_DOCUMENTS}", f"{_DROPPED}/*-?????.jsonl.gz")
    names = [path.relative_to(folder).as_posix() for place in places for path in folder.glob(place)]
    return sorted(names) + [
        f"{kind}.jsonl" for kind in LISTS if (folder / f"{kind}.jsonl").exists()
    ]


def _former_files(output_dir: Path) -> list[str]:
    """The files of a folder's result, whole or half moved there, as its report lists them."""
    for path in (output_dir / REPORT, output_dir / _PARTIAL / REPORT):
        try:
            report = json.loads(path.read_text("utf-8"))
            lists = report.get("lists", [f"{kind}.jsonl" for kind in LISTS])
            return [entry["name"] for entry in report["files"]] + lists
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{path} is not the report of a run; move it away, or give another folder with -o."
            ) from None
    return []


def _remove_former(output_dir: Path) -> None:
    names = set(_former_files(output_dir)) & set(_results(output_dir))
    # The report goes first: without it the rest is nothing finished.
    (output_dir / REPORT).unlink(missing_ok=True)
    for name in names:
        (output_dir / name).unlink()
    for folder in (_HELD_OUT, _DROPPED):
        with contextlib.suppress(OSError):  # it is not there, or holds what is not ours
            (output_dir / folder).rmdir()


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
    folder = Path(folder)
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} is no finished folder of clean documents: there is no {REPORT} in it. Make "
            "one: gemma-ko clean INPUT -o DIR."
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
    return paths
