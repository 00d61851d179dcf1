"""Executes one notebook with papermill, under a deadline, and measures its peak memory.

The executed file is written even when a cell failed. `course` decides which notebooks run, and
when.
"""

import contextlib
import dataclasses
import math
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

_KERNEL_START_TIMEOUT_S = 120
_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ASK_PEAK_MEMORY = "__import__('gemma_ko_lib.runtime').runtime.peak_memory_bytes()"


@dataclasses.dataclass
class NotebookResult:
    """The result of one notebook's run.

    Attributes:
        status: "ok", "failed" or "timeout".
        seconds: wall time, the kernel's start included.
        peak_memory_bytes: of the kernel process without its children; None if it died.
        metrics: name to {"value", "unit", "note"}, as passed to `course.record`.
        failing_cell: the n of `In [n]` in the executed notebook.
        error: the last lines of what went wrong.
    """

    name: str
    executed_path: Path
    status: str = "ok"
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    metrics: dict[str, dict] = dataclasses.field(default_factory=dict)
    failing_cell: int | None = None
    failing_source: str = ""
    error: str = ""


class Watch:
    """Watches one notebook's run: keeps its time limit, knows its current cell, can stop it.

    Args:
        timeout_s: how long the whole notebook may take once its kernel is up.
    """

    def __init__(self, timeout_s: float):
        self.timeout_s = timeout_s
        self.cell_number, self.cell_source = 0, ""
        self.on_cell: Callable[[int], None] = lambda done: None
        self.peak_memory_bytes: int | None = None
        self.kernel_log = ""
        self.stopped = False
        self._deadline = math.inf
        self._kernel_pid: int | None = None

    def seconds_left(self, cell=None) -> float:
        """Return the time left for the whole notebook (nbclient takes 0 for "no limit")."""
        return max(self._deadline - time.monotonic(), 0.1)

    def stop(self) -> None:
        """Kill the kernel and what it started; the run then ends like that of a dead kernel."""
        self.stopped = True
        if self._kernel_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._kernel_pid, signal.SIGKILL)  # a kernel leads its own group

    def kernel_started(self, client: PapermillNotebookClient) -> None:
        self._kernel_pid = client.km.provisioner.pid
        self._deadline = time.monotonic() + self.timeout_s
        if self.stopped:
            self.stop()

    def kernel_ending(self, client: PapermillNotebookClient, healthy: bool) -> None:
        self.peak_memory_bytes = _kernel_peak_memory(client, self._kernel_pid, healthy)
        self._kernel_pid = None


def _kernel_peak_memory(client, pid: int, healthy: bool) -> int | None:
    # /proc is asked first: it also works for a kernel that is stuck in a cell, and VmHWM starts
    # anew at exec, while ru_maxrss is inherited from the process that started the kernel.
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    if not healthy:
        return None
    message = client.kc.execute("", silent=True, user_expressions={"peak": _ASK_PEAK_MEMORY})
    answer = client.wait_for_reply(message)["content"]["user_expressions"]["peak"]
    return int(answer["data"]["text/plain"]) if answer["status"] == "ok" else None


class _CourseClient(PapermillNotebookClient):
    """Papermill's client, which reports to a `Watch`."""

    def __init__(self, nb_man, watch: Watch, **kwargs):
        super().__init__(nb_man, timeout_func=watch.seconds_left, **kwargs)
        self.watch = watch

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

    def execute_cell(self, cell, cell_index, **kwargs):
        runs = cell.cell_type == "code" and bool(cell.source.strip())
        if runs:
            self.watch.cell_number += 1
            self.watch.cell_source = cell.source
        try:
            done = super().execute_cell(cell, cell_index, **kwargs)
        except (CellTimeoutError, DeadKernelError) as error:
            # Papermill marks only cells that raised; otherwise the file would look complete.
            self.nb_man.cell_exception(cell, cell_index=cell_index, exception=error)
            raise
        if runs:
            self.watch.on_cell(self.watch.cell_number)
        return done


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
                coalesce_streams=True,
                iopub_timeout=30,  # a busy machine delivers large outputs late; default 4 s
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
        "PYTHONPATH": os.pathsep.join([checkout, inherited] if inherited else [checkout]),
        # Whatever the shell has set: no windows open, and plots become outputs of their cell.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def execute_notebook(
    notebook: Path, executed: Path, parameters: dict, watch: Watch, kernel_name: str = "python3"
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
            kernel_name=kernel_name,
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
    except CellTimeoutError:
        result.status = "timeout"
        result.error = "The notebook's time limit ran out in this cell."
    except DeadKernelError:
        result.status = "failed"
        why = "Stopped." if watch.stopped else "The kernel died in this cell, often for memory."
        result.error = _last_lines(f"{watch.kernel_log}\n{why}")
    except Exception as error:  # an unreadable notebook or a missing kernel must not stop others
        result.status = "failed"
        result.error = _last_lines(f"{watch.kernel_log}\n{type(error).__name__}: {error}")
    if result.status != "ok":
        result.failing_cell = watch.cell_number or None
        result.failing_source = watch.cell_source
    result.seconds = round(time.monotonic() - start, 2)
    result.peak_memory_bytes = watch.peak_memory_bytes
    return result


def _last_lines(text: str, count: int = 12) -> str:
    lines = _ANSI_COLOUR.sub("", text).strip().splitlines()[-count:]
    return "\n".join(line if len(line) <= 200 else f"{line[:200]} …" for line in lines)


def count_code_cells(notebook: Path) -> int | None:
    """Count the code cells that will run, the injected one included; None if unreadable."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # the execution reports it again, as the notebook's failure
        print(f"{notebook.name}: {type(error).__name__}", file=sys.stderr)
        return None
    return 1 + sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in cells)
