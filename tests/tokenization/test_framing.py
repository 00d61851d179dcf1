"""Documents are framed alike by one process and by several, and a worker's error is named."""

import os

import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import framing
from gemma_ko_lib.tokenization.framing import framed_documents


class Lengths:
    """A tokenizer that a worker process can make; a text is as many sevens as it has letters."""

    name, bos_id, eos_id, pad_id = "lengths", 2, 1, 0
    vocabulary = ("a vocabulary",)

    def encode(self, texts):
        return [[7] * len(text) for text in texts]


class Refuses(Lengths):
    def encode(self, texts):
        if "나쁜 글" in texts:
            raise UserError("'나쁜 글' has no tokens; take it out.")
        return super().encode(texts)


class Breaks(Lengths):
    def encode(self, texts):
        return [[10**12] for _ in texts]


class Dies(Lengths):
    def encode(self, texts):
        os._exit(9)


TEXTS = [*("가" * n for n in range(1, 90)), " ", "나쁜 글"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(framing, "_TEXTS_AT_ONCE", 7)


def test_two_workers_give_the_same_ids_in_the_same_order():
    one, two = (
        [(text, ids.dtype.name, ids.tolist()) for text, ids in framed_documents(TEXTS, its, n)]
        for its, n in ((Lengths(), 1), (Lengths(), 2))
    )
    assert one == two
    assert [text for text, *_ in one] == [text for text in TEXTS if text.strip()]
    assert one[2] == ("가가가", "int32", [2, 7, 7, 7, 1])


def test_workers_read_only_a_little_ahead():
    """So that memory does not follow the size of the input."""
    taken = []
    framed = framed_documents((taken.append(n) or "가" for n in range(1000)), Lengths(), 2)
    next(framed)
    assert len(taken) <= 7 * (2 * framing._BATCHES_AHEAD + 1)
    framed.close()


@pytest.mark.parametrize(
    ("tokenizer", "error", "why"),
    [
        (Refuses(), UserError, "'나쁜 글' has no tokens"),
        (Breaks(), OverflowError, "int"),
        (Dies(), UserError, "worker process was killed.*fewer workers"),
    ],
    ids=["refused", "broken", "killed"],
)
def test_an_error_in_a_worker_names_its_cause(tokenizer, error, why):
    with pytest.raises(error, match=why):
        list(framed_documents(TEXTS, tokenizer, 2))


def test_a_batch_ends_at_so_many_characters_too(monkeypatch):
    monkeypatch.setattr(framing, "_CHARACTERS_AT_ONCE", 10)
    assert list(map(len, framing._batches(["가" * 10, "나", "다" * 9, *"라마"]))) == [1, 2, 2]


def test_no_workers_is_reported():
    with pytest.raises(UserError, match="workers is 1 or more, not 0"):
        list(framed_documents(TEXTS, Lengths(), 0))
