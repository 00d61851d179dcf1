"""Words and their n-grams as 64-bit numbers: what duplicates and leaks are looked for with.

A text is lowercased and cut into words; punctuation and white space do not count. An
eojeol (어절) is a word, and so is each character of Chinese and Japanese, which write none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import xxhash
from datatrove.data import Document

_HAN_AND_KANA = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ALONE = re.compile(f"[{_HAN_AND_KANA}]")
_SIGN = re.compile(rf"[^\uac00-\ud7a3\x00-\x7f\w{_HAN_AND_KANA}]")  # Hangul first: it is quick
# Of the bytes of UTF-8, those of ASCII's signs become spaces.
_WITHOUT_SIGNS = bytes(b if b > 0x7F or re.match(r"\w", chr(b)) else 0x20 for b in range(256))
_BATCH_DOCUMENTS, _BATCH_WORDS = 1024, 1 << 18
# Odd constants of no further meaning, as multiplicative hashing wants them.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)


def words(text: str) -> list[bytes]:
    """The words of a text in UTF-8, without case and punctuation; the text itself if it has none.

    Example: "맛있어요!! ^^ 또 갈게요" → "맛있어요", "또", "갈게요".
    """
    lower = text.lower()
    if not lower.isascii():
        # A function: preparing a template costs more than most searches.
        lower = _ALONE.sub(lambda match: f" {match[0]} ", _SIGN.sub(" ", lower))
    found = lower.encode("utf-8", "replace").translate(_WITHOUT_SIGNS).split()
    return found or [text.encode("utf-8", "replace")]


def stands_alone(word: bytes) -> bool:
    """Whether a word is one character of Chinese or Japanese, which are written without spaces."""
    return len(word) == 3 and _ALONE.match(word.decode()) is not None


def in_batches(data: Iterable[Document]) -> Iterator[tuple[list[Document], list[list[bytes]]]]:
    """Documents and their words, as many at once as numpy needs to be fast on short ones."""
    documents, texts, total = [], [], 0
    for document in data:
        documents.append(document)
        texts.append(words(document.text))
        total += len(texts[-1])
        if len(documents) >= _BATCH_DOCUMENTS or total >= _BATCH_WORDS:
            yield documents, texts
            documents, texts, total = [], [], 0
    if documents:
        yield documents, texts


def key(words: Sequence[bytes]) -> int:
    """One number for a sequence of words; equal sequences have equal numbers."""
    return xxhash.xxh3_64_intdigest(b" ".join(words))


class Shingles(NamedTuple):
    """The n-grams of several texts, one text after the other.

    Attributes:
        hashes: uint64 [n], one for each n-gram, in the order of the text.
        starts: int64 [texts + 1]; text i has hashes[starts[i] : starts[i + 1]].
    """

    hashes: np.ndarray
    starts: np.ndarray


def shingle(texts: Sequence[Sequence[bytes]], size: int) -> Shingles:
    """Hash every run of `size` words of each text; a shorter text is one shingle.

    Args:
        texts: the words of each text; none may be empty.
        size: words in a shingle.
    """
    counts = np.array([len(words) for words in texts])
    padded = np.maximum(counts, size)
    ends = np.cumsum(padded)
    flat = np.zeros(ends[-1] + size - 1, np.uint64)
    places = np.arange(counts.sum()) + np.repeat(ends - padded - np.cumsum(counts) + counts, counts)
    digests = map(xxhash.xxh3_64_intdigest, chain.from_iterable(texts))
    flat[places] = np.fromiter(digests, np.uint64, len(places))
    hashes = np.zeros(ends[-1], np.uint64)
    for offset in range(size):
        hashes = hashes * _FACTOR + flat[offset : offset + len(hashes)]
    hashes = mix(hashes)
    # A run that begins in the last size - 1 words of a text reaches into the next one.
    position = np.arange(ends[-1]) - np.repeat(ends - padded, padded)
    hashes = hashes[position <= np.repeat(padded - size, padded)]
    return Shingles(hashes, np.concatenate([[0], np.cumsum(padded - size + 1)]))


def mix(hashes: np.ndarray) -> np.ndarray:
    """Spread every bit of 64-bit numbers over all of them (one to one)."""
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX
    return hashes ^ (hashes >> np.uint64(32))


def combine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One number for each pair of numbers, whose order counts."""
    return mix(first * _FACTOR + second)
