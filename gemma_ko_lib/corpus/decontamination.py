"""Decontamination (누출 방지): documents that hold a piece of an evaluation set are left out.

Documents that share a run of `NGRAM` words with an item are removed and listed with the item
and the words.
The measure is the 13-gram of GPT-3 (arXiv 2005.14165, appendix C), with amendments. A shorter
text, as Korean ones often are, counts as a whole; one of fewer than six words only as a sentence
by itself or where other texts of its item stand in the same document. And trivial runs are no
evidence: few different words ("ㅋㅋ ㅋㅋ"), fewer than twelve characters of Chinese or Japanese,
which may be a name (大韓民國臨時政府), nothing but numbers, or words that one item in ten of a set
has, since that is how the set asks and not what it asks.
"""

import csv
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from datatrove.data import Document

from gemma_ko_lib.corpus import shingles
from gemma_ko_lib.corpus.audit import dropped_to
from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import clean_text
from gemma_ko_lib.corpus.counting import CountingStep
from gemma_ko_lib.corpus.result_folder import new_lines, read_lines, task_lines, write_line
from gemma_ko_lib.runtime import UserError, numbered_records

NGRAM = 13
# Below this many words a run proves nothing: any text may hold "그는 학교에 갔다". It counts as a
# whole sentence, from so many words on, or together with other texts of its item: the question
# with an answer, both sentences of a pair.
FEWEST_WORDS = 6
_SENTENCE_WORDS = 4
_ANCHOR_WORDS = 3  # the others are looked for beside a text of so many
_FEWEST_DIFFERENT = 4
_FEWEST_CHARACTERS = 12  # of Chinese and Japanese, where each is a word
_ENDS = re.compile(r"[.!?…\n]+")
_COMMON_ITEMS, _COMMON_SHARE = 5, 0.1
# Fields that say something about an item and are not asked.
_ABOUT = {"id", "note", "source", "phenomenon", "frame", "category", "register", "lang"}


# --- The index ----------------------------------------------------------------------------


def build_index(files: Iterable[str | Path], target: Path) -> dict:
    """Index the n-grams of evaluation sets.

    Args:
        files: as for `runtime.numbered_records`. Every string in a record, at any depth, is a text
            of its item, but for its id, category, source and the like; as it is, and as cleaning
            leaves it, for so it stands in documents that were cleaned.
        target: the folder for index.npy and items.json.

    Returns:
        What was indexed: {"files", "items", "ngrams", "too_short", "trivial", "planted"}:
        "too_short" counts the texts of fewer than six words, "trivial" the n-grams that are no
        evidence. "planted" says of each file how many of its items are found where they stand
        word for word in a document.

    Raises:
        UserError: a file is missing, empty or damaged.
    """
    names: list[str] = []
    item_texts: list[list[str]] = []
    words_of: list[list[list[bytes]]] = []
    items_of: dict[tuple[int, int], set[int]] = defaultdict(set)
    trivial: set[tuple[int, int]] = set()
    set_of: list[int] = []
    paths = [Path(file) for file in files]
    labels = _labels(paths)
    for which, (path, label) in enumerate(zip(paths, labels, strict=True)):
        for number, texts in _items(path):
            item = len(names)
            names.append(f"{label}:{number}")
            set_of.append(which)
            item_texts.append(texts)
            words_of.append(list(map(shingles.words, texts)))
            for words in words_of[item]:
                if len(words) < _ANCHOR_WORDS:
                    continue
                size = min(len(words), NGRAM)
                characters = sum(map(shingles.stands_alone, words))
                is_name = size < _FEWEST_CHARACTERS and 2 * characters > size
                for start, value in enumerate(shingles.shingle([words], size).hashes.tolist()):
                    items_of[size, value].add(item)
                    run = words[start : start + size]
                    is_repeated = len(set(run)) < min(_FEWEST_DIFFERENT, size)
                    if is_name or is_repeated or _is_number(run):
                        trivial.add((size, value))
    sizes = Counter(set_of)
    trivial |= {
        gram
        for gram, its in items_of.items()
        if len(its) > _COMMON_ITEMS and _is_common([set_of[i] for i in its], sizes)
    }
    grams = {gram: items for gram, items in items_of.items() if gram not in trivial}
    rows = sorted((*gram, item) for gram, items in grams.items() for item in items)
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / "index.npy", np.array(rows, np.uint64).reshape(-1, 3), allow_pickle=False)
    short_texts = [
        [_joined(words) for words in its if len(words) < FEWEST_WORDS and not _is_number(words)]
        for its in words_of
    ]
    stored = {"names": names, "texts": short_texts}
    (target / "items.json").write_text(json.dumps(stored, ensure_ascii=False), "utf-8")
    planted = ["\n".join(texts) for texts in item_texts]
    hits = _find(planted, list(map(shingles.words, planted)), *_read(target)[1:])
    found = Counter(set_of[item] for item in hits)
    return {
        "files": len(paths),
        "items": len(names),
        "ngrams": sum(size >= FEWEST_WORDS for size, _ in grams),
        "too_short": sum(len(words) < FEWEST_WORDS for its in words_of for words in its),
        "trivial": sum(size >= FEWEST_WORDS for size, _ in trivial),
        "planted": [
            {"file": label, "items": sizes[which], "found": found[which]}
            for which, label in enumerate(labels)
        ],
    }


def _read(folder: Path) -> tuple[list[str], dict, list[list[str]]]:
    """Names of the items; size -> (hashes, items); each item's short texts."""
    sizes, hashes, items = np.load(folder / "index.npy").T
    about = json.loads((folder / "items.json").read_text("utf-8"))
    # Sizes are in order, and hashes are within a size.
    index = {int(n): (hashes[sizes == n], items[sizes == n]) for n in np.unique(sizes)}
    return about["names"], index, about["texts"]


def _is_common(sets: list[int], sizes: Counter[int]) -> bool:
    """Whether an n-gram that items of these sets have is in one in ten of a set, or of all."""
    shares = [(count, sizes[which]) for which, count in Counter(sets).items()]
    shares.append((len(sets), sizes.total()))
    return any(count > max(_COMMON_ITEMS, _COMMON_SHARE * size) for count, size in shares)


def _joined(words: list[bytes]) -> str:
    return b" ".join(words).decode()


def _is_number(words: list[bytes]) -> bool:
    return b"".join(words).decode().isdecimal()


def _labels(paths: list[Path]) -> list[str]:
    """Names of files; with the folder where two have one name, as KoBEST's test.tsv."""
    count = Counter(path.name for path in paths)
    return [p.name if count[p.name] == 1 else f"{p.parent.name}/{p.name}" for p in paths]


def _items(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and texts of each item of a file."""
    found = False
    try:
        for number, record in numbered_records(path):
            if isinstance(record, ValueError):
                raise UserError(
                    f"{path}:{number} is not readable ({record}). An evaluation set is needed "
                    "whole: mend or remove the line, or give another file."
                )
            found = True
            texts = list(_strings(record))
            yield number, texts + [text for text in map(_cleaned, texts) if text]
    except OSError as error:
        raise UserError(f"Cannot read the evaluation set {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start:,}); save it as UTF-8.") from None
    except (ValueError, csv.Error) as error:
        raise UserError(f"Cannot read the evaluation set {path}: {error}.") from None
    if not found:
        raise UserError(
            f"The evaluation set {path} is empty; give JSON lines, a JSON list, .tsv, .csv or "
            ".parquet."
        )


def _cleaned(text: str) -> str | None:
    """What cleaning makes of a text, if that has other words (ㅋㅋㅋㅋ, tags)."""
    cleaned = clean_text(text).text
    is_other = cleaned != text and shingles.words(cleaned) != shingles.words(text)
    return cleaned if is_other else None


def _strings(record: dict) -> Iterator[str]:
    # A stack of its own: JSON may be nested deeper than Python calls.
    waiting = [record]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            parts = [part for name, part in value.items() if name.lower() not in _ABOUT]
            waiting += reversed(parts)
        elif isinstance(value, list):
            waiting += reversed(value)


# --- The block ----------------------------------------------------------------------------


class Decontaminator(CountingStep):
    """Leave out documents that share an n-gram with an evaluation set.

    Each is listed in contaminated-NNNNN.jsonl with the item and the words in common.

    Args:
        index: folder of `build_index`.
        working_dir: for the list.
        settings: of the run.
    """

    name = "decontaminate"

    def __init__(self, index: Path, working_dir: Path, settings: CleanSettings | None = None):
        super().__init__(working_dir, settings or CleanSettings())
        self.index = index

    def count(self, data, rank, counts):
        """Counts in."""
        names, index, texts = _read(self.index)
        with (
            new_lines(self.working_dir, "contaminated", rank) as file,
            dropped_to(self, rank) as drop,
        ):
            for batch, words in shingles.in_batches(data):
                hits = _find([document.text for document in batch], words, index, texts)
                for place, document in enumerate(batch):
                    counts["in"] += 1
                    if place not in hits:
                        yield document
                        continue
                    item, common = hits[place]
                    record = {"id": document.id, "item": names[item], "words": common}
                    write_line(file, record)
                    drop(document, self.name)


def find_leaks(texts: Iterable[str], files: Iterable[str | Path]) -> dict[int, dict]:
    r"""Texts that share an n-gram with an evaluation set, for data that `clean` does not read.

    Args:
        texts: to look through; a conversation is one text, its turns on lines of their own.
        files: the evaluation sets, as for `build_index`.

    Returns:
        By the text's place: {"item", "words"}, the item that it holds and the words in common.

    Raises:
        UserError: a file is missing, empty or damaged.

    Example:
        >>> question = "바닷물은 왜 강물과 달리 맛이 짠가?"
        >>> _ = Path("exam.jsonl").write_text(json.dumps({"question": question}))
        >>> find_leaks(["안녕하세요?", f"{question}\n소금 때문입니다."], ["exam.jsonl"])
        {1: {'item': 'exam.jsonl:1', 'words': '바닷물은 왜 강물과 달리 맛이 짠가'}}
    """
    with tempfile.TemporaryDirectory() as folder:
        build_index(files, Path(folder))
        block = Decontaminator(Path(folder), Path(folder))
        for _ in block.run(Document(text, str(place)) for place, text in enumerate(texts)):
            pass
        lines = list(read_lines(task_lines(Path(folder), "contaminated", 0)))
    return {int(line.pop("id")): line for line in lines}


def _find(
    documents: list[str], their_words: list[list[bytes]], index: dict, texts: list[list[str]]
) -> dict[int, tuple[int, str]]:
    """For each document that holds a piece of an item: the item, and the words in common."""
    hits: dict[int, tuple[int, str]] = {}
    searched: dict[int, _Searched] = {}
    for size, (known, items) in sorted(index.items(), reverse=True):
        found = shingles.shingle(their_words, size)
        places = np.searchsorted(known, found.hashes)
        places[places == len(known)] = 0
        seen: set[tuple[int, int]] = set()
        for hit in np.flatnonzero(known[places] == found.hashes):
            document, place = int(np.searchsorted(found.starts, hit, side="right")) - 1, places[hit]
            # What a document says again proves no more than the first time.
            if document in hits or (document, place) in seen:
                continue
            seen.add((document, place))
            words, start = their_words[document], hit - found.starts[document]
            run = _joined(words[start : start + size])
            if size >= FEWEST_WORDS:
                hits[document] = int(items[place]), run
                continue
            if document not in searched:
                searched[document] = _Searched(documents[document], words)
            if size >= _SENTENCE_WORDS and run in searched[document].sentences:
                hits[document] = int(items[place]), run
                continue
            last = np.searchsorted(known, found.hashes[hit], side="right")
            for item in items[place:last].tolist():
                if common := searched[document].together(texts[item]):
                    hits[document] = item, common
                    break
    return hits


class _Searched:
    """A document in which short texts are looked for.

    Attributes:
        sentences: the words of each.
    """

    def __init__(self, document: str, words: list[bytes]):
        self._document, self._words = f" {_joined(words)} ", set(_joined(words).split())
        self.sentences = {_joined(shingles.words(text)) for text in _ENDS.split(document)}

    def together(self, texts: list[str]) -> str:
        """The texts of an item that the document has, if together they are enough words."""
        words_of = {text: text.split() for text in texts}
        # Looking for words costs less than looking for a text.
        found = [
            text
            for text, words in words_of.items()
            if self._words.issuperset(words) and f" {text} " in self._document
        ]
        enough = sum(len(words_of[text]) for text in found) >= FEWEST_WORDS
        return " / ".join(found) if enough else ""
