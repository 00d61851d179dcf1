"""What duplicates are found by: each document's keys and shingles, on disk in chunks.

The first key stands for all words of a document, each further one for a band of its MinHash
signature (Broder 1997): the more shingles two documents share, the more likely is it that
they share a band. `duplicates` says what follows from that.
"""

import bisect
import functools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datatrove.data import Document

from gemma_ko_lib.corpus import shingles
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.spool import Ragged, load_mapped, save_ragged

_FOLDER = "keys"  # of the chunks of all tasks
SHINGLE_WORDS = 5
# 16 bands of 6 hashes propose a pair of Jaccard 0.8 with 1 - (1 - 0.8^6)^16 = 99.2%, and one
# of 0.5 with 22%, which the exact comparison then sorts out. (14 × 8, as in FineWeb-2: 92.4%.)
BANDS, HASHES_PER_BAND = 16, 6
_SEED = 1
TABLES = 1 + BANDS  # the first holds the keys of exact duplicates
# A chunk holds this much at most, so that its arrays stay below some 50 MB.
_CHUNK_DOCUMENTS, _CHUNK_SHINGLES = 1 << 16, 1 << 22
# A document's number in the whole corpus: its task's, then its own within the task.
_RANK_SHIFT = 40
_MOST_OPEN = 8192  # lists count twice


# --- Keys -------------------------------------------------------------------------------


class DuplicateKeys(CountingStep):
    """Write every document's keys, and its shingles to compare near duplicates exactly."""

    name = "keys"

    def count(self, data, rank, counts):
        """Counts nothing: nothing is removed here."""
        folder = self.working_dir / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        near = self.settings.duplicates == "near"
        chunk: list[_Batch] = []
        first = end = 0  # of the chunk, among the task's documents
        for documents, texts in shingles.in_batches(data):
            chunk.append(_keys_of(documents, texts, document_number(rank, end), near))
            end += len(documents)
            held = sum(len(batch.shingles) for batch in chunk)
            if held >= _CHUNK_SHINGLES or end - first >= _CHUNK_DOCUMENTS:
                _write(folder / f"{rank:05d}-{first:010d}", chunk)
                chunk, first = [], end
            yield from documents
        if chunk:
            _write(folder / f"{rank:05d}-{first:010d}", chunk)


class _Batch(NamedTuple):
    """What is written of some documents.

    Attributes:
        keys: uint64 [tables, documents].
        ids: of the documents, in UTF-8.
        characters: of each document's text.
        shingles: uint32, the distinct ones of all documents; none if only exact duplicates count.
        shingle_counts: of each document.
    """

    keys: np.ndarray
    ids: list[bytes]
    characters: list[int]
    shingles: np.ndarray
    shingle_counts: np.ndarray


def _keys_of(documents: list[Document], texts: list[list[bytes]], first: int, near: bool) -> _Batch:
    """Keys and shingles of documents, the first of which has the number `first`."""
    keys = np.zeros((TABLES if near else 1, len(texts)), np.uint64)
    keys[0] = [shingles.key(words) for words in texts]
    distinct = counts = np.zeros(0, np.uint32)
    if near:
        found = shingles.shingle(texts, SHINGLE_WORDS)
        keys[1:] = _band_keys(found)
        # Two documents of a single shingle are equal or have nothing in common.
        single = np.diff(found.starts) == 1
        numbers = np.arange(first, first + len(texts), dtype=np.uint64)
        keys[1:, single] = shingles.mix(numbers)[single]
        distinct, counts = _distinct(found)
    ids = [document.id.encode("utf-8", "replace") for document in documents]
    return _Batch(keys, ids, [len(document.text) for document in documents], distinct, counts)


def _write(folder: Path, chunk: list[_Batch]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    keys = np.concatenate([batch.keys for batch in chunk], axis=1)
    order = np.argsort(keys, axis=1, kind="stable").astype(np.uint32)
    characters = np.concatenate([np.array(batch.characters, np.uint32) for batch in chunk])
    for name, array in (("keys", keys), ("order", order), ("characters", characters)):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    ids = [identifier for batch in chunk for identifier in batch.ids]
    save_ragged(folder, "ids", np.frombuffer(b"".join(ids), np.uint8), list(map(len, ids)))
    if len(keys) > 1:
        counts = np.concatenate([batch.shingle_counts for batch in chunk])
        save_ragged(folder, "shingles", np.concatenate([b.shingles for b in chunk]), counts)


def document_number(rank: int, index: int) -> int:
    """The number of a task's document in the whole corpus, in the order of the input."""
    return (rank << _RANK_SHIFT) + index


def _band_keys(found: shingles.Shingles) -> np.ndarray:
    """uint64 [bands, texts]: equal where all MinHash values of a band are equal.

    A MinHash value is the smallest of a text's shingles after a permutation. Shingles are
    well-mixed numbers already, so a multiplication and an addition permute them enough.
    """
    draw = np.random.default_rng(_SEED)
    factors = draw.integers(0, 1 << 63, (BANDS, HASHES_PER_BAND), np.uint64) * np.uint64(2)
    offsets = draw.integers(0, 1 << 63, (BANDS, HASHES_PER_BAND), np.uint64)
    keys = np.zeros((BANDS, len(found.starts) - 1), np.uint64)
    permuted = np.empty_like(found.hashes)
    for band in range(BANDS):
        for factor, offset in zip(factors[band] + np.uint64(1), offsets[band], strict=True):
            np.multiply(found.hashes, factor, out=permuted)
            permuted += offset
            smallest = np.minimum.reduceat(permuted, found.starts[:-1])
            keys[band] = shingles.combine(keys[band], smallest)
    return keys


def _distinct(found: shingles.Shingles) -> tuple[np.ndarray, np.ndarray]:
    """Each text's distinct shingles in order, uint32 [n], and how many it has, [texts].

    32 bits are enough to compare two documents: of 10,000 shingles, two of different words
    are equal by chance in one of a hundred documents.
    """
    texts = len(found.starts) - 1
    text = np.repeat(np.arange(texts, dtype=np.uint64), np.diff(found.starts))
    # One sort of numbers that begin with the text's is several times faster than one of pairs.
    both = np.sort(text << np.uint64(32) | found.hashes >> np.uint64(32))
    both = both[np.concatenate([[True], both[1:] != both[:-1]])]
    counts = np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=texts)
    return both.astype(np.uint32), counts


# --- Reading keys -----------------------------------------------------------------------


class Chunks:
    """The chunks that all tasks of a run wrote into its working folder, mapped from disk."""

    def __init__(self, working_dir: Path):
        self.folders = sorted(p for p in (working_dir / _FOLDER).iterdir() if p.is_dir())
        numbers = [map(int, path.name.split("-")) for path in self.folders]
        self._first = [document_number(*number) for number in numbers]
        self.first = np.array(self._first, np.uint64)
        # A process may map some 65,000 files, and 500 GB of reviews have more chunks than that.
        self._get = functools.lru_cache(_MOST_OPEN)(self.load)

    def load(self, chunk: int, name: str, ragged: bool = False) -> np.ndarray | Ragged:
        """Map an array or lists for a single use; what it touched leaves memory with it.

        Args:
            chunk: its place in the order of documents.
            name: "keys", "order" [tables, n] or "characters" [n]; of lists "shingles" or "ids".
            ragged: lists are meant.
        """
        folder = self.folders[chunk]
        return Ragged(folder, name) if ragged else load_mapped(folder / f"{name}.npy")

    def look_up(self, name: str, documents: np.ndarray, row: int | None = None) -> np.ndarray:
        """Values of documents, given by number, out of an array or out of one of its rows."""
        chunks = np.searchsorted(self.first, documents, side="right") - 1
        places = (documents - self.first[chunks]).astype(np.int64)
        order = np.argsort(chunks, kind="stable")
        present, starts = np.unique(chunks[order], return_index=True)
        found = np.zeros(len(documents), np.uint64)
        for chunk, mine in zip(present, np.split(order, starts)[1:], strict=True):
            array = self._get(chunk, name)
            found[mine] = (array if row is None else array[row])[places[mine]]
        return found

    def number_of_documents(self) -> int:
        """Documents of all chunks together."""
        return sum(len(self.load(chunk, "characters")) for chunk in range(len(self.folders)))

    def list_of(self, name: str, document: int) -> np.ndarray:
        """One document's list: "shingles", or the bytes of its "ids"."""
        chunk = bisect.bisect_right(self._first, document) - 1
        return self._get(chunk, name, ragged=True)[int(document) - self._first[chunk]]

    def identifier(self, document: int) -> str:
        """A document's id by its number."""
        return bytes(self.list_of("ids", document)).decode()

    def similarity(self, first: int, second: int) -> float:
        """Jaccard similarity of two documents: shared distinct shingles over all of them."""
        a, b = self.list_of("shingles", first), self.list_of("shingles", second)
        shared = len(np.intersect1d(a, b, assume_unique=True))
        return shared / (len(a) + len(b) - shared)


# A table's keys and documents, and their copies while they are sorted, take some 600 MB.
MOST_DOCUMENTS = 10_000_000


def parts_for(input_bytes: int) -> int:
    """Ranges of keys, so that a task of `DuplicateMatch` stays below a gigabyte: the most needed.

    How many documents an input has is not known before it is read.
    """
    return max(1, math.ceil(input_bytes / (50 * MOST_DOCUMENTS)))  # all of them short reviews


def ranges_for(documents: int, parts: int) -> int:
    """Ranges of keys that so many documents really need, of the parts that were foreseen.

    Each of them looks into every chunk, so that ten times the ranges take ten times as long.
    """
    return min(parts, max(1, math.ceil(documents / MOST_DOCUMENTS)))
