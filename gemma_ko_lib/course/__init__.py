"""Runs the course: executes its notebooks, collects their figures, writes metrics and a report.

Notebooks call `record`; `run_course` executes them and leaves in its output folder:

    NN_name.ipynb   every notebook as executed, including one that failed
    metrics.json    status, seconds, peak memory and recorded figures of each
    report.html     the same with every plot, in one file
    artefacts/      what the notebooks hand to each other (their OUTPUT_DIR)
"""

import concurrent.futures
import contextlib
import dataclasses
import datetime
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.course.notebook_files import find_notebooks, notebooks_dir, recorded_runs
from gemma_ko_lib.course.recording import read_recorded, record, recorded_metrics
from gemma_ko_lib.runtime import Progress, UserError, printable, write_json

if TYPE_CHECKING:
    from gemma_ko_lib.course.execution import NotebookResult
    from gemma_ko_lib.course.watch import Watch
_METRICS = "metrics.json"


@dataclasses.dataclass
class CourseResult:
    """A finished run: its notebooks in course order, and where its files are."""

    profile: str
    started: str
    jobs: int
    output_dir: Path
    machine: dict
    versions: dict[str, str]
    notebooks: list["NotebookResult"] = dataclasses.field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every notebook ran to its end."""
        return all(notebook.status == "ok" for notebook in self.notebooks)

    @property
    def metrics_path(self) -> Path:
        return self.output_dir / _METRICS

    @property
    def report_path(self) -> Path:
        return self.output_dir / "report.html"


@contextlib.contextmanager
def needing_extra(what: str) -> Iterator[None]:
    """Within it, a package of the extra "course" that is missing is an error that says so.

    Raises:
        UserError: one is.
    """
    try:
        yield
    except ModuleNotFoundError as error:  # another ImportError has another cause, and says which
        raise UserError(
            f"{what} needs {error.name}: pip install 'gemma-ko[course]', or in a checkout "
            "pip install -c constraints.txt -e '.[course]'."
        ) from None


def run_course(
    profile: str = "smoke",
    only: list[str] | None = None,
    jobs: int = 1,
    output_dir: str | Path = "course-output",
    timeout_s: float | None = None,
    *,
    folder: Path | None = None,
) -> CourseResult:
    """Execute notebooks with papermill, each in a kernel of its own.

    With one job the notebooks share `output_dir/artefacts`, so each finds what those before
    it built. With several, each has `output_dir/artefacts/NN_name` and builds what it needs,
    because two notebooks at once must not write the same files.

    Args:
        profile: passed on as PROFILE.
        only: numbers or names of notebooks; all when None.
        jobs: notebooks at once.
        output_dir: where everything goes; metrics.json and report.html there are replaced.
        timeout_s: time limit of one whole notebook, from the start of its kernel; none when
            None, and a cell that takes long is then only reported.
        folder: where the notebooks are; the course's own when None.

    Returns:
        The result; a failing notebook does not stop the others and does not raise.

    Raises:
        UserError: unknown profile or notebook, an output folder that cannot be used or that
            another run is writing to, or packages of the extra "course" missing.
    """
    with needing_extra("Running the course"):
        from gemma_ko_lib.course.execution import NotebookResult
        from gemma_ko_lib.course.html_report import write_report
        from gemma_ko_lib.course.watch import Watch

    if profile != "auto":
        profiles.get(profile)  # a mistyped name fails here, not in fourteen notebooks
    paths = find_notebooks(only, folder)
    output_dir = Path(output_dir).absolute()
    if output_dir.resolve() == paths[0].parent.resolve():
        raise UserError(f"{output_dir} holds the notebooks themselves; give another folder with -o")
    there = [path.name for path in paths if (output_dir / path.name).exists()]
    if there and not (output_dir / _METRICS).exists():
        raise UserError(
            f"{output_dir} holds a {there[0]} that is from no run of the course, and could be "
            "somebody's answers; give another folder with -o"
        )
    if jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {jobs}")
    with runtime.only_process(output_dir):
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        course = CourseResult(profile, started, jobs, output_dir, this_machine(), versions())
        _write_metrics(course)
        watches = {path: Watch(timeout_s) for path in paths}

        def run(number: int, path: Path) -> NotebookResult:
            artefacts = output_dir / "artefacts" / (path.stem if jobs > 1 else "")
            artefacts.mkdir(parents=True, exist_ok=True)
            return _run_notebook(
                path,
                output_dir / path.name,
                {"PROFILE": profile, "SEED": 0, "OUTPUT_DIR": str(artefacts)},
                watches[path],
                f"[{number}/{len(paths)}] {path.stem}",
            )

        numbered = list(enumerate(paths, start=1))
        if jobs > 1:
            # Begun first, the longest ones do not keep one job busy when the others are done.
            took = {r["notebook"]: r["seconds"] for r in recorded_runs() if r["profile"] == profile}
            numbered.sort(key=lambda its: -took.get(its[1].stem, 0))
        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            futures = [pool.submit(run, number, path) for number, path in numbered]
            for future in concurrent.futures.as_completed(futures):
                course.notebooks = sorted(
                    [*course.notebooks, future.result()], key=lambda r: r.name
                )
                _write_metrics(course)
        finally:
            # After Ctrl-C or a full disk kernels are still alive here.
            pool.shutdown(wait=False, cancel_futures=True)
            for watch in watches.values():
                watch.stop()
            pool.shutdown()

        write_report(course)
        return course


def _run_notebook(
    path: Path, executed: Path, parameters: dict, watch: "Watch", label: str
) -> "NotebookResult":
    import nbformat
    from tqdm import tqdm

    from gemma_ko_lib.course.execution import count_code_cells, execute_notebook

    executed.unlink(missing_ok=True)  # a file of an earlier run must not be taken for this one's
    cells = count_code_cells(path)
    with Progress(cells, label, unit="cells") as bar:
        watch.on_cell = bar.update
        watch.on_wait = lambda seconds, long: _tell_waiting(bar, watch, seconds, long)
        result = execute_notebook(path, executed, parameters, watch)
    if executed.exists():
        result.metrics = recorded_metrics(nbformat.read(executed, as_version=4))
    peak = result.peak_memory_bytes
    memory = f", peak memory {peak / 1e6:,.0f} MB" if peak else ""
    said = f"{label}: {result.status}, {result.seconds:,.0f} s{memory}"
    if result.status != "ok" and not watch.stopped:
        said += f"\n{describe_failure(result, cells, watch.timeout_s)}"
    tqdm.write(printable(said), file=sys.stderr)
    return result


def _tell_waiting(bar: Progress, watch: "Watch", seconds: float, long: bool) -> None:
    running = f"cell {watch.cell_number} has run for {seconds:,.0f} s"
    bar.update(0, note=running)
    if long:
        limit = watch.timeout_s
        then = (
            f"The notebook is stopped after {limit:,.0f} s (--timeout)."
            if limit
            else "It may take as long as it needs; Ctrl-C stops it, --timeout sets a limit."
        )
        bar.note(f"{running}. {then}")


def describe_failure(result: "NotebookResult", cells: int | None, limit: float | None) -> str:
    """Describe on one screen which cell failed, its source and its error."""
    source = result.failing_source.rstrip().splitlines()
    if len(source) > 15:
        source = [*source[:15], f"… {len(source) - 15} more lines"]
    where = f"cell {result.failing_cell} of {cells}" if result.failing_cell else "before any cell"
    if result.status == "timeout":
        where += f", time limit {limit:,.0f} s"
    return "\n".join(
        [
            f"--- {result.name}, {where} " + "-" * 20,
            *(f"    {line}" for line in source),
            "---",
            result.error,
            f"--- executed so far: {result.executed_path}",
        ]
    )


def this_machine() -> dict:
    """Platform, processor and memory, without starting JAX."""
    # JAX is left alone: a process that has started it holds the TPU, or most of a GPU.
    host = {"colab": " on Colab", "kaggle": " on Kaggle"}.get(runtime.platform(), "")
    return {
        "platform": f"{platform.system()} {platform.machine()}{host}",
        "processor": runtime.cpu_name(),
        "memory_bytes": runtime.total_memory_bytes(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {"python": sys.version.split()[0], **runtime.package_versions("papermill")}
    return {name: version for name, version in found.items() if version}


def _write_metrics(course: CourseResult) -> None:
    summary = {
        "profile": course.profile,
        "started": course.started,
        "jobs": course.jobs,
        "machine": course.machine,
        "versions": course.versions,
        "notebooks": {
            result.name: {
                "status": result.status,
                "seconds": result.seconds,
                "peak_memory_bytes": result.peak_memory_bytes,
                "device": result.device,
                "metrics": result.metrics,
                **({"error": result.error} if result.error else {}),
            }
            for result in course.notebooks
        },
    }
    write_json(course.metrics_path, summary)
