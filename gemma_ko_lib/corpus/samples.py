"""The course's own texts (`data_samples/`), split once and for all into training and held-out."""

import hashlib
from collections.abc import Iterator

from gemma_ko_lib.runtime import UserError, read_json_lines, samples_dir

LANGUAGES = ("ko", "en", "zh", "ja")
HELD_OUT_PERCENT = 10


def read_samples(language: str, split: str = "all", register: str | None = None) -> list[dict]:
    """Documents of one language, as {"id", "lang", "register", "text"}.

    Args:
        language: "ko", "en", "zh" or "ja".
        split: "train", "held_out" (one document in ten, by a hash of its id) or "all".
        register: only this one, e.g. "news".

    Raises:
        UserError: no such samples.
    """
    if split not in ("train", "held_out", "all"):
        raise ValueError(f"split is 'train', 'held_out' or 'all', not {split!r}")
    found = [
        record
        for record in _records(language)
        if register in (None, record["register"])
        and split in ("all", "held_out" if is_held_out_sample(record["id"]) else "train")
    ]
    if not found:
        raise UserError(f"No samples of language '{language}', register '{register}'.")
    return found


def read_parallel() -> list[dict]:
    """Aligned items as {"id", "register", "ko", "en", "zh", "ja"}."""
    return read_json_lines(samples_dir() / "parallel.jsonl")


def _records(language: str) -> Iterator[dict]:
    for path in sorted((samples_dir() / language).glob("*.jsonl")):
        yield from read_json_lines(path)


def is_held_out_sample(identifier: str) -> bool:
    """Whether a document is one of the tenth that no lesson trains on, by its id."""
    digest = hashlib.blake2b(identifier.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 100 < HELD_OUT_PERCENT
