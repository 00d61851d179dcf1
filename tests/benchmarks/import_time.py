"""Seconds that `import gemma_ko_lib` costs, in fresh processes."""

import statistics
import subprocess
import sys

_CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def _seconds(module: str, runs: int) -> float:
    command = [sys.executable, "-c", _CODE.format(module)]
    times = [float(subprocess.check_output(command, text=True)) for _ in range(runs)]
    return statistics.median(times)


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    ours = _seconds("gemma_ko_lib", runs=5)
    peer = _seconds("keras_hub", runs=1)
    return [
        ("import gemma_ko_lib (goal < 1 s), median of 5", f"{ours:.3f} s"),
        ("import keras_hub as installed, TensorFlow included", f"{peer:.1f} s"),
    ]
