"""Duplicates: exact ones by their words, near ones by MinHash with bands and then by exact Jaccard.

After `DuplicateKeys` come three blocks, each a stage of its own, so that any executor can
spread it over machines:

    DuplicateMatch   keys → pairs; one task for a range of key values
    DuplicateResolve near pairs → which document goes, and for which other it goes
    DuplicateFilter  documents → documents without them

**Exact**: equal words in equal order, whatever the case and punctuation; the first in the order
of the input stays. **Near**: at least `THRESHOLD` of the union of two documents' shingles (runs
of five words) are common to both. MinHash only proposes pairs; each is then compared exactly.
The longest document stays, the first of equally long ones, and takes with it those that are
near duplicates *of it*: nothing is removed for being like a document that was removed itself.

Memory is bounded by a range of keys, except for the near pairs: some 300 bytes of each
document that has one, in `DuplicateResolve`.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from gemma_ko_lib.corpus.audit import dropped_to, masked_piece
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.duplicate_keys import TABLES, Chunks, document_number, ranges_for
from gemma_ko_lib.corpus.result_folder import new_lines, write_line
from gemma_ko_lib.corpus.spool import load_mapped

_MATCHES = "matches"  # folder of what the blocks tell each other
THRESHOLD = 0.8
# Documents of equal key that are all compared with one another; of a longer row (a form
# letter, a thousand times) each is compared with its neighbours and with the first.
_NEIGHBOURS = 32
# Documents that stay of one cluster, which each of its others is compared with.
_MOST_COMPARED = 64
_LISTED_CHARACTERS = 200

_EXACT = np.dtype([("document", "<u8"), ("kept", "<u8")])
# Aligned: numpy copies a whole column to search in it where its numbers are not.
_NEAR = np.dtype([("document", "<u8"), ("kept", "<u8"), ("similarity", "<f4")], align=True)


# --- Matching ---------------------------------------------------------------------------


class DuplicateMatch(CountingStep):
    """Find the duplicates among documents whose keys lie in one range, in each table of keys.

    Task number PART writes exact-PART.npy and near-PART.npy.

    Args:
        parts: the most ranges that the values of a key are divided into; tasks beyond those that
            the documents need have nothing to do.
        working_dir: of the run.
        settings: of the run: whether near duplicates are looked for.
    """

    name = "match"

    def __init__(self, parts: int, working_dir: Path, settings: CleanSettings):
        super().__init__(working_dir, settings)
        self.parts = parts

    def count(self, data, rank, counts):
        """Counts the near pairs that MinHash proposed and those that were confirmed."""
        target, chunks = self.working_dir / _MATCHES, Chunks(self.working_dir)
        target.mkdir(parents=True, exist_ok=True)
        ranges = ranges_for(chunks.number_of_documents(), self.parts)
        if rank >= ranges:
            return
        found = _equal_documents(*self._load(chunks, 0, rank, ranges))
        np.save(target / f"exact-{rank:05d}.npy", found, allow_pickle=False)
        if self.settings.duplicates == "near":
            confirmed = [np.zeros(0, _NEAR)]
            for table in range(1, TABLES):
                pairs = _proposed_pairs(chunks, *self._load(chunks, table, rank, ranges), table)
                confirmed.append(_confirmed(chunks, pairs))
                counts["proposed"] += len(pairs)
            confirmed = np.concatenate(confirmed)
            counts["confirmed"] = len(confirmed)
            np.save(target / f"near-{rank:05d}.npy", confirmed, allow_pickle=False)
        yield from ()

    def _load(
        self, chunks: Chunks, table: int, part: int, ranges: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keys of a range and their documents, in order of key, then of document."""
        low, high = (part << 64) // ranges, ((part + 1) << 64) // ranges - 1
        keys, documents = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        for chunk, first in enumerate(chunks.first):
            values, order = chunks.load(chunk, "keys")[table], chunks.load(chunk, "order")[table]
            start = np.searchsorted(values, np.uint64(low), sorter=order)
            end = np.searchsorted(values, np.uint64(high), side="right", sorter=order)
            keys.append(values[order[start:end]])
            documents.append(order[start:end] + first)
        keys, documents = np.concatenate(keys), np.concatenate(documents)
        # Documents of equal keys stand in order already.
        order = np.argsort(keys, kind="stable")
        return keys[order], documents[order]


def _run_starts(keys: np.ndarray) -> np.ndarray:
    """For each of sorted keys the place at which its run of equal keys begins."""
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    return np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))


def _equal_documents(keys: np.ndarray, documents: np.ndarray) -> np.ndarray:
    starts = _run_starts(keys)
    later = starts < np.arange(len(keys))
    found = np.zeros(later.sum(), _EXACT)
    found["document"], found["kept"] = documents[later], documents[starts[later]]
    return np.sort(found, order="document")


def _proposed_pairs(
    chunks: Chunks, keys: np.ndarray, documents: np.ndarray, table: int
) -> np.ndarray:
    """Pairs of one band, uint64 [pairs, 2], without those that an earlier band has, too."""
    starts = _run_starts(keys)
    shared = np.bincount(starts, minlength=len(keys))[starts] > 1
    keys, documents = keys[shared], documents[shared]
    # Of equal documents, which share every band, the first stands for all.
    exact = chunks.look_up("keys", documents, row=0)
    order = np.lexsort((documents, exact, keys))
    keys, documents, exact = keys[order], documents[order], exact[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]) | (exact[1:] != exact[:-1])
    keys, documents = keys[first], documents[first]
    order = np.lexsort((documents, keys))
    keys, documents = keys[order], documents[order]
    pairs = [np.zeros((0, 2), np.uint64)]
    for distance in range(1, _NEIGHBOURS + 1):
        same = keys[distance:] == keys[:-distance]
        if not same.any():
            break
        pairs.append(np.stack([documents[:-distance][same], documents[distance:][same]], axis=1))
    starts = _run_starts(keys)
    far = np.arange(len(keys)) - starts > _NEIGHBOURS
    pairs.append(np.stack([documents[starts[far]], documents[far]], axis=1))
    pairs = np.concatenate(pairs)
    for earlier in range(1, table):
        sides = [chunks.look_up("keys", side, row=earlier) for side in pairs.T]
        pairs = pairs[sides[0] != sides[1]]
    return pairs


def _confirmed(chunks: Chunks, pairs: np.ndarray) -> np.ndarray:
    """The pairs whose Jaccard similarity really reaches the threshold."""
    similar = np.fromiter((chunks.similarity(*pair) for pair in pairs), float, len(pairs))
    enough = similar >= THRESHOLD
    found = np.zeros(enough.sum(), _NEAR)
    found["document"], found["kept"] = pairs[enough].T
    found["similarity"] = similar[enough]
    return found


# --- Resolving --------------------------------------------------------------------------


class DuplicateResolve(CountingStep):
    """Decide which of the near duplicates stays; writes near.npy, in the order of documents.

    Where only exact ones are looked for, it is empty.
    """

    name = "resolve"

    def count(self, data, rank, counts):
        """Counts nothing: the block that leaves them out does."""
        matches = self.working_dir / _MATCHES
        files = [np.load(path) for path in sorted(matches.glob("near-*.npy"))]
        pairs = np.concatenate([np.zeros(0, _NEAR), *files])
        removed = _survivors(pairs, Chunks(self.working_dir))
        np.save(matches / "near.npy", removed, allow_pickle=False)
        yield from ()


def _survivors(pairs: np.ndarray, chunks: Chunks) -> np.ndarray:
    """Of each cluster, the longest first, a document stays that is like none that stays."""
    similarity: dict[int, dict[int, float]] = defaultdict(dict)
    for first, second, value in pairs.tolist():
        similarity[first][second] = similarity[second][first] = value
    cluster_of = _clusters(similarity)
    documents = np.array(sorted(similarity), np.uint64)
    characters = chunks.look_up("characters", documents).astype(np.int64)
    kept: dict[int, dict[int, None]] = defaultdict(dict)  # in the order in which they came
    removed: list[tuple[int, int, float]] = []
    for document in documents[np.lexsort((documents, -characters))].tolist():
        stays = kept[cluster_of[document]]
        known = similarity.pop(document)
        for other in islice(stays, _MOST_COMPARED):
            if other not in known:
                known[other] = chunks.similarity(document, other)
        like = [(v, other) for other, v in known.items() if v >= THRESHOLD and other in stays]
        if like:
            value, other = max(like)
            removed.append((document, other, value))
        else:
            stays[document] = None
    return np.array(sorted(removed), _NEAR)


def _clusters(similarity: dict[int, dict[int, float]]) -> dict[int, int]:
    """A number for each document; those that pairs connect, over others too, have the same."""
    cluster_of: dict[int, int] = {}
    for start in similarity:
        if start in cluster_of:
            continue
        cluster_of[start] = start
        open_ends = [start]
        while open_ends:
            for other in similarity[open_ends.pop()]:
                if other not in cluster_of:
                    cluster_of[other] = start
                    open_ends.append(other)
    return cluster_of


# --- Removing ---------------------------------------------------------------------------


class DuplicateFilter(CountingStep):
    """Leave the duplicates out of a task's documents; each is listed in duplicates-NNNNN.jsonl."""

    name = "duplicates"

    def count(self, data, rank, counts):
        """Counts in, exact, near."""
        removed = dict(self._removed(rank))
        chunks = Chunks(self.working_dir) if removed else None
        with (
            new_lines(self.working_dir, "duplicates", rank) as file,
            dropped_to(self, rank) as drop,
        ):
            for index, document in enumerate(data):
                counts["in"] += 1
                if index not in removed:
                    yield document
                    continue
                kept, similarity = removed[index]
                kind = "exact" if math.isnan(similarity) else "near"
                counts[kind] += 1
                drop(document, f"{kind}_duplicate")
                record = {"id": document.id, "duplicate_of": chunks.identifier(kept), "kind": kind}
                if kind == "near":
                    record["similarity"] = round(similarity, 4)
                write_line(file, {**record, "text": self._listed(document.text)})

    def _listed(self, text: str) -> str:
        is_masked = self.settings.pii != "keep"
        spans = () if is_masked else self.settings.find_pii(text)
        return masked_piece(text, 0, _LISTED_CHARACTERS, spans)

    def _removed(self, rank: int) -> Iterator[tuple[int, tuple[int, float]]]:
        """Place within the task of what goes, what stays for it, and how similar the two are.

        An exact duplicate has no similarity (NaN).
        """
        matches = self.working_dir / _MATCHES
        near = load_mapped(matches / "near.npy")
        low, high = document_number(rank, 0), document_number(rank + 1, 0)
        for document, kept, similarity in _between(near, low, high):
            yield document - low, (kept, similarity)
        for path in sorted(matches.glob("exact-*.npy")):
            for document, kept in _between(load_mapped(path), low, high):
                # What stands for it may have gone itself, as a near duplicate of another.
                place = np.searchsorted(near["document"], np.uint64(kept))
                if place < len(near["document"]) and near["document"][place] == kept:
                    kept = int(near["kept"][place])
                yield document - low, (kept, math.nan)


def _between(found, low: int, high: int) -> list[tuple]:
    start, end = np.searchsorted(found["document"], np.array([low, high], np.uint64))
    return found[start:end].tolist()
