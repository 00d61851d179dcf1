"""Documents → token ids between a BOS and an EOS, by this process or by several, in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.runtime.workers import worker_processes
from gemma_ko_lib.tokenization.packing import document_ids
from gemma_ko_lib.tokenization.tokenizer import Tokenizer, encode_documents

# What a tokenizer gets at once, whichever is reached first.
_TEXTS_AT_ONCE, _CHARACTERS_AT_ONCE = 512, 2_000_000
# Batches that wait for each worker: the next one is there when it is done with one.
_BATCHES_AHEAD = 2


def framed_documents(
    texts: Iterable[str], tokenizer: Tokenizer, workers: int = 1
) -> Iterator[tuple[str, np.ndarray]]:
    """Tokenize texts, each with one BOS before and one EOS after; blank ones are left out.

    Args:
        texts: one string a document.
        tokenizer: for several workers one that can be pickled, as those of the library.
        workers: processes that tokenize; 1 is this one.

    Yields:
        Each text and its ids, int32 [tokens], in the order of the texts.

    Raises:
        UserError: the tokenizer has no BOS or no EOS, or a worker was killed.
    """
    if tokenizer.bos_id < 0 or tokenizer.eos_id < 0:
        raise UserError(
            f"The tokenizer '{tokenizer.name}' has no token for a document's start or end, so "
            "packed documents could not be told apart; give one of Gemma's family."
        )
    if workers < 1:
        raise UserError(f"workers is 1 or more, not {workers}.")
    batches = _batches(text for text in texts if text.strip())
    if workers == 1:
        framed = ((batch, _framed(batch, tokenizer)) for batch in batches)
    else:
        framed = _framed_in_pool(batches, tokenizer, workers)
    for batch, documents in framed:
        yield from zip(batch, documents, strict=True)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch, characters = [], 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == _TEXTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _framed(batch: list[str], tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    for ids in encode_documents(tokenizer, batch):
        yield document_ids(ids, tokenizer.bos_id, tokenizer.eos_id)


# --- Several processes --------------------------------------------------------------------

_worker_tokenizer: Tokenizer | None = None


def _framed_in_pool(
    batches: Iterator[list[str]], tokenizer: Tokenizer, workers: int
) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    waiting = deque()
    with worker_processes(workers, [__name__], _start_worker, tokenizer) as pool:
        for batch in batches:
            waiting.append((batch, pool.submit(_frame_in_worker, batch)))
            if len(waiting) > _BATCHES_AHEAD * workers:
                yield _received(*waiting.popleft())
        while waiting:
            yield _received(*waiting.popleft())


def _received(batch: list[str], future) -> tuple[list[str], list[np.ndarray]]:
    ids, ends = future.result()
    return batch, [ids[start:end] for start, end in pairwise(ends)]


def _start_worker(tokenizer: Tokenizer) -> None:
    global _worker_tokenizer
    _worker_tokenizer = tokenizer
    # There is a worker for each core: threads of the tokenizers library would only compete.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _frame_in_worker(batch: list[str]) -> tuple[np.ndarray, list[int]]:
    """All ids one after the other, and where the documents end: one array travels faster."""
    documents = list(_framed(batch, _worker_tokenizer))
    return np.concatenate(documents), [0, *np.cumsum(list(map(len, documents))).tolist()]
