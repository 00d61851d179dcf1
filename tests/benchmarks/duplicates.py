"""Near duplicates: what is found of the truth, and at what speed, beside datatrove's MinHash.

The truth is the exact Jaccard similarity of every pair of documents. Ours proposes pairs with
16 bands of 6 hashes and then compares them exactly; datatrove takes what it proposes, with its
default, 14 × 8 as in FineWeb-2, and with our 16 × 6. All use runs of five words.
"""

import itertools
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from datatrove.data import Document
from loguru import logger

from gemma_ko_lib.corpus import (
    CleanSettings,
    duplicate_keys,
    duplicates,
    read_documents,
    shingles,
)
from gemma_ko_lib.corpus.samples import LANGUAGES, read_samples
from gemma_ko_lib.corpus.spool import load_mapped

_MOST_DOCUMENTS = 3000
_COPIES = 1500


def _corpus(text_files: list[str] | None) -> list[str]:
    """Texts of at least ten words, and copies of some with up to one word in ten changed."""
    draw = random.Random(0)
    if text_files:
        texts = [document.text for document in read_documents(text_files)]
    else:
        texts = [record["text"] for name in LANGUAGES[:2] for record in read_samples(name)]
    texts = [text for text in texts if len(text.split()) >= 10][:_MOST_DOCUMENTS]
    copies = []
    for text in draw.choices(texts, k=_COPIES):
        words = text.split()
        for _ in range(draw.randint(1, max(1, len(words) // 30))):
            words[draw.randrange(len(words))] = draw.choice(texts).split()[0]
        copies.append(" ".join(words))
    texts = list(dict.fromkeys(texts + copies))
    draw.shuffle(texts)
    return texts


def _truth(texts: list[str]) -> dict[tuple[int, int], float]:
    """Similarity of all pairs that share a shingle at all."""
    found = shingles.shingle([shingles.words(text) for text in texts], duplicate_keys.SHINGLE_WORDS)
    sets = [
        frozenset(found.hashes[start:end].tolist())
        for start, end in itertools.pairwise(found.starts)
    ]
    holders = defaultdict(list)
    for number, grams in enumerate(sets):
        for gram in grams:
            holders[gram].append(number)
    shared = defaultdict(int)
    for numbers in holders.values():
        for pair in itertools.combinations(numbers, 2):
            shared[pair] += 1
    return {
        (a, b): common / (len(sets[a]) + len(sets[b]) - common) for (a, b), common in shared.items()
    }


def _ours(texts: list[str]) -> tuple[set, float]:
    """Confirmed pairs, and seconds."""
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        how = Path(folder), CleanSettings()
        start = time.perf_counter()
        list(duplicate_keys.DuplicateKeys(*how).run(documents))
        list(duplicates.DuplicateMatch(1, *how).run(None))
        seconds = time.perf_counter() - start
        pairs = load_mapped(Path(folder, "matches/near-00000.npy"))
        return {(a, b) for a, b, _ in pairs.tolist()}, seconds


def _datatrove(texts: list[str], bands: int, hashes: int) -> tuple[set, float]:
    """Pairs with a bucket in common, and the seconds of its two blocks."""
    import struct

    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupSignature,
    )
    from datatrove.utils.typeshelper import Languages

    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    config = MinhashConfig(num_buckets=bands, hashes_per_bucket=hashes)
    pairs = set()
    logger.disable("datatrove")
    with tempfile.TemporaryDirectory() as folder:
        signatures, buckets = f"{folder}/signatures", f"{folder}/buckets"
        signature = MinhashDedupSignature(signatures, config, language=Languages.korean)
        # Its word tokenizers for Korean are a morphological analyser; spaces are what ours uses.
        signature.word_tokenizer.word_tokenize = str.split
        # xxhash 4 takes bytes only, which datatrove does not know yet.
        hash_bytes = signature._hash_func
        signature._hash_func = lambda text: hash_bytes(text.encode())
        start = time.perf_counter()
        signature.run(documents)
        match = MinhashDedupBuckets(signatures, buckets, config=config)
        for bucket in range(config.num_buckets):
            match.run(None, bucket, config.num_buckets)
        seconds = time.perf_counter() - start
        for path in Path(buckets).glob("*.dups"):
            for _, a, _, b in struct.iter_unpack("<4I", path.read_bytes()):
                pairs.add((min(a, b), max(a, b)))
    return pairs, seconds


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    texts = _corpus(text_files)
    size = sum(len(text.encode()) for text in texts) / 1e6
    truth = _truth(texts)
    near = {pair for pair, value in truth.items() if value >= duplicates.THRESHOLD}
    ours, our_seconds = _ours(texts)
    settings = ((14, 8), (duplicate_keys.BANDS, duplicate_keys.HASHES_PER_BAND))
    theirs = [_datatrove(texts, *setting) for setting in settings]
    boundary = {pair for pair in near if truth[pair] < 0.85}
    values = np.array([truth[pair] for pair in near])
    rows = [
        (f"{len(texts):,} documents, {size:.1f} MB; pairs of Jaccard ≥ 0.8", f"{len(near):,}"),
        ("  of them below 0.85", f"{(values < 0.85).mean():.0%}"),
    ]
    names = [f"datatrove, {bands} × {hashes}" for bands, hashes in settings]
    results = [
        ("ours, 16 × 6 and compared", ours),
        *zip(names, (t[0] for t in theirs), strict=True),
    ]
    for name, found in results:
        rows += [
            (f"{name}: found of them (goal ≥ 95%)", f"{len(found & near) / len(near):.2%}"),
            ("  of those below 0.85", f"{len(found & boundary) / max(len(boundary), 1):.1%}"),
            ("  right of those reported (goal ≥ 99%)", f"{len(found & near) / len(found):.2%}"),
        ]
    rows.append(("keys and matching, one core: ours", f"{size / our_seconds:.1f} MB/s"))
    for name, (_, seconds) in zip(names, theirs, strict=True):
        rows += [
            (f"  {name}", f"{size / seconds:.2f} MB/s"),
            ("    ours / that", f"{seconds / our_seconds:.1f}"),
        ]
    return rows
