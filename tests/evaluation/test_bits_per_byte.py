"""Every byte counts once, whatever the batch, the packing or the window."""

import math

import jax
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.evaluation import bits_per_byte
from gemma_ko_lib.evaluation.bits_per_byte import _spans, document_nats, token_scorer
from gemma_ko_lib.runtime import UserError
from tests.conftest import SENTENCES, make_model


def _by_hand(model, text: str) -> float:
    """Bits of one document, from one unpacked forward pass."""
    ids = np.array([[model.tokenizer.bos_id, *model.tokenizer.encode([text])[0]]])
    logits = jax.jit(model.decoder.logits)(model.params, ids, np.ones_like(ids))
    log_p = jax.nn.log_softmax(logits)[0, :-1]
    return -float(np.take_along_axis(log_p, ids[0, 1:, None], -1).sum()) / math.log(2)


def test_the_figure_is_bits_over_bytes_of_the_documents_by_hand(tiny_model):
    bits = [_by_hand(tiny_model, text) for text in SENTENCES]
    sizes = [len(text.encode()) for text in SENTENCES]
    found = bits_per_byte(tiny_model, SENTENCES, window=128)
    assert found.micro == pytest.approx(sum(bits) / sum(sizes), rel=1e-5)
    assert found.macro == pytest.approx(
        np.mean([b / s for b, s in zip(bits, sizes, strict=True)]), rel=1e-5
    )
    assert (found.documents, found.bytes) == (len(SENTENCES), sum(sizes))
    assert found.interval[0] <= found.micro <= found.interval[1]


def test_the_figure_is_that_of_all_documents_it_comes_with(tiny_model):
    found = bits_per_byte(tiny_model, SENTENCES)
    bits, sizes = zip(*found.by_document, strict=True)
    assert list(sizes) == [len(text.encode()) for text in SENTENCES]
    assert found.micro == pytest.approx(sum(bits) / sum(sizes))


def test_one_document_has_no_interval(tiny_model):
    found = bits_per_byte(tiny_model, ["The cat sat on the mat."])
    assert found.interval is None and found.as_dict()["no_interval_because"]


def test_batch_size_and_order_do_not_matter(tiny_model):
    reference = bits_per_byte(tiny_model, SENTENCES, window=128, batch_rows=8)
    for batch_rows, texts in ((1, SENTENCES), (3, SENTENCES[::-1])):
        again = bits_per_byte(tiny_model, texts, window=128, batch_rows=batch_rows)
        assert again.micro == pytest.approx(reference.micro, rel=1e-5)


def test_a_text_in_place_of_a_list_is_refused(tiny_model):
    with pytest.raises(UserError, match=r"a list of texts and was given one"):
        bits_per_byte(tiny_model, SENTENCES[0])


def test_one_sentence_is_read_as_one_row_and_more_as_whole_batches(tiny_model):
    rows = []

    def score(params, token_ids, segment_ids):
        rows.append(len(token_ids))
        return np.zeros(token_ids.shape)

    (sentence,) = tiny_model.tokenizer.encode(SENTENCES[:1])
    window = len(sentence) + 1
    for documents in (1, 2, 9):
        document_nats(tiny_model, [sentence] * documents, score, window=window)
    assert rows == [1, 8, 8, 8]


def test_one_program_serves_all_models_of_a_shape(tiny_model):
    token_scorer.cache_clear()
    another = make_model("gemma2", seed=1, tokenizer=tiny_model.tokenizer)
    for model in (tiny_model, another):  # weights bound to no device, and to one, as after training
        for params in (model.params, models.place(model.params)):
            bits_per_byte(model, SENTENCES[:2], params=params, window=64)
    assert token_scorer(another.decoder)._cache_size() == 1
    other_shape = make_model("gemma3", tokenizer=tiny_model.tokenizer)
    assert tiny_model.decoder == another.decoder != other_shape.decoder


def test_each_register_is_averaged_by_itself(tiny_model):
    registers = ["en", "en", "ko", "ko", "en"]
    found = bits_per_byte(tiny_model, SENTENCES, registers=registers, window=128)
    korean = [text for text, r in zip(SENTENCES, registers, strict=True) if r == "ko"]
    alone = bits_per_byte(tiny_model, korean, window=128)
    assert found.by_register["ko"] == pytest.approx(alone.micro, rel=1e-5)
    assert set(found.by_register) == {"en", "ko"}


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 12, 13, 40])
@pytest.mark.parametrize("stride", [1, 3, 4, 7])
def test_strides_score_every_token_once_with_enough_before_it(length, stride):
    window = 8
    ids = np.arange(length)
    scored = []
    for number, (part, first) in enumerate(_spans(ids, window, stride)):
        assert len(part) <= window and part[0] == ids[0]  # Gemma needs its BOS
        scored += part[first:].tolist()
        if number:
            assert first >= window - stride
            assert part[1:].tolist() == list(range(part[1], part[-1] + 1))
    assert scored == list(range(1, length))


def test_a_long_document_is_scored_by_windows_that_overlap(tiny_model):
    text = " ".join(SENTENCES * 3)
    ids = np.array([tiny_model.tokenizer.bos_id, *tiny_model.tokenizer.encode([text])[0]])
    bits = 0.0
    logits = jax.jit(tiny_model.decoder.logits)
    for part, first in _spans(ids, 32, 16):
        padded = np.zeros((1, 32), int)
        padded[0, : len(part)] = part
        log_p = jax.nn.log_softmax(logits(tiny_model.params, padded, (padded > 0).astype(int)))[0]
        bits -= sum(float(log_p[i - 1, part[i]]) for i in range(first, len(part))) / math.log(2)
    found = bits_per_byte(tiny_model, [text], window=32, stride=16)
    assert found.micro == pytest.approx(bits / len(text.encode()), rel=1e-5)


@pytest.mark.parametrize("stride", [32, 40, -1])
def test_a_stride_that_leaves_no_context_is_refused(stride, tiny_model):
    with pytest.raises(UserError, match="A window of 32 tokens cannot move on by"):
        bits_per_byte(tiny_model, SENTENCES, window=32, stride=stride)


def test_an_empty_set_is_an_error(tiny_model):
    with pytest.raises(UserError, match="every document is empty"):
        bits_per_byte(tiny_model, ["", ""])
