"""The sides of a benchmark take turns; another one may be in a process of its own."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Peer:
    """A program that does one turn of work whenever it is called.

    Args:
        python: the interpreter that has what the program needs.
        script: its name in this folder. It reads lines from stdin; each asks for a turn, and
            "done" answers it.
        setting: its argument, as JSON.
    """

    def __init__(self, python: str, script: str, setting: dict):
        self._script = script
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name(script), json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self) -> None:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        while (line := self._process.stdout.readline()) != "done\n":
            if not line:
                raise RuntimeError(f"{self._script} ended; its error stands above.")

    def close(self) -> None:
        """End the program; its memory is free again."""
        self._process.stdin.close()
        self._process.wait()


def in_turns(runs: dict[str, Callable], turns: int) -> dict[str, np.ndarray]:
    """Seconds of each run in each turn, so that the machine's mood hits them alike.

    Args:
        runs: by name; a `Peer` among them is closed at the end.
        turns: that count; one before them compiles.
    """
    seconds = {name: [] for name in runs}
    for _ in range(turns + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    for run in runs.values():
        if isinstance(run, Peer):
            run.close()
    return {name: np.array(taken[1:]) for name, taken in seconds.items()}
