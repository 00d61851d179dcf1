"""The other side of a benchmark, in a process of its own that waits for its turn."""

import json
import subprocess
from pathlib import Path


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
