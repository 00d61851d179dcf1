"""The whole corpus pipeline: MB/s on one and two workers, time and memory against size.

Every run is a process of its own that calls `corpus.clean` with its defaults: read, clean,
mask, near duplicates, write. Beside it stands the limit: datatrove's JSONL reader and writer
with nothing between them. Larger inputs are made from the same texts with their words in
another order, so that they hold as much of everything, and no more duplicates.
"""

import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import read_samples

_BASE_BYTES = 16_000_000
_SIZES = (1, 3, 10)
# A worker process takes half a second to start: of less text two do not show what they do.
_FILES, _FILE_BYTES = 8, 25_000_000
_LOOKS_PER_SECOND = 20
_RUN = """
import sys
from gemma_ko_lib import corpus
settings = corpus.CleanSettings(compression=sys.argv[4])
corpus.clean(sys.argv[1], sys.argv[2], settings, workers=int(sys.argv[3]), progress=False)
"""
_BARE = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger
logger.remove()
blocks = [JsonlReader(sys.argv[1]), JsonlWriter(sys.argv[2])]
LocalPipelineExecutor(blocks, tasks=8, workers=int(sys.argv[3])).run()
"""


def texts_without_end(text_files: list[str] | None):
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


def write_texts(texts, path: Path, size: int) -> None:
    written = 0
    with open(path, "w", encoding="utf-8") as file:
        for number, (text, register) in enumerate(texts):
            record = {"id": f"{path.stem}-{number}", "register": register, "text": text}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            written += len(text.encode())
            if written >= size:
                break


def _bare(folder: Path, workers: int) -> float:
    """Seconds of datatrove's reader and writer alone."""
    with tempfile.TemporaryDirectory() as output:
        start = time.perf_counter()
        arguments = [sys.executable, "-c", _BARE, str(folder), output, str(workers)]
        subprocess.run(arguments, check=True, cwd=output, capture_output=True)
        return time.perf_counter() - start


def _clean(
    folder: Path, workers: int, compression: str = "gzip"
) -> tuple[float, float, float, float]:
    """Seconds, MB of text, share kept, and MiB of all processes at their peak."""
    with tempfile.TemporaryDirectory() as output:
        arguments = [sys.executable, "-c", _RUN, str(folder), output, str(workers), compression]
        start, peak = time.perf_counter(), 0
        process = subprocess.Popen(arguments)
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(1 / _LOOKS_PER_SECOND)
        seconds = time.perf_counter() - start
        report = json.loads(Path(output, "report.json").read_text("utf-8"))
    documents, text = report["documents"], report["text_bytes"]
    return seconds, text["in"] / 1e6, documents["kept"] / documents["in"], peak / 2**20


def _memory(pid: int) -> int:
    """Bytes that a process and its children hold for themselves.

    Pages of mapped files do not count: the system takes them back when it needs them.
    """
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                usage = process.memory_info()
                held += usage.rss - usage.shared
    return held


def measure(text_files: list[str] | None = None) -> Iterator[tuple[str, str]]:
    """Rows of (what, figure), as they are measured."""
    with tempfile.TemporaryDirectory() as made:
        several = Path(made, "several-files")
        several.mkdir()
        texts = texts_without_end(text_files)
        for number in range(_FILES):
            # Smaller files would share a task.
            write_texts(texts, several / f"part-{number}.jsonl", _FILE_BYTES)
        speeds = []
        for workers in (1, 2):
            seconds, megabytes, kept, _ = _clean(several, workers)
            speeds.append(megabytes / seconds)
            what = f"{megabytes:.0f} MB in {_FILES} files, {kept:.0%} kept, workers: {workers}"
            yield what, f"{speeds[-1]:.2f} MB/s"
        yield "  2 workers / 1", f"{speeds[1] / speeds[0]:.2f}"
        seconds, megabytes, *_ = _clean(several, 1, "zstd")
        yield "  one worker, documents packed with zstd", f"{megabytes / seconds:.2f} MB/s"
        limit = megabytes / _bare(several, 1)
        yield "  datatrove's reader and writer alone, one worker", f"{limit:.2f} MB/s"
        yield "  one worker / that limit", f"{speeds[0] / limit:.2f}"
        first = None
        for times in _SIZES:
            one = Path(made, f"one-file-{times}")
            one.mkdir()
            write_texts(texts_without_end(text_files), one / "all.jsonl", times * _BASE_BYTES)
            seconds, megabytes, _, peak = _clean(one, 1)
            first = first or (seconds, peak)
            yield f"{megabytes:.0f} MB in one file: seconds", f"{seconds:.1f}"
            yield f"  time / that of 1× (goal: {times})", f"{seconds / first[0]:.2f}"
            yield "  memory of its processes, mapped files aside", f"{peak:.0f} MiB"
            yield "  memory / that of 1× (goal: 1)", f"{peak / first[1]:.2f}"
