"""The telephone book of notebook 03a asks what stood in the row, and what none can guess."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gemma_ko_lib.from_scratch.recall import PhoneBook, draw_rows
from gemma_ko_lib.from_scratch.recurrent_gemma import RecurrentGemma, RecurrentGemmaConfig

BOOK = PhoneBook(names=12, digits=8, length=24)


def test_every_answer_stands_in_an_entry_at_the_distance_that_is_said():
    tokens, answers, distances = draw_rows(BOOK, np.random.default_rng(0), 50)
    for row, digits, back in zip(tokens, answers, distances, strict=True):
        for n, (digit, distance) in enumerate(zip(digits, back, strict=True)):
            place = 2 * n + 1
            name = row[place] - BOOK.question(0)
            assert row[place - distance] == BOOK.entry(name, digit)


def test_a_name_has_one_entry_a_row_and_digits_are_even():
    tokens, answers, distances = draw_rows(BOOK, np.random.default_rng(1), 400)
    names = tokens[:, ::2] // BOOK.digits
    assert all(len(set(row)) == 12 for row in names)
    shares = np.bincount(answers.ravel(), minlength=8) / answers.size
    assert np.abs(shares - 1 / 8).max() < 0.02
    assert distances.min() == 1 and distances.max() == 23


def test_a_window_of_nothing_sees_the_current_token_only():
    config = RecurrentGemmaConfig(BOOK.vocab_size, 8, 2, 16, 2, 8, window=0, pattern="A")
    model = RecurrentGemma(config, nnx.Rngs(0))
    positions = jnp.arange(6)[None]
    run = jax.jit(lambda tokens: model(tokens, positions)[0])
    row = np.array([[3, 100, 5, 101, 7, 102]])
    changed = row.copy()
    changed[0, :5] += 1
    assert np.allclose(run(row)[0, 5], run(changed)[0, 5], atol=1e-6)


def test_the_pattern_says_which_blocks_attend():
    config = RecurrentGemmaConfig(pattern="RA")
    assert [config.is_attention(layer) for layer in range(4)] == [False, True, False, True]
    assert [RecurrentGemmaConfig().is_attention(n) for n in range(3)] == [False, False, True]
