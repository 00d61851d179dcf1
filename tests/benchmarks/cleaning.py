"""Cleaning in megabytes a second on one core: dps's chain against ours, on the same texts.

dps's functions are called in the order of its `korean_job`, without Spark and with the
limits of its configs/korean_job.yaml: `make_compat`, `bad_words_filter`, `doc_len_filter`,
`mean_word_len_filter`, `symbol_to_word_ratio_filter`, `bullet_ellipsis_filter`,
`korean_word_ratio_filter`, then `process_html_and_uri_text`, `reduce_emoticon`,
`remove_whitespace`, `replace_email_and_url`, `replace_korean_pii`, `spam_words_filter`,
`remove_html_tags`, `remove_repeated_text`, and `doc_len_filter` again. Ours is `clean_text`,
alone and with `mask_pii`, which dps's chain includes. dps needs html2text,
beautifulsoup4 and python-stdnum.
"""

import importlib
import itertools
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

from gemma_ko_lib.corpus import clean_text, read_documents
from gemma_ko_lib.corpus.pii import mask_pii
from gemma_ko_lib.corpus.samples import read_samples

MOST_TEXTS = 6000
# A register's samples are small: repeated, they take long enough to time.
REPEATS_OF_SAMPLES = 5


def _dps_chain(folder: str) -> Callable[[str], str | None]:
    """dps's korean_job for one text: the cleaned text, or None if it is dropped."""
    # Its packages import Spark when they are imported; the two modules do not need it.
    for package in ("dps", "dps.spark", "dps.spark.prep", "dps.spark.utils"):
        module = sys.modules[package] = types.ModuleType(package)
        module.__path__ = [str(Path(folder, *package.split(".")))]
    korean = importlib.import_module("dps.spark.prep.korean_prep")
    general = importlib.import_module("dps.spark.prep.lang_agnostic_prep")
    filters = [
        korean.bad_words_filter,
        lambda text: general.doc_len_filter(text, 50, 100_000),
        lambda text: general.mean_word_len_filter(text, 3, 10),
        lambda text: general.symbol_to_word_ratio_filter(text, 0.1),
        lambda text: general.bullet_ellipsis_filter(text, 0.9, 0.3),
        lambda text: korean.korean_word_ratio_filter(text, 0.25),
    ]
    rewriting = [
        general.process_html_and_uri_text,
        korean.reduce_emoticon,
        general.remove_whitespace,
        general.replace_email_and_url,
        korean.replace_korean_pii,
        korean.spam_words_filter,
        korean.remove_html_tags,
        general.remove_repeated_text,
    ]

    def chain(text: str) -> str | None:
        text = korean.make_compat(text)
        if not all(passes(text) for passes in filters):
            return None
        for rewrite in rewriting:
            text = rewrite(text)
        return text if general.doc_len_filter(text, 50, 100_000) else None

    return chain


def _time(name: str, texts: list[str], chain: Callable[[str], str | None]) -> list[tuple]:
    # Processor time, so that what else the machine does is not counted.
    start = time.process_time()
    cleaned = [chain(text) for text in texts]
    seconds = time.process_time() - start
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    kept = sum(len(text) for text in cleaned if text) / sum(map(len, texts))
    return [
        (f"{name} MB/s", f"{megabytes / seconds:.2f}"),
        (f"{name} characters kept", f"{kept:.1%}"),
    ]


def _groups(text_files: list[str] | None) -> dict[str, tuple[str | None, list[str]]]:
    """Name → register and texts."""
    if text_files:
        groups = {}
        for file in text_files:
            documents = list(itertools.islice(read_documents([file]), MOST_TEXTS))
            register = documents[0].metadata.get("register")
            groups[file.rsplit("/", 1)[-1]] = register, [d.text for d in documents]
        return groups
    registers = ("news", "community", "review")
    return {
        name: (name, [r["text"] for r in read_samples("ko", register=name)] * REPEATS_OF_SAMPLES)
        for name in registers
    }


def measure(text_files: list[str] | None = None, dps: str | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure), for each file or register; `dps` is a checkout of its code.

    dps drops what has fewer than 50 characters before its slow steps, so that short texts cost it
    next to nothing: the texts that both clean to the end are timed apart.
    """
    rows = []
    for name, (register, texts) in _groups(text_files).items():

        def ours(text: str, register=register) -> str | None:
            result = clean_text(text, register)
            return None if result.dropped_by else result.text

        def ours_masked(text: str, ours=ours) -> str | None:
            cleaned = ours(text)
            return cleaned and mask_pii(cleaned)

        ours(texts[0])  # compiles patterns
        rows += _time(f"{name}: ours, cleaning", texts, ours)
        rows += _time(f"{name}: ours, cleaning and masking", texts, ours_masked)
        if dps is None:
            rows.append((f"{name}: dps's chain (give its folder with --dps)", "not run"))
        else:
            chain = _dps_chain(dps)
            rows += _time(f"{name}: dps's chain", texts, chain)
            both = [text for text in texts if chain(text) and ours(text)]
            what = f"{name}, the {len(both)} of {len(texts)} texts that both keep"
            rows += _time(f"{what}: ours, cleaning and masking", both, ours_masked)
            rows += _time(f"{what}: dps's chain", both, chain)
    return rows
