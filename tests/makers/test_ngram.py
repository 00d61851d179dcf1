"""The n-gram model: probabilities that sum to one, and what it can and cannot know."""

import pytest

from data_samples.makers.ngram import NGram
from gemma_ko_lib.tokenization import load_tokenizer


@pytest.fixture(scope="module")
def model():
    texts = ["the rain fell on the roof", "the rain stopped", "the snow fell"]
    return NGram(load_tokenizer("nano"), texts, order=3)


def test_probabilities_after_any_history_sum_to_one(model):
    the, rain = model.tokenizer.encode(["the rain"])[0][:2]
    for before in ([model.tokenizer.bos_id], [the], [the, rain], [7, 8]):
        total = sum(model.probability(before, t) for t in range(len(model.tokenizer.vocabulary)))
        assert total == pytest.approx(1)


def test_what_was_seen_in_company_is_likelier_there(model):
    the, rain = model.tokenizer.encode(["the rain"])[0][:2]
    assert model.probability([the], rain) > model.probability([rain], rain)
    assert model.probability([the], rain) > model.probability([the], 7) > 0


def test_a_score_is_the_product_of_its_tokens(model):
    before, after = [model.tokenizer.bos_id], model.tokenizer.encode(["the rain"])[0]
    (whole,) = model.score([(before, after)])
    parts = model.score([([*before, *after[:n]], [after[n]]) for n in range(len(after))])
    assert whole.nats == pytest.approx(sum(part.nats for part in parts))
    assert whole.tokens == len(after)
