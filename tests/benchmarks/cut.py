"""Gemma 3 270M cut to 32,768 pieces by us and by trimbed, counted on the same texts.

What both take of the course's held-out Korean and English, in tokens and in bits per byte. Texts
to count on are the samples' training part, or `--text`. Needs the real weights and an interpreter
with trimbed (Python 3.12 or later); some minutes on two cores.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from gemma_ko_lib import evaluation, models, tokenization
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.tokenization.tokenizer_json import write_tokenizer_json

PIECES, LETTERS, TEXTS, WINDOW = 32_768, 600, 60, 256


def measure(trimbed: str | None, text_files: list[str] | None) -> list[tuple[str, str]]:
    """Tokens and bits per byte, whole, by us, by trimbed."""
    if not trimbed:
        return [("not run: needs --trimbed PYTHON, one that has trimbed", "")]
    model = models.load("gemma3_270m", dtype="float32")
    if text_files:
        counted = [document.text for document in read_documents(text_files)]
    else:
        counted = [r["text"] for language in ("ko", "en") for r in read_samples(language, "train")]
    counts = tokenization.count_pieces(model.tokenizer, counted)
    ranked = tokenization.rank_pieces(model.tokenizer, counts)
    cuts = {
        "whole": model.tokenizer,
        "gemma-ko": tokenization.cut_vocabulary(model.tokenizer, ranked, PIECES),
        "trimbed": _by_trimbed(trimbed, model.tokenizer, counts),
    }
    rows = []
    for language in ("ko", "en"):
        texts = [r["text"][:LETTERS] for r in read_samples(language, "held_out")][:TEXTS]
        for name, tokenizer in cuts.items():
            some = model if name == "whole" else models.change_vocabulary(model, tokenizer)
            tokens = sum(map(len, tokenizer.encode(texts)))
            bits = evaluation.bits_per_byte(some, texts, window=WINDOW)
            low, high = bits.interval
            rows += [
                (
                    f"{language}, {name} ({len(tokenizer.vocabulary):,} pieces): tokens",
                    f"{tokens:,}",
                ),
                (f"{language}, {name}: bits per byte", f"{bits.micro:.4f}"),
                (f"{language}, {name}: its interval", f"{low:.3f}-{high:.3f}"),
            ]
    return rows


def _by_trimbed(python: str, tokenizer, counts: np.ndarray):
    with tempfile.TemporaryDirectory() as scratch:
        whole, counted, out = (
            Path(scratch) / name for name in ("tokenizer.json", "counts.json", "trimmed.json")
        )
        write_tokenizer_json(tokenizer, whole)
        used = {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
        counted.write_text(json.dumps(used), "utf-8")
        setting = {"tokenizer": str(whole), "counts": str(counted), "pieces": PIECES}
        script = Path(__file__).with_name("cut_trimbed.py")
        setting = json.dumps(setting | {"out": str(out)})
        subprocess.run([python, script, setting], check=True)
        return tokenization.load_tokenizer(str(out))
