"""Watches a notebook's run from a thread of its own: time limit, slow cells, memory."""

import ast
import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime.machine import high_water_mark

if TYPE_CHECKING:
    from papermill.clientwrap import PapermillNotebookClient

_ASK_PEAK_MEMORY = "__import__('gemma_ko_lib.runtime').runtime.peak_memory_bytes()"
# A notebook that has not used JAX must not start it for this.
_ASK_DEVICE = (
    "'jax' in __import__('sys').modules and "
    "vars(__import__('gemma_ko_lib.runtime').runtime.accelerator())"
)
_FIRST_REMINDER_S = 600


class Watch:
    """Watches one notebook's run: keeps its time limit, knows its current cell, can stop it.

    The clock is a thread of its own, so that no amount of output can hold it up.

    Args:
        timeout_s: how long the whole notebook may take once its kernel is up; None for no limit.
    """

    def __init__(self, timeout_s: float | None):
        self.timeout_s = timeout_s
        self.cell_number, self.cell_source = 0, ""
        self.on_cell: Callable[[], None] = lambda: None
        self.on_wait: Callable[[float, bool], None] = lambda seconds, long: None
        self.peak_memory_bytes: int | None = None
        self.device: dict | None = None
        self.kernel_log = ""
        self.stopped = self.timed_out = False
        self._kernel_pid: int | None = None
        self._kernel_ended = threading.Event()
        self._cell_start = 0.0
        self._largest_group = 0

    def stop(self) -> None:
        """Kill the kernel and what it started; the run then ends like that of a dead kernel."""
        self.stopped = True
        self._kill()

    def _kill(self) -> None:
        if self._kernel_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._kernel_pid, signal.SIGKILL)  # a kernel leads its own group

    def kernel_started(self, client: "PapermillNotebookClient") -> None:
        self._kernel_pid, self._cell_start = client.km.provisioner.pid, time.monotonic()
        threading.Thread(target=self._keep_time, daemon=True).start()
        if self.stopped:
            self.stop()

    def cell_started(self, source: str) -> None:
        self.cell_number += 1
        self.cell_source, self._cell_start = source, time.monotonic()

    def kernel_ending(self, client: "PapermillNotebookClient", healthy: bool) -> None:
        self._kernel_ended.set()
        if healthy:
            self.device = _ask(client, _ASK_DEVICE) or None
        # /proc is asked first: VmHWM starts anew at exec, while ru_maxrss is inherited from the
        # process that started the kernel.
        own = high_water_mark(self._kernel_pid) or (healthy and _ask(client, _ASK_PEAK_MEMORY))
        own = own or self.peak_memory_bytes
        self.peak_memory_bytes = own and max(own, self._largest_group)
        self._kernel_pid = None

    def _keep_time(self) -> None:
        """Once a second: is the limit reached, how much memory is used, does a cell take long?"""
        start, waited = time.monotonic(), 0.0
        reminder = _FIRST_REMINDER_S
        while not self._kernel_ended.wait(1):
            now = time.monotonic()
            self._largest_group = max(self._largest_group, _group_memory(self._kernel_pid))
            if self.timeout_s is not None and now - start > self.timeout_s:
                self.timed_out = True
                self.peak_memory_bytes = high_water_mark(self._kernel_pid)
                self._kill()
                return
            in_cell = now - self._cell_start
            if in_cell < waited:  # another cell
                waited, reminder = 0.0, _FIRST_REMINDER_S
            if in_cell > waited + 30:
                waited, long = in_cell, in_cell > reminder
                self.on_wait(in_cell, long)
                reminder *= 2 if long else 1


def _group_memory(group: int) -> int:
    """Memory of a process group in bytes, shared pages counted once; 0 if it is one process."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                members.append(stat.parent)
    if len(members) < 2:
        return 0
    total = 0
    for member in members:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found = re.search(r"^Pss:\s+(\d+) kB", (member / "smaps_rollup").read_text(), re.M)
            total += int(found[1]) * 1024 if found else 0
    return total


def _ask(client: "PapermillNotebookClient", expression: str):
    """Evaluate an expression in the kernel; None if it fails there."""
    message = client.kc.execute("", silent=True, user_expressions={"answer": expression})
    answer = client.wait_for_reply(message)["content"]["user_expressions"]["answer"]
    return ast.literal_eval(answer["data"]["text/plain"]) if answer["status"] == "ok" else None
