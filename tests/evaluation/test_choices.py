"""Scores from trees of texts are those of each text alone, for every shape of the family."""

import jax
import numpy as np
import pytest

from gemma_ko_lib import evaluation
from gemma_ko_lib.evaluation import choices
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model


def log_probabilities(model, ids):
    """Of each next token, [length, vocab], of one text alone in a row."""
    row, real = np.zeros((2, 1, 24), "int32")  # one length, so that it compiles once
    row[0, : len(ids)], real[0, : len(ids)] = ids, 1
    logits = jax.jit(model.decoder.logits)(model.params, row, real)[0, : len(ids)]
    return np.asarray(jax.nn.log_softmax(logits))


def one_by_one(model, before, continuation):
    log_p = log_probabilities(model, [*before, *continuation])
    places = np.arange(len(before) - 1, len(log_p) - 1)
    nats = log_p[places, continuation].sum()
    return nats, bool((log_p[places].argmax(-1) == continuation).all())


def some_pairs(seed=0):
    """A few-shot beginning, questions after it, answers after them; and loners."""
    random = np.random.default_rng(seed)

    def ids(n):
        return random.integers(3, 300, n).tolist()

    shots = [2, *ids(9)]
    pairs = []
    for n in (1, 4, 6):
        question = shots + ids(n)
        pairs += [(question, ids(k)) for k in (1, 1, 3, 5)]
        pairs.append((question[:-1], [question[-1], *ids(2)]))
    return [*pairs, ([2], ids(3)), ([2], ids(11)), pairs[0]]


@pytest.mark.parametrize(
    "shape",
    [
        "gemma1-mqa",
        "gemma1-mha",
        pytest.param("gemma2", marks=pytest.mark.optimised),  # as users run it
        pytest.param("gemma3", marks=pytest.mark.slow),  # half of the time of all four
    ],
)
def test_scores_equal_those_of_each_text_alone(shape, monkeypatch):
    monkeypatch.setattr(choices, "ROW_TOKENS", 32)  # several rows, and windows of 4 within them
    model, pairs = make_model(shape), some_pairs()
    likeliest = int(log_probabilities(model, pairs[0][0])[-1].argmax())
    pairs.append((pairs[0][0], [likeliest]))
    for found, pair in zip(choices.score_continuations(model, pairs), pairs, strict=True):
        nats, greedy = one_by_one(model, *pair)
        assert found.nats == pytest.approx(nats, abs=2e-4)
        assert (found.tokens, found.greedy) == (len(pair[1]), greedy)
    assert found.greedy


def test_a_common_beginning_is_computed_once():
    texts = [[2, 5, 6, 7], [2, 5, 6, 8], [2, 5, 9], [2, 5, 6, 7, 1]]
    rows = choices._plant(texts)
    assert len(rows) == 1 and len(rows[0].tokens) == 7
    tokens, positions = np.array(rows[0].tokens), np.array(rows[0].positions)
    for text, path in rows[0].paths.items():
        assert tokens[path].tolist() == texts[text]
        assert positions[path].tolist() == list(range(len(path))) and path == sorted(path)
    assert len(rows[0].paths) == len(texts)


def test_examples_longer_than_a_row_are_not_computed_for_every_question(monkeypatch):
    monkeypatch.setattr(choices, "ROW_TOKENS", 8)
    shots = list(range(2, 22))
    rows = choices._plant([[*shots, 50 + n, 60 + n] for n in range(20)])
    assert sum(len(row.tokens) for row in rows) <= 2 * len(shots) * len(rows) == 80


def test_choices_are_tokenized_with_their_prompt_and_one_bos(tiny_tokenizer):
    pairs = choices.encode_pairs(tiny_tokenizer, [("The library ", "opens"), ("", "비가")])
    bos = tiny_tokenizer.bos_id
    assert pairs[0][0] + pairs[0][1] == [bos, *tiny_tokenizer.encode(["The library opens"])[0]]
    assert pairs[0][0] == [bos, *tiny_tokenizer.encode(["The library"])[0]]
    assert pairs[1] == ([bos], tiny_tokenizer.encode(["비가"])[0])


def test_a_choice_without_a_token_is_named(tiny_model):
    with pytest.raises(UserError, match="Text 1 has an empty continuation"):
        evaluation.score_choices(tiny_model, ["The"], [[" library", ""]])
