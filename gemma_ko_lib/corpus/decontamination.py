"""Decontamination (누출 방지): documents that hold a piece of an evaluation set are left out.

Documents that share a run of `NGRAM` words with an item are removed and listed with the item
and the words.
The measure is the 13-gram of GPT-3 (arXiv 2005.14165, appendix C), with two amendments. A
shorter item, as Korean ones often are, counts as a whole. And trivial runs are no evidence:
few different words ("ㅋㅋ ㅋㅋ"), nothing but numbers, or words that one item in ten has, since
that is how the set asks and not what it asks.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from datatrove.data import Document

from gemma_ko_lib.corpus import shingles
from gemma_ko_lib.corpus.audit import Dropped
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.spool import task_lines, write_line
from gemma_ko_lib.runtime import UserError, numbered_lines

NGRAM = 13
# Items below this many words prove nothing: any text may hold "그는 학교에 갔다".
FEWEST_WORDS = 6
_FEWEST_DIFFERENT = 4
_COMMON_ITEMS, _COMMON_SHARE = 5, 0.1
_BATCH_DOCUMENTS, _BATCH_WORDS = 512, 1 << 17


# --- The index ----------------------------------------------------------------------------


def build_index(files: Iterable[str | Path], target: Path) -> dict:
    """Index the n-grams of evaluation sets.

    Args:
        files: JSON lines, in which every string in a record, at any depth, is a text of its item;
            or .tsv files, in which every cell is.
        target: the folder for index.npz and items.json.

    Returns:
        What was indexed: {"files", "items", "ngrams", "too_short", "trivial"}, where the last
        two count the texts of fewer than six words and the n-grams that are no evidence.

    Raises:
        UserError: a file is missing, empty or damaged.
    """
    names: list[str] = []
    items_of: dict[tuple[int, int], set[int]] = defaultdict(set)
    counts = {"files": 0, "items": 0, "ngrams": 0, "too_short": 0, "trivial": 0}
    trivial = set()
    for path in map(Path, files):
        counts["files"] += 1
        for number, texts in _items(path):
            item = len(names)
            names.append(f"{path.name}:{number}")
            for text in texts:
                words = shingles.words(text)
                if len(words) < FEWEST_WORDS:
                    counts["too_short"] += 1
                    continue
                size = min(len(words), NGRAM)
                hashes = shingles.shingle([words], size).hashes.tolist()
                for start, value in enumerate(hashes):
                    items_of[size, value].add(item)
                    if _is_trivial(words[start : start + size]):
                        trivial.add((size, value))
    most = max(_COMMON_ITEMS, _COMMON_SHARE * len(names))
    trivial |= {gram for gram, items in items_of.items() if len(items) > most}
    grams = sorted(set(items_of) - trivial)
    counts |= {"items": len(names), "ngrams": len(grams), "trivial": len(trivial)}
    target.mkdir(parents=True, exist_ok=True)
    np.savez(
        target / "index.npz",
        sizes=np.array([size for size, _ in grams], np.int64),
        hashes=np.array([value for _, value in grams], np.uint64),
        items=np.array([min(items_of[gram]) for gram in grams], np.int64),
    )
    (target / "items.json").write_text(json.dumps(names, ensure_ascii=False), "utf-8")
    return counts


def _items(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and texts of each item of a file."""
    try:
        lines = numbered_lines(path)
    except OSError as error:
        raise UserError(f"Cannot read the evaluation set {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start:,}); save it as UTF-8.") from None
    found = False
    if path.suffix == ".tsv":
        lines = lines[1:]  # the names of the columns
    for number, line in lines:
        if path.suffix == ".tsv":
            found = True
            yield number, line.split("\t")
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UserError(
                f"{path}:{number} is not JSON ({error}). An evaluation set is needed whole: "
                "mend or remove the line, or give another file."
            ) from None
        found = True
        yield number, list(_strings(record))
    if not found:
        raise UserError(f"The evaluation set {path} is empty; give a file of JSON lines or a .tsv.")


def _strings(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _is_trivial(words: list[str]) -> bool:
    return len(set(words)) < _FEWEST_DIFFERENT or "".join(words).isdecimal()


# --- The block ----------------------------------------------------------------------------


class Decontaminator(CountingStep):
    """Leave out documents that share an n-gram with an evaluation set.

    Each is listed in contaminated-NNNNN.jsonl with the item and the words in common.

    Args:
        index: folder of `build_index`.
        working_dir: for the list.
        dropped: folder for the documents left out, or None.
    """

    name = "decontaminate"
    type = "corpus"

    def __init__(self, index: Path, working_dir: Path, dropped: Path | None = None):
        super().__init__()
        self.index, self.working_dir, self.dropped = index, working_dir, dropped

    def count(self, data, rank, counts):
        """Counts in and out."""
        with np.load(self.index / "index.npz") as stored:
            sizes, hashes, items = stored["sizes"], stored["hashes"], stored["items"]
        names = json.loads((self.index / "items.json").read_text("utf-8"))
        # Sizes are in order, and hashes are within a size.
        index = {int(n): (hashes[sizes == n], items[sizes == n]) for n in np.unique(sizes)}
        listed = task_lines(self.working_dir, "contaminated", rank)
        with (
            open(listed, "w", encoding="utf-8") as file,
            Dropped(self.dropped, self.name, rank) as dropped,
        ):
            for batch, words in _batches(data):
                hits = _find(words, index)
                for place, document in enumerate(batch):
                    counts["in"] += 1
                    if place not in hits:
                        counts["out"] += 1
                        yield document
                        continue
                    item, common = hits[place]
                    record = {"id": document.id, "item": names[item], "words": common}
                    write_line(file, record)
                    dropped.add(document, self.name)


def _batches(data: Iterable[Document]) -> Iterator[tuple[list[Document], list[list[str]]]]:
    documents, words, total = [], [], 0
    for document in data:
        documents.append(document)
        words.append(shingles.words(document.text))
        total += len(words[-1])
        if len(documents) >= _BATCH_DOCUMENTS or total >= _BATCH_WORDS:
            yield documents, words
            documents, words, total = [], [], 0
    if documents:
        yield documents, words


def _find(texts: list[list[str]], index: dict) -> dict[int, tuple[int, str]]:
    """For each text that has an indexed n-gram: the item, and the words in common."""
    hits: dict[int, tuple[int, str]] = {}
    for size, (known, items) in sorted(index.items(), reverse=True):
        found = shingles.shingle(texts, size)
        places = np.searchsorted(known, found.hashes)
        places[places == len(known)] = 0
        for hit in np.flatnonzero(known[places] == found.hashes):
            text = int(np.searchsorted(found.starts, hit, side="right")) - 1
            start = hit - found.starts[text]
            common = " ".join(texts[text][start : start + size])
            hits.setdefault(text, (int(items[places[hit]]), common))
    return hits
