"""A model with an expanded vocabulary is the old one, with rows added."""

import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.evaluation import bits_per_byte
from gemma_ko_lib.models.embeddings import expand_model
from gemma_ko_lib.tokenization import expand_vocabulary, learn_pieces
from tests.conftest import SENTENCES, make_model

EMBEDDING = "token_embedding/embeddings"
ENGLISH = [sentence for sentence in SENTENCES if sentence.isascii()]
KOREAN = [sentence for sentence in SENTENCES if not sentence.isascii()]
OLD = 320


@pytest.fixture(scope="module")
def expanded_tokenizer(tiny_tokenizer):
    pieces = learn_pieces(KOREAN, tiny_tokenizer, 12, min_frequency=1)
    return expand_vocabulary(tiny_tokenizer, pieces)


def batch_of(model, text: str) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([[model.tokenizer.bos_id, *model.tokenizer.encode([text])[0]]], "int32")
    return ids, np.ones_like(ids)


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_english_is_computed_as_before(shape, tiny_tokenizer, expanded_tokenizer):
    model = make_model(shape, tokenizer=tiny_tokenizer)
    expanded = expand_model(model, expanded_tokenizer)
    before = model.decoder.logits(model.params, *batch_of(model, ENGLISH[0]))
    after = expanded.decoder.logits(expanded.params, *batch_of(expanded, ENGLISH[0]))
    assert after.shape[-1] == OLD + 12
    np.testing.assert_allclose(after[..., :OLD], before, atol=1e-5)


@pytest.mark.parametrize("start", ["mean", "random"])
def test_only_rows_are_added(start, tiny_model, expanded_tokenizer):
    old = {name: np.array(weight) for name, weight in tiny_model.params.items()}
    expanded = expand_model(tiny_model, expanded_tokenizer, start)
    assert expanded.params[EMBEDDING].shape == (OLD + 12, 16)
    np.testing.assert_array_equal(expanded.params[EMBEDDING][:OLD], old[EMBEDDING])
    for name in set(old) - {EMBEDDING}:
        np.testing.assert_array_equal(expanded.params[name], old[name])
    assert expanded.config == {**tiny_model.config, "vocabulary_size": OLD + 12}
    # The base is still what it was.
    assert tiny_model.params[EMBEDDING].shape == (OLD, 16)
    assert len(tiny_model.tokenizer.vocabulary) == tiny_model.config["vocabulary_size"] == OLD


def test_a_new_row_is_the_mean_of_those_it_replaces(tiny_model, expanded_tokenizer):
    expanded = expand_model(tiny_model, expanded_tokenizer)
    embedding = np.asarray(expanded.params[EMBEDDING])
    for index in range(OLD, OLD + 12):
        text = expanded_tokenizer.vocabulary[index].replace("▁", " ")
        ids = tiny_model.tokenizer.encode([text])[0]
        assert len(ids) > 1
        np.testing.assert_allclose(embedding[index], embedding[ids].mean(0), atol=1e-6)


def test_random_rows_come_from_their_seed(tiny_model, expanded_tokenizer):
    def rows(seed):
        model = expand_model(tiny_model, expanded_tokenizer, "random", seed)
        return np.asarray(model.params[EMBEDDING][OLD:])

    np.testing.assert_array_equal(rows(1), rows(1))
    assert not np.allclose(rows(1), rows(2))
    old = np.asarray(tiny_model.params[EMBEDDING])
    drawn = np.concatenate([rows(seed) for seed in range(20)])
    np.testing.assert_allclose(drawn.mean(0), old.mean(0), atol=0.1)
    np.testing.assert_allclose(drawn.std(0), old.std(0), rtol=0.25)


def test_new_pieces_take_some_probability_from_english(tiny_model, expanded_tokenizer):
    # Same tokens, same logits, more terms in the softmax: it can only cost.
    before = bits_per_byte(tiny_model, ENGLISH, window=64)
    after = bits_per_byte(expand_model(tiny_model, expanded_tokenizer), ENGLISH, window=64)
    assert after.tokens == before.tokens
    assert after.micro > before.micro


def test_an_expanded_model_is_saved_and_loaded(tiny_model, expanded_tokenizer, tmp_path):
    expanded = expand_model(tiny_model, expanded_tokenizer)
    expanded.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model", dtype="float32")
    assert loaded.tokenizer.vocabulary == expanded_tokenizer.vocabulary
    batch = batch_of(expanded, KOREAN[0])
    np.testing.assert_array_equal(
        loaded.decoder.logits(loaded.params, *batch),
        expanded.decoder.logits(expanded.params, *batch),
    )


def test_an_unknown_start_is_refused(tiny_model, expanded_tokenizer):
    with pytest.raises(ValueError, match="'mean' or 'random', not 'zeros'"):
        expand_model(tiny_model, expanded_tokenizer, "zeros")
