"""Token shards: packed rows on disk, memory-mapped for training.

A folder of shards holds `tokens-00000.npy` and `segments-00000.npy` (int32
[rows, length]) and, written last, `manifest.json`: tokenizer name and fingerprint, row length,
counts, and each file's SHA-256. A folder without a manifest is not a set of shards.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import (
    UserError,
    disk_errors,
    read_json_object,
    sha256_of,
    whole_file,
    write_json,
)
from gemma_ko_lib.tokenization.framing import framed_documents
from gemma_ko_lib.tokenization.packing import PackedRows, pack_documents
from gemma_ko_lib.tokenization.tokenizer import Tokenizer, fingerprint

MANIFEST = "manifest.json"
_SHARD_FILE = re.compile(r"(?:tokens|segments)-\d{5,}\.npy")
_FORMAT = "gemma-ko token shards 1"


def write_shards(
    texts: Iterable[str],
    tokenizer: Tokenizer,
    folder: str | Path,
    length: int,
    rows_per_shard: int = 8192,
) -> dict:
    """Tokenize, pack and store documents.

    Args:
        texts: one string per document; those of white space only are left out.
        tokenizer: the model's tokenizer.
        folder: where the shards go; a former set there is replaced.
        length: tokens a row.
        rows_per_shard: rows a file.

    Returns:
        The manifest, as written.

    Raises:
        UserError: no documents, or the disk is full.
    """
    counts = {"documents": 0, "bytes": 0, "tokens": 0}
    rows = pack_documents(_framed(texts, tokenizer, counts), length, tokenizer.pad_id)
    return write_rows(rows, tokenizer, folder, length, lambda: counts, rows_per_shard)


def write_rows(
    rows: Iterable[PackedRows],
    tokenizer: Tokenizer,
    folder: str | Path,
    length: int,
    describe: Callable[[], dict],
    rows_per_shard: int = 8192,
) -> dict:
    """Store packed rows, the manifest last.

    Args:
        rows: single rows; one shard of them is in memory at a time.
        tokenizer: that the rows were made with.
        folder: where the shards go; a former set there is replaced.
        length: tokens a row.
        describe: gives the manifest's other fields, once all rows are written.
        rows_per_shard: rows a file.

    Returns:
        The manifest, as written.

    Raises:
        UserError: no rows, or the disk is full.
    """
    folder = Path(folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Without its manifest a half-replaced set is not taken for a whole one.
        (folder / MANIFEST).unlink(missing_ok=True)
        for path in folder.iterdir():
            if _SHARD_FILE.fullmatch(path.name):
                path.unlink()
    rows, files, total_rows, filled = iter(rows), [], 0, 0
    tokens = np.empty((rows_per_shard, length), np.int32)
    segments = np.empty_like(tokens)
    for number in itertools.count():
        count = 0
        for row in itertools.islice(rows, rows_per_shard):
            tokens[count], segments[count] = row.token_ids[0], row.segment_ids[0]
            count += 1
        if not count:
            break
        total_rows += count
        filled += int((segments[:count] > 0).sum())
        for kind, array in (("tokens", tokens), ("segments", segments)):
            files.append(_write_array(folder / f"{kind}-{number:05d}.npy", array[:count]))
    if not files:
        raise UserError(f"No documents to pack into {folder}: the input has no text in it.")
    manifest = {
        "format": _FORMAT,
        "tokenizer": tokenizer.name,
        "tokenizer_fingerprint": fingerprint(tokenizer),
        "vocabulary_size": len(tokenizer.vocabulary),
        "length": length,
        "rows": total_rows,
        "padding_fraction": 1 - filled / (total_rows * length),
        **describe(),
        "files": files,
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def check_is_for_shards(folder: Path) -> None:
    """See that a folder can take shards: it is not there, empty, or has some already.

    Raises:
        UserError: it is something else, or cannot be looked into.
    """
    with disk_errors(folder):
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(name == MANIFEST or _SHARD_FILE.fullmatch(name) for name in there):
        return
    if other := [name for name in there if not name.startswith(".")]:
        raise UserError(
            f"{folder} holds something else, for example {min(other)}. Give a folder of their own "
            "for the shards, with -o."
        )


def _framed(texts, tokenizer: Tokenizer, counts: dict) -> Iterator[np.ndarray]:
    for text, document in framed_documents(texts, tokenizer):
        counts["documents"] += 1
        counts["bytes"] += len(text.encode("utf-8"))
        counts["tokens"] += len(document)
        yield document


def _write_array(path: Path, array: np.ndarray) -> dict:
    with whole_file(path, "wb") as file:
        np.save(file, array, allow_pickle=False)
    return {"name": path.name, "sha256": sha256_of(path), "rows": len(array)}


def _map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # missing, shorter than its header says, empty
        raise _changed(path) from None


def _changed(path: Path) -> UserError:
    return UserError(f"{path} is missing or changed since it was written; make the shards again.")


class Shards:
    """Memory-mapped rows of a folder of shards; `shards[i]` is row i.

    Attributes:
        manifest: the folder's manifest.
        digest: SHA-256 that two sets share when they hold the same rows in the same files.
    """

    def __init__(self, folder: Path, manifest: dict):
        self.manifest = manifest
        files = [[entry["name"], entry["sha256"]] for entry in manifest["files"]]
        self.digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
        names = [entry["name"] for entry in manifest["files"]]
        self._tokens = [_map(folder / name) for name in names if name.startswith("tokens")]
        self._segments = [_map(folder / name) for name in names if name.startswith("segments")]
        self._starts = np.cumsum([0] + [len(tokens) for tokens in self._tokens])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> PackedRows:
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - self._starts[shard]
        return PackedRows(
            np.asarray(self._tokens[shard][row]), np.asarray(self._segments[shard][row])
        )


def open_shards(
    folder: str | Path, tokenizer: Tokenizer | None = None, verify: bool = True
) -> Shards:
    """Open a folder of shards.

    Args:
        folder: as written by `write_shards`.
        tokenizer: the model's tokenizer; the shards must have been made with an equal one.
        verify: compare every file with its SHA-256, which reads all of it (about a second a GB);
            of several processes one is enough.

    Raises:
        UserError: no manifest, a damaged one, a missing or changed file, or another tokenizer.
    """
    folder = Path(folder)
    try:
        manifest = read_json_object(folder / MANIFEST)
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no {MANIFEST}: it is not a finished set of token shards. "
            "Run the command that makes them again."
        ) from None
    except OSError as error:
        raise UserError(f"Cannot read {folder / MANIFEST}: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"{folder / MANIFEST} {error}; make the shards again.") from None
    if manifest.get("format") != _FORMAT:
        raise UserError(
            f"{folder / MANIFEST} does not describe token shards of this version ({_FORMAT}); "
            "make the shards again, or give another folder."
        )
    if tokenizer and manifest.get("tokenizer_fingerprint") != fingerprint(tokenizer):
        raise UserError(
            f"{folder} was packed with the tokenizer '{manifest.get('tokenizer')}' "
            f"({manifest.get('vocabulary_size')} pieces), but the model uses '{tokenizer.name}' "
            f"({len(tokenizer.vocabulary):,} pieces). Pack the documents again for this model: "
            "give pretrain the folder of cleaned .jsonl.gz files."
        )
    try:
        for entry in manifest["files"]:
            path = folder / entry["name"]
            if not path.is_file() or (verify and sha256_of(path) != entry["sha256"]):
                raise _changed(path)
        shards = Shards(folder, manifest)
        _check_figures(shards, manifest)
        return shards
    except OSError as error:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}.") from error
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / MANIFEST} is damaged ({error!r}); make the shards again."
        ) from None


def _check_figures(shards: Shards, manifest: dict) -> None:
    """See that a manifest has the figures that a run is reckoned from.

    Raises:
        LookupError, ValueError: one is missing or cannot be, or is not that of the files.
    """
    for name, least in (("length", 1), ("rows", 1), ("tokens", 1), ("bytes", 0)):
        figure = manifest[name]
        if type(figure) is not int or figure < least:
            raise ValueError(f"{name} is {figure!r:.80}")
    if len(shards) != manifest["rows"]:
        raise ValueError(f"rows is {manifest['rows']:,}, and the files hold {len(shards):,}")
    last = shards[len(shards) - 1]
    if not last.token_ids.shape == last.segment_ids.shape == (manifest["length"],):
        raise ValueError(f"length is {manifest['length']:,}, and the files hold other rows")
