"""Packing: padding, documents cut and tokens lost, beside two rules that others pack by.

Cutting anywhere is the common one: all documents one after the other, cut wherever a row is
full. nanochat's loader starts each row with a document, adds the largest that fits, and fills what
is left with a part of the shortest, whose remainder is thrown away; the rule is written anew
here from its description, with its buffer of 1,000 documents. All three get the same
documents in the same order.

At the end, seconds of `pack_mixture` with one worker and with two, with Gemma 3's tokenizer on
20 MB: the texts, then the same with their words in another order.
"""

import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from datatrove.data import Document

from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import LANGUAGES, read_samples
from gemma_ko_lib.tokenization import (
    PackedRows,
    load_tokenizer,
    pack_documents,
    pack_mixture,
    read_sources,
)
from gemma_ko_lib.tokenization.framing import framed_documents
from tests.benchmarks.pipeline import texts_without_end, write_texts

LENGTHS = (512, 2048)
_MOST_BYTES = 20_000_000
_BUFFER = 1000


def _cut_anywhere(documents: list[np.ndarray], length: int) -> Iterator[np.ndarray]:
    tokens = np.concatenate(documents)
    for start in range(0, len(tokens), length):
        yield tokens[start : start + length]


def _crop_the_shortest(documents: list[np.ndarray], length: int) -> Iterator[np.ndarray]:
    waiting, buffer = iter(documents), []
    while True:
        row, room = [], length
        while room:
            while len(buffer) < _BUFFER and (document := next(waiting, None)) is not None:
                buffer.append(document)
            if not buffer:
                break
            fitting = [number for number, some in enumerate(buffer) if len(some) <= room]
            if fitting:
                chosen = max(fitting, key=lambda number: len(buffer[number]))
            else:
                chosen = min(range(len(buffer)), key=lambda number: len(buffer[number]))
            row.append(buffer.pop(chosen)[:room])
            room -= len(row[-1])
        if not row:
            return
        yield np.concatenate(row)


def _pieces(row: np.ndarray | PackedRows, bos: int) -> list[np.ndarray]:
    """The documents of a row and their parts: by segment, or from one BOS to the next."""
    if isinstance(row, PackedRows):
        segments = row.segment_ids[0]
        return [row.token_ids[0][segments == n] for n in range(1, segments.max() + 1)]
    starts = np.flatnonzero(row == bos)
    return [row[start:end] for start, end in itertools.pairwise([*starts, len(row)])]


def _figures(
    rule: Callable, documents: list[np.ndarray], length: int, bos: int
) -> tuple[float, float, float, float]:
    """Padding, share of fitting documents cut, share of tokens lost, tokens per second."""
    start = time.perf_counter()
    rows = list(rule(documents, length))
    seconds = time.perf_counter() - start
    there = sum(map(len, documents))
    written = sum(
        int((row.segment_ids > 0).sum()) if isinstance(row, PackedRows) else len(row)
        for row in rows
    )
    fitting = Counter(some.tobytes() for some in documents if len(some) <= length)
    whole = fitting & Counter(piece.tobytes() for row in rows for piece in _pieces(row, bos))
    return (
        1 - written / (len(rows) * length),
        1 - whole.total() / fitting.total(),
        1 - written / there,
        there / seconds,
    )


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); `text_files` hold other documents than the course's samples."""
    if text_files:
        texts = [document.text for document in read_documents(text_files)]
    else:
        texts = [record["text"] for name in LANGUAGES for record in read_samples(name)]
    random.Random(0).shuffle(texts)
    sizes = np.cumsum([len(text.encode()) for text in texts])
    texts = texts[: int(np.searchsorted(sizes, _MOST_BYTES)) + 1]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    tokenizer = load_tokenizer("nano")
    start = time.perf_counter()
    documents = [ids for _, ids in framed_documents(texts, tokenizer)]
    seconds = time.perf_counter() - start
    tokens = sum(map(len, documents))
    rows = [
        (f"{len(texts):,} documents, {megabytes:.1f} MB; tokens", f"{tokens:,}"),
        ("tokenizing alone, tokens/s", f"{tokens / seconds:,.0f}"),
    ]
    rules = {
        "best fit (ours)": pack_documents,
        "cut anywhere": _cut_anywhere,
        "crop the shortest (nanochat's rule)": _crop_the_shortest,
    }
    for length in LENGTHS:
        for name, rule in rules.items():
            padding, cut, lost, speed = _figures(rule, documents, length, tokenizer.bos_id)
            rows += [
                (f"rows of {length:,}, {name}: padding", f"{padding:.2%}"),
                ("  documents that would fit, but are cut", f"{cut:.1%}"),
                ("  tokens thrown away", f"{lost:.1%}"),
                ("  tokens/s", f"{speed:,.0f}"),
            ]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        numbered = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
        pack_mixture(numbered, tokenizer, folder, LENGTHS[0])
        seconds = time.perf_counter() - start
    rows.append(("text to shards on disk, one core", f"{megabytes / seconds:.1f} MB/s"))
    return [*rows, *_with_workers(text_files)]


def _with_workers(text_files: list[str] | None) -> list[tuple[str, str]]:
    """Seconds, and those of this process' processor time, which more workers cannot take over."""
    tokenizer, seconds, own = load_tokenizer("gemma3"), [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts.jsonl")
        write_texts(texts_without_end(text_files), source, _MOST_BYTES)
        for workers in (1, 2):
            start, start_own = time.perf_counter(), time.process_time()
            shards = Path(folder, f"shards-{workers}")
            pack_mixture(read_sources([source]), tokenizer, shards, LENGTHS[0], workers=workers)
            seconds.append(time.perf_counter() - start)
            own.append(time.process_time() - start_own)
    return [
        ("20 MB to shards with Gemma 3's tokenizer: seconds with one worker", f"{seconds[0]:.1f}"),
        ("  with two", f"{seconds[1]:.1f}"),
        ("  1 worker / 2", f"{seconds[0] / seconds[1]:.2f}"),
        ("  processor seconds of the main process, one worker", f"{own[0]:.1f}"),
        ("  with two", f"{own[1]:.1f}"),
    ]
