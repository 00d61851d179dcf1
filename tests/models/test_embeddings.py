"""A model with another vocabulary is the old one, with rows added, cut away or both."""

import jax
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.evaluation import bits_per_byte
from gemma_ko_lib.models.embeddings import change_vocabulary
from gemma_ko_lib.tokenization import (
    cut_to_texts,
    expand_vocabulary,
    learn_pieces,
)
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
    expanded = change_vocabulary(model, expanded_tokenizer)
    before = jax.jit(model.decoder.logits)(model.params, *batch_of(model, ENGLISH[0]))
    after = jax.jit(expanded.decoder.logits)(expanded.params, *batch_of(expanded, ENGLISH[0]))
    assert after.shape[-1] == OLD + 12
    np.testing.assert_allclose(after[..., :OLD], before, atol=1e-5)


@pytest.mark.parametrize("start", ["mean", "random"])
def test_only_rows_are_added(start, tiny_model, expanded_tokenizer):
    old = {name: np.array(weight) for name, weight in tiny_model.params.items()}
    expanded = change_vocabulary(tiny_model, expanded_tokenizer, start)
    assert expanded.params[EMBEDDING].shape == (OLD + 12, 16)
    np.testing.assert_array_equal(expanded.params[EMBEDDING][:OLD], old[EMBEDDING])
    for name in set(old) - {EMBEDDING}:
        np.testing.assert_array_equal(expanded.params[name], old[name])
    assert expanded.config == {**tiny_model.config, "vocabulary_size": OLD + 12}
    # The base is still what it was.
    assert tiny_model.params[EMBEDDING].shape == (OLD, 16)
    assert len(tiny_model.tokenizer.vocabulary) == tiny_model.config["vocabulary_size"] == OLD


def test_a_new_row_is_the_mean_of_those_it_replaces(tiny_model, expanded_tokenizer):
    expanded = change_vocabulary(tiny_model, expanded_tokenizer)
    embedding = np.asarray(expanded.params[EMBEDDING])
    for index in range(OLD, OLD + 12):
        text = expanded_tokenizer.vocabulary[index].replace("▁", " ")
        ids = tiny_model.tokenizer.encode([text])[0]
        assert len(ids) > 1
        np.testing.assert_allclose(embedding[index], embedding[ids].mean(0), atol=1e-6)


def test_random_rows_come_from_their_seed(tiny_model, expanded_tokenizer):
    def rows(seed):
        model = change_vocabulary(tiny_model, expanded_tokenizer, "random", seed)
        return np.asarray(model.params[EMBEDDING][OLD:])

    np.testing.assert_array_equal(rows(1), rows(1))
    assert not np.allclose(rows(1), rows(2))
    old = np.asarray(tiny_model.params[EMBEDDING])
    drawn = np.concatenate([rows(seed) for seed in range(20)])
    np.testing.assert_allclose(drawn.mean(0), old.mean(0), atol=0.1)
    np.testing.assert_allclose(drawn.std(0), old.std(0), rtol=0.25)


def test_random_rows_of_a_bfloat16_model_have_the_mean_of_all_rows(tiny_model, expanded_tokenizer):
    old = 1 + 0.1 * tiny_model.params[EMBEDDING]
    tiny_model.params[EMBEDDING] = jax.numpy.asarray(old, "bfloat16")
    new = change_vocabulary(tiny_model, expanded_tokenizer, "random").params[EMBEDDING][OLD:]
    assert float(new.astype("float32").mean()) == pytest.approx(old.mean(), abs=0.02)


def test_new_pieces_take_some_probability_from_english(tiny_model, expanded_tokenizer):
    # Same tokens, same logits, more terms in the softmax: it can only cost.
    before = bits_per_byte(tiny_model, ENGLISH, window=64)
    after = bits_per_byte(change_vocabulary(tiny_model, expanded_tokenizer), ENGLISH, window=64)
    assert after.tokens == before.tokens
    assert after.micro > before.micro


def test_an_expanded_model_is_saved_and_loaded(tiny_model, expanded_tokenizer, tmp_path):
    expanded = change_vocabulary(tiny_model, expanded_tokenizer)
    expanded.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model", dtype="float32")
    assert loaded.tokenizer.vocabulary == expanded_tokenizer.vocabulary
    batch = batch_of(expanded, KOREAN[0])
    np.testing.assert_array_equal(
        jax.jit(loaded.decoder.logits)(loaded.params, *batch),
        jax.jit(expanded.decoder.logits)(expanded.params, *batch),
    )


# --- cut ---

KEPT = 306


@pytest.fixture(scope="module")
def cut_tokenizer(tiny_tokenizer):
    return cut_to_texts(tiny_tokenizer, ENGLISH[:1], KEPT)


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma1-mha", "gemma2", "gemma3"])
def test_a_cut_model_gives_kept_pieces_the_same_logits(shape, tiny_tokenizer, cut_tokenizer):
    model = make_model(shape, tokenizer=tiny_tokenizer)
    cut = change_vocabulary(model, cut_tokenizer)
    kept = [tiny_tokenizer.vocabulary.index(piece) for piece in cut_tokenizer.vocabulary]
    old, new = batch_of(model, ENGLISH[0]), batch_of(cut, ENGLISH[0])
    np.testing.assert_array_equal(np.array(kept)[new[0]], old[0])
    before = jax.jit(model.decoder.logits)(model.params, *old)
    after = jax.jit(cut.decoder.logits)(cut.params, *new)
    assert after.shape[-1] == KEPT < before.shape[-1]
    np.testing.assert_allclose(after, before[..., kept], atol=1e-5)


def test_a_cut_can_only_lower_the_loss_of_text_it_keeps(tiny_model, cut_tokenizer):
    cut = change_vocabulary(tiny_model, cut_tokenizer)
    before, after = (bits_per_byte(m, ENGLISH[:1], window=64) for m in (tiny_model, cut))
    assert after.tokens == before.tokens
    assert after.micro < before.micro
    # Other text takes more tokens, and is still all scored.
    before, after = (bits_per_byte(m, SENTENCES, window=128) for m in (tiny_model, cut))
    assert after.tokens > before.tokens and after.bytes == before.bytes


def test_an_exchange_keeps_rows_and_starts_new_ones_from_the_whole_vocabulary(
    tiny_model, tiny_tokenizer, cut_tokenizer, tmp_path
):
    pieces = learn_pieces(KOREAN, cut_tokenizer, 8, min_frequency=1)
    exchanged = change_vocabulary(tiny_model, expand_vocabulary(cut_tokenizer, pieces))
    old, new = (np.asarray(model.params[EMBEDDING]) for model in (tiny_model, exchanged))
    kept = [tiny_tokenizer.vocabulary.index(piece) for piece in cut_tokenizer.vocabulary]
    np.testing.assert_array_equal(new[:KEPT], old[kept])
    replaced = tiny_tokenizer.encode([piece.replace("▁", " ") for piece in pieces])
    for row, ids in zip(new[KEPT:], replaced, strict=True):
        np.testing.assert_allclose(row, old[ids].mean(0), atol=1e-6)
    exchanged.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model", dtype="float32")
    assert loaded.tokenizer.vocabulary == exchanged.tokenizer.vocabulary


def test_an_unknown_start_is_refused(tiny_model, expanded_tokenizer):
    with pytest.raises(ValueError, match="'mean' or 'random', not 'zeros'"):
        change_vocabulary(tiny_model, expanded_tokenizer, "zeros")
