"""Bits per byte: a model's cross-entropy on a text, per byte of it.

Perplexity per token flatters a tokenizer with longer tokens; bytes are the same for every
model. Scripts differ in bytes per word, though, so the figures of two languages cannot be
compared as if their content were equal.

Documents longer than the window are read in strides: every token is scored once, with
at least window − stride tokens before it. Windows are packed into rows under a segment
mask, so the result does not depend on batch size or packing.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np

from gemma_ko_lib.evaluation.statistics import check_finite, interval
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import Progress, UserError
from gemma_ko_lib.tokenization.packing import best_fit, fill_row
from gemma_ko_lib.tokenization.tokenizer import encode_documents
from gemma_ko_lib.training.loss import token_nll


@dataclasses.dataclass(frozen=True)
class BitsPerByte:
    """Bits per byte of a set of documents.

    Attributes:
        micro: all bits over all bytes; long documents weigh more.
        macro: mean over documents.
        interval: 95% bootstrap interval of `micro`, resampling documents; None of one document.
        documents, bytes, tokens: how much was scored.
        by_register: micro average per register.
        by_document: bits and bytes of each document.
    """

    micro: float
    macro: float
    interval: tuple[float, float] | None
    documents: int
    bytes: int
    tokens: int
    by_register: dict[str, float]
    by_document: tuple[tuple[float, int], ...]

    def __float__(self) -> float:
        return self.micro

    def as_dict(self) -> dict:
        """The figures, for JSON."""
        return {
            "unit": "bits per byte",
            "bits_per_byte": self.micro,
            "mean_of_documents": self.macro,
            "interval": self.interval,
            **({} if self.interval else {"no_interval_because": "there is one document"}),
            "documents": self.documents,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "by_register": self.by_register,
            "by_document": self.by_document,
        }


def bits_per_byte(
    model: Model,
    texts: Sequence[str],
    *,
    registers: Sequence[str] | None = None,
    params: dict | None = None,
    window: int = 512,
    stride: int | None = None,
    batch_rows: int = 8,
    progress: bool = False,
) -> BitsPerByte:
    """Measure a model on texts.

    Args:
        model: as from `models.load`.
        texts: documents.
        registers: one name a document, for the figures per register.
        params: weights to use instead of the model's own.
        window: tokens the model sees at once.
        stride: tokens by which it moves on in a longer document; half the window by default.
        batch_rows: rows scored at once; no influence on the result.
        progress: show progress.

    Raises:
        UserError: no text, or one instead of a list; a stride that would leave a token without
            anything before it; a model that gives no finite figure.

    Example:
        >>> from gemma_ko_lib import models
        >>> found = bits_per_byte(models.load("nano"), ["The rain fell all night.", "비가 내렸다."])
        >>> found.bytes, round(found.micro, 1)
        (41, 5.7)
    """
    if isinstance(texts, str):  # its letters would count as documents
        raise UserError("bits_per_byte takes a list of texts and was given one: put it in [ ].")
    stride = stride or window // 2
    if not 1 <= stride < window:
        raise UserError(
            f"A window of {window} tokens cannot move on by {stride}: from 1, below it."
        )
    kept = [i for i, text in enumerate(texts) if text]
    if not kept:
        raise UserError("No text to evaluate on: every document is empty.")
    texts = [texts[i] for i in kept]
    registers = [registers[i] for i in kept] if registers else [""] * len(texts)
    encoded = encode_documents(model.tokenizer, texts)
    nats = document_nats(
        model,
        encoded,
        token_scorer(model.decoder),
        params=params,
        window=window,
        stride=stride,
        batch_rows=batch_rows,
        progress=progress,
    )
    sizes = np.array([len(text.encode("utf-8")) for text in texts])
    bits, register_of = nats / math.log(2), np.array(registers, object)

    def micro(chosen=slice(None)) -> float:
        return float(bits[chosen].sum() / sizes[chosen].sum())

    return BitsPerByte(
        micro=micro(),
        macro=float(np.mean(bits / sizes)),
        interval=interval(bits, sizes) if len(bits) > 1 else None,
        documents=len(bits),
        bytes=int(sizes.sum()),
        tokens=sum(map(len, encoded)),
        by_register={
            register: micro(register_of == register)
            for register in sorted(set(registers) if any(registers) else ())
        },
        by_document=tuple(zip(bits.tolist(), sizes.tolist(), strict=True)),
    )


def document_nats(
    model: Model,
    encoded: Sequence[Sequence[int]],
    score: Callable,
    *,
    params: dict | None = None,
    window: int = 512,
    stride: int | None = None,
    batch_rows: int = 8,
    progress: bool = False,
) -> np.ndarray:
    """Sum a score of each token over documents.

    Args:
        model: reads the documents.
        encoded: token ids of each document, without BOS.
        score: (params, token_ids, segment_ids) -> [rows, length, …], at each position the score or
            scores of the next token.
        params, window, stride, batch_rows, progress: see `bits_per_byte`.

    Returns:
        float64 [documents, …].

    Raises:
        UserError: the model gives no finite figure.
    """
    stride = stride or window // 2
    windows = [
        _Window(document, *span)
        for document, ids in enumerate(encoded)
        for span in _spans(np.array([model.tokenizer.bos_id, *ids]), window, stride)
    ]
    nats: list = [0.0] * len(encoded)
    params = model.params_at_hand(params)
    with Progress(len(windows), "Scoring", "windows", quiet=not progress) as bar:
        # Longest first: the short ones fill what the long ones leave.
        packed = list(best_fit(sorted(windows, key=len, reverse=True), window))
        if len(packed) == 1:  # somebody's sentence: the rows beside it would be empty
            batch_rows = 1
        packed += [[]] * (-len(packed) % batch_rows)  # every batch has one shape
        for start in range(0, len(packed), batch_rows):
            rows = packed[start : start + batch_rows]
            _score_rows(score, params, rows, window, nats)
            bar.update(sum(map(len, rows)))
    nats = np.array(nats)
    check_finite(nats, model.name)
    return nats


@dataclasses.dataclass(frozen=True)
class _Window:
    """A stretch of one document; tokens from `scored_from` on are scored."""

    document: int
    ids: np.ndarray
    scored_from: int

    def __len__(self) -> int:
        return len(self.ids)


def _spans(ids: np.ndarray, window: int, stride: int):
    """Yield windows over one document's ids; each token but the BOS is scored in exactly one.

    Every window begins with the BOS: Gemma's figures are far too high without one.
    """
    yield ids[:window], 1
    end = window
    while end < len(ids):
        new_end = min(end + stride, len(ids))
        start = new_end - (window - 1)
        yield np.concatenate([ids[:1], ids[start:new_end]]), 1 + end - start
        end = new_end


def _score_rows(score, params, rows: list[list[_Window]], length: int, nats: list) -> None:
    """Add the nats of some rows' windows to their documents."""
    filled = [fill_row([item.ids for item in row], length) for row in rows]
    token_ids = np.concatenate([row.token_ids for row in filled])
    segment_ids = np.concatenate([row.segment_ids for row in filled])
    nll = np.asarray(score(params, token_ids, segment_ids), np.float64)
    for row, scores in zip(rows, nll, strict=True):
        start = 0
        for item in row:
            # The score at position p is that of the token at p + 1.
            end = start + len(item)
            nats[item.document] += scores[start + item.scored_from - 1 : end - 1].sum(axis=0)
            start = end


@functools.lru_cache(maxsize=8)
def token_scorer(decoder):
    """−log p(next token) at each position, for `document_nats`."""

    @jax.jit
    def score(params, token_ids, segment_ids):
        hidden = decoder.hidden(params, token_ids, segment_ids)
        targets = jax.numpy.roll(token_ids, -1, axis=-1)
        embedding = params["token_embedding/embeddings"]
        return token_nll(hidden, embedding, targets, soft_cap=decoder.soft_cap)

    return score
