"""Spools tokenized pieces to disk and draws them again in a seeded order, as often as needed.

A mixture must know how many tokens each group has before it can say how often to repeat it, and
tokenizing twice would cost far more than reading back. Memory holds one piece at a time: the rest
is on disk, and the order is computed, not stored.
"""

import hashlib
import itertools
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import disk_errors

_BUFFER_BYTES = 1 << 20
_POSITIONS_AT_ONCE = 4096


class TokenSpool:
    """The spooled pieces of one group: `add` them all, `close`, then `draw`.

    A piece is a document, or a part of one that is longer than a row.

    Args:
        folder: where the files go.
        name: the files' name, without its suffix.

    Attributes:
        pieces, tokens, documents: how many have been added.
    """

    def __init__(self, folder: Path, name: str):
        self._ids, self._index = folder / f"{name}.ids", folder / f"{name}.index"
        self.pieces = self.tokens = self.documents = 0
        # Pieces are small, so many are written at once.
        self._waiting_ids = bytearray()
        self._waiting_index = array("q")  # where a piece's ids start and end, bytes of text

    def add(self, ids: np.ndarray, text_bytes: int) -> None:
        """Add a piece.

        Args:
            ids: int32 [n].
            text_bytes: UTF-8 bytes of the document, with its first piece; 0 with the others.

        Raises:
            UserError: the disk is full.
        """
        start = self.tokens
        self.pieces += 1
        self.tokens += len(ids)
        self.documents += text_bytes > 0
        self._waiting_ids += ids.data
        self._waiting_index.extend((start, self.tokens, text_bytes))
        if len(self._waiting_ids) > _BUFFER_BYTES:
            self.close()

    def close(self) -> None:
        """Write what is still in memory.

        Raises:
            UserError: the disk is full.
        """
        for path, waiting in ((self._ids, self._waiting_ids), (self._index, self._waiting_index)):
            with disk_errors(path), open(path, "ab") as file:
                file.write(waiting)
        self._waiting_ids.clear()
        del self._waiting_index[:]

    def draw(self, tokens: int, key: str) -> Iterator[tuple[np.ndarray, int]]:
        """Take pieces in a random order until the next would go beyond `tokens`.

        Each piece comes once before any comes a second time: pieces are taken in whole epochs,
        each in another order, and the last epoch ends where the tokens are reached.

        Args:
            tokens: the most to take; less than one piece of it is left over.
            key: decides the order; it must contain the seed.

        Yields:
            ids and text_bytes, as they were added.
        """
        left = tokens
        # Mapped: only what is looked at gets into memory. Views of a plain array cost less.
        ids = np.asarray(np.memmap(self._ids, np.int32, "r"))
        index = np.asarray(np.memmap(self._index, np.int64, "r")).reshape(-1, 3)
        for epoch in itertools.count():
            for number in permutation(self.pieces, f"{key}/{epoch}"):
                start, end, text_bytes = index[number].tolist()
                left -= end - start
                if left < 0:
                    return
                yield ids[start:end], text_bytes


# --- A random order that is not stored ----------------------------------------------------


def permutation(count: int, key: str) -> Iterator[int]:
    """Yield 0 … count − 1 in an order that depends on the key, in constant memory.

    A Feistel network permutes the smallest power of four that is large enough; a number outside
    the range is sent through again until it falls inside ("cycle walking", Black and Rogaway
    2002). Unlike that of NumPy's generators, the order is the same in every version.
    """
    half = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
    digest = hashlib.blake2b(key.encode("utf-8"), digest_size=64).digest()
    round_keys = np.frombuffer(digest, "<u8")
    for start in range(0, count, _POSITIONS_AT_ONCE):
        positions = np.arange(start, min(start + _POSITIONS_AT_ONCE, count), dtype=np.uint64)
        values = _feistel(positions, half, round_keys)
        while (outside := values >= count).any():
            values[outside] = _feistel(values[outside], half, round_keys)
        yield from values.tolist()


def _feistel(values: np.ndarray, half: np.uint64, round_keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for round_key in round_keys:
        left, right = right, left ^ (_mixed(right + round_key) & mask)
    return left << half | right


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele and others 2014): every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
