"""What tasks leave behind for later tasks: documents, and rows of numbers by document.

Documents travel between the stages of the pipeline as JSON lines in Zstandard, one file a
task. Lists of different lengths (a document's shingles, its id's bytes) lie one after the
other in one array, with a second array that says where each begins.
"""

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
import zstandard
from datatrove.data import Document

from gemma_ko_lib.corpus.counting import CountingStep


def _spool_file(working_dir: Path, rank: int) -> Path:
    return working_dir / "spool" / f"spool-{rank:05d}.jsonl.zst"


class SpoolWriter(CountingStep):
    """Lay a task's documents aside for a later stage."""

    name = "spool"

    def count(self, data, rank, counts):
        """Counts nothing: the stage that reads them does."""
        with open_packed(_spool_file(self.working_dir, rank)) as file:
            for document in data:
                record = [document.id, document.text, document.metadata]
                file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
                yield document


class SpoolReader(CountingStep):
    """Take a task's documents up again, in the order in which they were written."""

    name = "resume"

    def count(self, data, rank, counts):
        """Counts nothing of its own."""
        with zstandard.open(_spool_file(self.working_dir, rank), "rb") as packed:
            for line in io.BufferedReader(packed, 1 << 20):
                identifier, text, metadata = orjson.loads(line)
                yield Document(text=text, id=identifier, metadata=metadata)


def open_packed(path: Path) -> BinaryIO:
    """A new file, packed as its name says (.gz, .zst); no name or time of day is in its bytes.

    Level 4 of gzip takes half the time of 6 and makes files 5% larger.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = open(path, "wb")
    if path.suffix == ".zst":
        packed = zstandard.ZstdCompressor(write_checksum=True).stream_writer(plain)
    else:
        packed = gzip.GzipFile("", "wb", compresslevel=4, fileobj=plain, mtime=0)
        packed.myfileobj = plain  # closed with it
    # One call of the packer per megabyte instead of one per document.
    return io.BufferedWriter(packed, 1 << 20)


# --- Rows of numbers --------------------------------------------------------------------


def save_ragged(folder: Path, name: str, values: np.ndarray, lengths: Sequence[int]) -> None:
    """Store lists of different lengths.

    Args:
        folder: where `name`.npy and `name`-starts.npy go.
        name: of the array.
        values: [n], all lists one after the other.
        lengths: [lists], of each.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)])  # and after the last, n
    np.save(folder / f"{name}.npy", values, allow_pickle=False)
    np.save(folder / f"{name}-starts.npy", starts.astype(np.int64), allow_pickle=False)


class Ragged:
    """Lists of different lengths, mapped from disk; `ragged[i]` is list i.

    Args:
        folder: see `save_ragged`.
        name: of the array.
    """

    def __init__(self, folder: Path, name: str):
        self._values = load_mapped(folder / f"{name}.npy")
        self._starts = load_mapped(folder / f"{name}-starts.npy")

    def __getitem__(self, index: int) -> np.ndarray:
        return self._values[self._starts[index] : self._starts[index + 1]]


def load_mapped(path: Path) -> np.ndarray:
    """Map an array from disk; only what is looked at gets into memory."""
    return np.load(path, mmap_mode="r", allow_pickle=False)
