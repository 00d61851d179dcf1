"""Packs documents of several groups into token shards that hold a chosen share of each group.

A share is counted in the tokens that the model reads. A group that is too small for its share is
repeated in whole epochs, and the manifest says how often.
"""

import contextlib
import functools
import heapq
import math
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime import Progress, UserError, disk_errors, only_process
from gemma_ko_lib.tokenization.framing import framed_documents
from gemma_ko_lib.tokenization.mixture import Mixture, apportion, group_of, language_of, shares
from gemma_ko_lib.tokenization.packing import pack_documents, split_long
from gemma_ko_lib.tokenization.shards import check_is_for_shards, write_rows
from gemma_ko_lib.tokenization.token_spool import TokenSpool
from gemma_ko_lib.tokenization.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    from datatrove.data import Document

# Up to four epochs, repeated text is nearly worth new text; the gain then falls off fast
# (Muennighoff and others 2023, arXiv 2305.16264).
MOST_USEFUL_EPOCHS = 4
# Each group has open files; a field with more values than this holds something else.
_MOST_GROUPS = 200
_BYTES_PER_TOKEN_ON_DISK = 8
_COUNTED = ("documents", "bytes", "tokens")


def read_sources(sources: Iterable[str | Path]) -> Iterator["Document"]:
    """Read documents for training from files and from folders of `gemma-ko clean`.

    The held-out documents of such a folder are left out.

    Raises:
        UserError: a path does not exist, or a folder is unfinished or holds such folders.
    """
    from gemma_ko_lib.corpus import read_clean, read_documents
    from gemma_ko_lib.corpus.result_folder import REPORT

    for source in sources:
        path = Path(source)
        if (path / REPORT).is_file() or any(path.glob("documents-*.jsonl.*")):
            yield from read_clean(path)
            continue
        # Reading all files below would train on the held-out documents too.
        for report in path.rglob(REPORT):
            raise UserError(
                f"{path} is not a folder of documents, but holds one of clean documents, "
                f"{report.parent}. Give the folders themselves."
            )
        yield from read_documents([path])


def pack_mixture(
    documents: Iterable["Document"],
    tokenizer: Tokenizer,
    folder: str | Path,
    length: int,
    mixture: Mixture | None = None,
    seed: int = 0,
    rows_per_shard: int = 8192,
    progress: bool = False,
    workers: int = 1,
    sources: Sequence[dict] = (),
) -> dict:
    """Tokenize documents, mix their groups, pack and store them as token shards.

    The documents are read once. Their tokens are spooled to disk (4 bytes each) until all are
    counted; memory holds one shard, whatever the size of the input. The same documents and
    seed give the same bytes, with any number of workers.

    Args:
        documents: their metadata hold "language" (or "lang") and "register", where known.
        tokenizer: the model's.
        folder: where the shards go; a former set there is replaced once all is tokenized.
        length: tokens a row.
        mixture: see `Mixture`; all in natural proportions by default.
        seed: decides the order, and which documents an unfinished epoch takes.
        rows_per_shard: rows a file.
        progress: show progress.
        workers: processes that tokenize; 1 is this one.
        sources: where they come from, as `corpus.sources_of` says, for the manifest.

    Returns:
        The manifest, as written: that of `write_shards`, with "seed", "mixture" and the "sources"
        that are known. The "epochs"
        of a group are the tokens written divided by the tokens that it has; each of its documents
        comes that often, rounded up or down. No group gets more tokens than its share of the
        budget, and it gets at most one row less.

    Raises:
        UserError: a key without documents, or with less than a row of the budget; less than a row
            for every group; a document that two keys name; no documents; no room on the disk; a
            worker was killed.

    Example:
        >>> from gemma_ko_lib.runtime import samples_dir
        >>> from gemma_ko_lib.tokenization import load_tokenizer
        >>> documents = read_sources([samples_dir() / "ko", samples_dir() / "en"])
        >>> mixture = Mixture(weights={"ko": 0.7, "en": 0.3}, tokens=50_000)
        >>> manifest = pack_mixture(documents, load_tokenizer("nano"), "shards", 512, mixture)
        >>> {name: round(g["share"], 2) for name, g in manifest["mixture"]["groups"].items()}
        {'en': 0.3, 'ko': 0.7}
    """
    if length < 2:
        raise UserError(f"A row of {length} tokens has nothing to predict; give a length of 2 up.")
    folder, mixture = Path(folder), mixture or Mixture()
    check_is_for_shards(folder)
    with only_process(folder), _scratch_in(folder) as scratch:
        framed = functools.partial(framed_documents, tokenizer=tokenizer, workers=workers)
        groups, left_out = _spool(documents, framed, scratch, length, mixture, progress)
        wanted = _plan(groups, mixture, length)
        tokens = sum(wanted.values())
        _check_room(folder, tokens)
        drawn = {name: dict.fromkeys(_COUNTED, 0) for name in groups}
        with Progress(tokens, "Packing", "tokens", quiet=not progress) as bar:
            pieces = _interleave(groups, wanted, seed, drawn, bar)
            rows = pack_documents(pieces, length, tokenizer.pad_id)

            def describe() -> dict:
                totals = {key: sum(count[key] for count in drawn.values()) for key in _COUNTED}
                mixed = _describe(groups, wanted, drawn, mixture, left_out)
                known = {"sources": list(sources)} if sources else {}
                return {**totals, "seed": seed, "mixture": mixed, **known}

            return write_rows(rows, tokenizer, folder, length, describe, rows_per_shard)


@contextlib.contextmanager
def _scratch_in(folder: Path) -> Iterator[Path]:
    with disk_errors(folder):
        for left_by_a_killed_run in folder.glob(".pieces-*"):
            shutil.rmtree(left_by_a_killed_run)
        scratch = tempfile.TemporaryDirectory(prefix=".pieces-", dir=folder)
    with scratch:
        yield Path(scratch.name)


def _spool(
    documents, framed: Callable, scratch: Path, length: int, mixture: Mixture, progress: bool
) -> tuple[dict[str, TokenSpool], Counter]:
    """Tokenize all documents into one `TokenSpool` per group, and count those left out."""
    groups: dict[str, TokenSpool] = {}
    seen, left_out = Counter(), Counter()
    waiting = deque()  # the groups of the texts that the tokenizer still has

    def texts() -> Iterator[str]:
        for document in documents:
            if not document.text.strip():
                continue
            language = language_of(document)
            register = str(document.metadata.get("register") or "none")
            cell = f"{language}/{register}"
            seen[cell if cell in seen or len(seen) < _MOST_GROUPS else "others"] += 1
            name = group_of(language, register, mixture)
            if name is None:
                left_out[cell if cell in seen else "others"] += 1
                continue
            waiting.append(name)
            yield document.text

    with Progress(None, "Tokenizing", "documents", quiet=not progress) as bar:
        for text, ids in framed(texts()):
            name = waiting.popleft()
            if name not in groups:
                if len(groups) == _MOST_GROUPS:
                    raise UserError(
                        f"There are more than {_MOST_GROUPS} groups by {mixture.by}, the last "
                        f"'{name}'. Is that a register? Group by language, or give weights."
                    )
                groups[name] = TokenSpool(scratch, f"{len(groups):03d}")
            text_bytes = len(text.encode("utf-8"))
            for piece in split_long(ids, length):
                groups[name].add(piece, text_bytes)
                text_bytes = 0
            bar.update()
    for group in groups.values():
        group.close()
    there = ", ".join(f"{cell} ({count:,})" for cell, count in seen.most_common(20))
    for key in mixture.weights:
        if key not in groups:
            raise UserError(
                f"No document belongs to '{key}'. By language/register there are: "
                f"{there or 'none'}."
            )
    if not groups:
        raise UserError("There are no documents to pack: the input has no text in it.")
    return dict(sorted(groups.items())), left_out


def _plan(groups: dict[str, TokenSpool], mixture: Mixture, length: int) -> dict[str, int]:
    """Compute how many tokens each group should give."""
    sizes = {name: group.tokens for name, group in groups.items()}
    parts = shares(mixture, sizes)
    total = mixture.tokens or sum(sizes.values())
    if mixture.once:
        total = round(sizes[mixture.once] / parts[mixture.once])
    wanted = apportion(total, parts)
    if mixture.once:  # rounding may have taken or given a token
        wanted[mixture.once] = sizes[mixture.once]
    for name in mixture.weights:
        # With this many tokens at least one piece fits.
        if wanted[name] < min(length, sizes[name]):
            raise UserError(
                f"The share of '{name}' is {wanted[name]:,} tokens, less than one row of "
                f"{length:,}. Ask for at least {math.ceil(length / parts[name]):,} tokens, or give "
                "it a larger weight."
            )
    if all(wanted[name] < min(length, size) for name, size in sizes.items()):
        raise UserError(
            f"{total:,} tokens give no group one row of {length:,}. Ask for at least "
            f"{math.ceil(length / max(parts.values())):,} tokens."
        )
    return wanted


def _check_room(folder: Path, tokens: int) -> None:
    needed, free = tokens * _BYTES_PER_TOKEN_ON_DISK, shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{tokens:,} tokens take {needed / 1e9:,.1f} GB, and {folder} has {free / 1e9:,.1f} GB "
            "free. Ask for fewer tokens, or give another folder with -o."
        )


def _interleave(
    groups: dict[str, TokenSpool],
    wanted: dict[str, int],
    seed: int,
    drawn: dict[str, dict[str, int]],
    bar: Progress,
) -> Iterator["np.ndarray"]:
    """Draw from the group that is furthest behind, so that every shard has the whole mixture."""
    turns = [
        (0.0, name, groups[name].draw(wanted[name], f"{seed}/{name}")) for name in sorted(groups)
    ]
    while turns:
        _, name, pieces = turns[0]
        piece = next(pieces, None)
        if piece is None:
            heapq.heappop(turns)
            continue
        ids, text_bytes = piece
        count = drawn[name]
        count["documents"] += text_bytes > 0
        count["bytes"] += text_bytes
        count["tokens"] += len(ids)
        heapq.heapreplace(turns, (count["tokens"] / wanted[name], name, pieces))
        bar.update(len(ids))
        yield ids


def _describe(groups, wanted, drawn, mixture: Mixture, left_out: Counter) -> dict:
    total, written = sum(wanted.values()), sum(count["tokens"] for count in drawn.values())
    return {
        "weights": dict(mixture.weights),
        "temperature": mixture.temperature,
        "tokens_asked": total,
        "groups": {
            name: {
                "documents_there": group.documents,
                "tokens_there": group.tokens,
                "tokens_asked": wanted[name],
                "share_asked": wanted[name] / total,
                "epochs_asked": wanted[name] / group.tokens,
                **drawn[name],
                "share": drawn[name]["tokens"] / written,
                "epochs": drawn[name]["tokens"] / group.tokens,
            }
            for name, group in groups.items()
        },
        "documents_left_out": dict(left_out),
    }


def format_mixture(manifest: dict) -> str:
    """Format the mixture of a manifest as a table, with warnings below it."""
    mixture = manifest["mixture"]
    lines = [
        f"{'group':<24}{'documents':>11}{'tokens there':>15}{'written':>15}{'share':>9}"
        f"{'epochs':>9}"
    ]
    for name, group in mixture["groups"].items():
        lines.append(
            f"{name[:23]:<24}{group['documents_there']:>11,}{group['tokens_there']:>15,}"
            f"{group['tokens']:>15,}{group['share']:>9.1%}{group['epochs']:>9.2f}"
        )
    lines.append(
        f"{manifest['rows']:,} rows of {manifest['length']:,}, {manifest['tokens']:,} tokens, "
        f"{manifest['padding_fraction']:.2%} padding"
    )
    for name, group in mixture["groups"].items():
        if group["epochs_asked"] > MOST_USEFUL_EPOCHS:
            lines.append(
                f"'{name}' is repeated {group['epochs_asked']:.1f} times: beyond "
                f"{MOST_USEFUL_EPOCHS} epochs repeated text teaches little (arXiv 2305.16264). "
                "Lower its weight, or find more of it."
            )
    if left := mixture["documents_left_out"]:
        some = ", ".join(f"{cell} ({count:,})" for cell, count in left.items())
        lines.append(f"Left out, because no weight names them: {some}. 'rest' would name them all.")
    return "\n".join(lines)
