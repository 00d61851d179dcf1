"""Bits per byte of texts longer than the window: a BOS before every window, or the first alone.

Korean news samples, 800 letters each. What one window for the whole text gives is what the others
should come near.
"""

import importlib
from unittest import mock

from gemma_ko_lib import evaluation, models, runtime
from gemma_ko_lib.corpus import read_documents

LETTERS, DOCUMENTS = 800, 16


def measure(model: str | None):
    """Yield what was measured, and its figure."""
    model = models.load(model or "gemma3_270m", dtype="float32")
    news = read_documents(runtime.samples_dir() / "ko" / "news.jsonl")
    texts = [document.text[:LETTERS] for document in news][:DOCUMENTS]

    def bits(window: int) -> str:
        found = evaluation.bits_per_byte(model, texts, window=window, batch_rows=2)
        low, high = found.interval
        return f"{found.micro:.3f} ({low:.3f} to {high:.3f})"

    yield "one window of 1,024 tokens", bits(1024)
    yield "windows of 256 tokens, a BOS before each", bits(256)
    module = importlib.import_module("gemma_ko_lib.evaluation.bits_per_byte")
    spans = module._spans

    def one_bos(ids, window, stride):
        first, *others = spans(ids, window, stride)
        yield first
        for part, scored_from in others:
            # With no token before it, the first one scored would have no score.
            yield part[1:], max(1, scored_from - 1)

    with mock.patch.object(module, "_spans", one_bos):
        yield "windows of 256 tokens, a BOS before the first", bits(256)
