"""The whole corpus pipeline: MB/s on one and two workers, time and memory against size.

Every run is a process of its own that calls `corpus.clean` with its defaults: read, clean,
mask, near duplicates, write. Larger inputs are made from the same texts with their words in
another order, so that they hold as much of everything, and no more duplicates.
"""

import itertools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import read_samples

_BASE_BYTES = 16_000_000
_SIZES = (1, 3, 10)
_FILES = 4
# Runs a clean and prints its seconds, its documents, and the peak of its largest process.
_RUN = """
import json, resource, sys, time
from gemma_ko_lib import corpus
start = time.perf_counter()
report = corpus.clean(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=False)
seconds = time.perf_counter() - start
processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
peak = max(resource.getrusage(which).ru_maxrss for which in processes) / 1024
documents, text = report["documents"], report["text_bytes"]
print(json.dumps([seconds, text["in"] / 1e6, documents["kept"] / documents["in"], peak]))
"""


def _texts(text_files: list[str] | None):
    """Documents without end: the given ones, then the same with their words reordered."""
    if text_files:
        originals = [(d.text, d.metadata.get("register")) for d in read_documents(text_files)]
    else:
        originals = [(record["text"], record["register"]) for record in read_samples("ko")]
    yield from originals
    draw = random.Random(0)
    for text, register in itertools.cycle(originals):
        lines = [line.split() for line in text.split("\n")]
        for words in lines:
            draw.shuffle(words)
        yield "\n".join(map(" ".join, lines)), register


def _write(texts, path: Path, size: int) -> None:
    written = 0
    with open(path, "w", encoding="utf-8") as file:
        for number, (text, register) in enumerate(texts):
            record = {"id": f"{path.stem}-{number}", "register": register, "text": text}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            written += len(text.encode())
            if written >= size:
                break


def _clean(folder: Path, workers: int) -> tuple[float, float, float, float]:
    """Seconds, MB of text, share kept, and MiB of the largest process."""
    with tempfile.TemporaryDirectory() as output:
        arguments = [sys.executable, "-c", _RUN, str(folder), output, str(workers)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout))


def measure(text_files: list[str] | None = None) -> Iterator[tuple[str, str]]:
    """Rows of (what, figure), as they are measured."""
    with tempfile.TemporaryDirectory() as made:
        four = Path(made, "four-files")
        four.mkdir()
        texts = _texts(text_files)
        for number in range(_FILES):
            _write(texts, four / f"part-{number}.jsonl", _BASE_BYTES // _FILES)
        speeds = []
        for workers in (1, 2):
            seconds, megabytes, kept, _ = _clean(four, workers)
            speeds.append(megabytes / seconds)
            what = f"{megabytes:.0f} MB in {_FILES} files, {kept:.0%} kept, workers: {workers}"
            yield what, f"{speeds[-1]:.2f} MB/s"
        yield "  2 workers / 1", f"{speeds[1] / speeds[0]:.2f}"
        first = None
        for times in _SIZES:
            one = Path(made, f"one-file-{times}")
            one.mkdir()
            _write(_texts(text_files), one / "all.jsonl", times * _BASE_BYTES)
            seconds, megabytes, _, peak = _clean(one, 1)
            first = first or (seconds, peak)
            yield f"{megabytes:.0f} MB in one file: seconds", f"{seconds:.1f}"
            yield f"  time / that of 1× (goal: {times})", f"{seconds / first[0]:.2f}"
            yield "  memory of the largest process", f"{peak:.0f} MiB"
            yield "  memory / that of 1× (goal: 1)", f"{peak / first[1]:.2f}"
