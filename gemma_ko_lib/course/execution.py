"""Executes one notebook with papermill, watches its time, and measures its peak memory.

The executed file is written even when a cell failed. `course` decides which notebooks run, and
when.
"""

import dataclasses
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from gemma_ko_lib.course.watch import Watch
from gemma_ko_lib.runtime import printable

_KERNEL_START_TIMEOUT_S = 120
_MOST_PRINTED = 5_000_000
_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass
class NotebookResult:
    """The result of one notebook's run.

    Attributes:
        status: "ok", "failed" or "timeout".
        seconds: wall time, the kernel's start included.
        peak_memory_bytes: of the kernel process; together with those that it started, as seen
            once a second, where that is more. None if the kernel died.
        device: what JAX computed on, as the fields of `runtime.Accelerator`; None if the
            notebook did not use JAX, or failed.
        metrics: name to {"value", "unit", "note"}, as passed to `course.record`.
        failing_cell: the n of `In [n]` in the executed notebook.
        error: the last lines of what went wrong.
    """

    name: str
    executed_path: Path
    status: str = "ok"
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    device: dict | None = None
    metrics: dict[str, dict] = dataclasses.field(default_factory=dict)
    failing_cell: int | None = None
    failing_source: str = ""
    error: str = ""


class _CourseClient(PapermillNotebookClient):
    """Papermill's client, which reports to a `Watch`."""

    def __init__(self, nb_man, watch: Watch, **kwargs):
        super().__init__(nb_man, **kwargs)
        self.watch = watch
        self.printed = 0

    def papermill_execute_cells(self):
        self.watch.kernel_started(self)
        healthy = False
        try:
            super().papermill_execute_cells()
            healthy = True
        finally:
            if not healthy:
                self.shutdown_kernel = "immediate"
            self.watch.kernel_ending(self, healthy)

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream":
            # A cell that prints for ever would fill memory and disk before its time is up.
            left = _MOST_PRINTED - self.printed
            self.printed += len(msg["content"]["text"])
            if left < 0:
                return None
            if self.printed > _MOST_PRINTED:
                cut = f"\n… cut here, after {_MOST_PRINTED:,} characters\n"
                msg["content"]["text"] = msg["content"]["text"][:left] + cut
        return super().process_message(msg, cell, cell_index)

    def execute_cell(self, cell, cell_index, **kwargs):
        self.printed = 0
        runs = cell.cell_type == "code" and bool(cell.source.strip())
        if runs:
            self.watch.cell_started(cell.source)
        try:
            done = super().execute_cell(cell, cell_index, **kwargs)
        except (CellTimeoutError, DeadKernelError) as error:
            # Papermill marks only cells that raised; otherwise the file would look complete.
            self.nb_man.cell_exception(cell, cell_index=cell_index, exception=error)
            raise
        finally:
            if runs:
                cell.outputs = _join_streams(cell.outputs)
        if runs:
            self.watch.on_cell()
        return done


def _join_streams(outputs: list) -> list:
    """Join a cell's pieces of stdout and of stderr, without what carriage returns overwrote.

    nbclient's own way of doing this takes time in the square of a line's length.
    """
    groups: dict = {}
    for output in outputs:
        key = output.name if output.output_type == "stream" else id(output)
        groups.setdefault(key, []).append(output)
    for first, *more in groups.values():
        if first.output_type == "stream":
            text = "".join(piece.text for piece in (first, *more))
            lines = text.replace("\r\n", "\n").split("\n")
            first.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return [first for first, *_ in groups.values()]


class _CourseEngine(Engine):
    """Papermill's engine with the client above."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, watch, folder, start_timeout, **kwargs):
        with tempfile.TemporaryDirectory(prefix="gemma-ko-") as sockets:
            client = _CourseClient(
                nb_man,
                watch,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                iopub_timeout=120,  # a busy machine delivers large outputs late; default 4 s
                # The kernel's folder, and not papermill's cwd=, which moves the whole process.
                resources={"metadata": {"path": str(folder)}},
                config=_transport(sockets),
            )
            # What the kernel process prints outside its cells is shown only if it dies.
            log = Path(sockets, "kernel.log")
            with log.open("wb") as file:
                try:
                    client.execute(env=_kernel_environment(), stdout=file, stderr=file)
                finally:
                    watch.kernel_log = log.read_text("utf-8", errors="replace")


papermill_engines.register("gemma-ko", _CourseEngine)


def _transport(folder: str) -> Config:
    """Put the sockets into a private folder: kernels then do not race for ports."""
    if len(folder) > 90:  # systems cut socket names off at 104 bytes
        return Config()
    return Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})


def _kernel_environment() -> dict[str, str]:
    checkout = str(Path(__file__).resolve().parent.parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [checkout, inherited])),
        # Whatever the shell has set: no windows open, and plots become outputs of their cell.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def execute_notebook(
    notebook: Path, executed: Path, parameters: dict, watch: Watch
) -> NotebookResult:
    """Execute a notebook in a kernel of its own; what a cell raises does not raise here.

    Args:
        notebook: the file to execute.
        executed: where the executed notebook goes; its folder is the kernel's.
        parameters: put in a cell after the one tagged `parameters`.
    """
    result = NotebookResult(notebook.stem, executed)
    start = time.monotonic()
    try:
        papermill.execute_notebook(
            notebook,
            executed,
            parameters=parameters,
            engine_name="gemma-ko",
            kernel_name="python3",  # this Python
            language="python",
            progress_bar=False,
            start_timeout=_KERNEL_START_TIMEOUT_S,
            watch=watch,
            folder=executed.parent,
        )
    except PapermillExecutionError as error:
        result.status = "failed"
        text = "\n".join(error.traceback) or f"{error.ename}: {error.evalue}"
        result.error = _last_lines(text)
    except DeadKernelError:
        result.status = "failed"
        why = "Stopped." if watch.stopped else "The kernel died in this cell, often for memory."
        result.error = _last_lines(f"{watch.kernel_log}\n{why}")
    except Exception as error:  # an unreadable notebook or a missing kernel must not stop others
        result.status = "failed"
        result.error = _last_lines(f"{watch.kernel_log}\n{type(error).__name__}: {error}")
    if watch.timed_out:
        result.status = "timeout"
        result.error = "The notebook's time limit ran out in this cell."
    if result.status != "ok":
        result.failing_cell = watch.cell_number or None
        result.failing_source = watch.cell_source
    result.seconds = round(time.monotonic() - start, 2)
    result.peak_memory_bytes, result.device = watch.peak_memory_bytes, watch.device
    return result


def _last_lines(text: str, count: int = 12) -> str:
    lines = _ANSI_COLOUR.sub("", text).strip().split("\n")[-count:]
    return printable("\n".join(x if len(x) <= 200 else f"{x[:200]} …" for x in lines))


def count_code_cells(notebook: Path) -> int | None:
    """Count the code cells that will run, the injected one included; None if unreadable."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # the execution reports it again, as the notebook's failure
        print(f"{notebook.name}: {type(error).__name__}", file=sys.stderr)
        return None
    return 1 + sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in cells)
