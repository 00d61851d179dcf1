"""What is generated is what the model computes, for prompts of different lengths in a batch."""

import jax
import numpy as np
import pytest

from gemma_ko_lib.evaluation import decoding
from gemma_ko_lib.evaluation.decoding import generate
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model


@pytest.mark.parametrize(
    "shape", ["gemma1-mqa", "gemma2", pytest.param("gemma3", marks=pytest.mark.slow)]
)
def test_greedy_text_is_the_likeliest_by_the_full_pass(shape, tiny_tokenizer):
    model = make_model(shape, tokenizer=tiny_tokenizer)
    prompts = [[2, 40, 50], [2, *range(60, 71)], [2]]
    found = generate(model, prompts, 8)
    rows = np.zeros((len(prompts), 20), "int32")
    for row, prompt, new in zip(rows, prompts, found, strict=True):
        row[: len(prompt) + 8] = [*prompt, *new]
    logits = jax.jit(model.decoder.logits)(model.params, rows, (rows > 0).astype("int32"))
    for its, prompt, new in zip(np.asarray(logits), prompts, found, strict=True):
        its = its[len(prompt) - 1 :][:8]
        assert (its.max(-1) - its[np.arange(8), new]).max() < 1e-3
    stop = found[0][3]
    cut = found[0].index(stop)
    assert generate(model, prompts[:1], 8, stop_ids=(stop,)) == [found[0][:cut]]


PROMPTS = [[2, 40, 50], [2, *range(60, 71)], [2]]  # three: a fourth row is padding


def test_a_row_does_not_depend_on_the_others(tiny_model):
    together = generate(tiny_model, PROMPTS, 8)
    assert together == [generate(tiny_model, [prompt], 8)[0] for prompt in PROMPTS]


def test_the_weights_that_are_given_write(tiny_model, tiny_tokenizer):
    other = make_model("gemma2", seed=1, tokenizer=tiny_tokenizer)
    own = generate(tiny_model, PROMPTS, 8)
    assert generate(tiny_model, PROMPTS, 8, params=other.params) == generate(other, PROMPTS, 8)
    assert generate(tiny_model, PROMPTS, 8) == own != generate(other, PROMPTS, 8)


@pytest.mark.parametrize("int8", [False, True])
def test_no_copy_of_the_weights_stays_behind(tiny_model, int8):
    generate(tiny_model, PROMPTS, 8, int8=int8)
    before = sum(array.nbytes for array in jax.live_arrays())
    generate(tiny_model, PROMPTS, 8, int8=int8)
    assert sum(array.nbytes for array in jax.live_arrays()) == before


def test_lengths_that_are_close_are_compiled_once(tiny_model):
    decoding._writer.cache_clear()  # an equal model may have written before
    shapes = []
    for prompts, new in (
        *(([[2] * 5], 4), ([[2] * 60], 20), ([[2] * 65], 20)),
        *(([[2]] * 3, 4), ([[2]] * 4, 4), ([[2]] * 9, 4)),
    ):
        assert len(generate(tiny_model, prompts, new)) == len(prompts)
        shapes.append(decoding._writer(tiny_model.decoder)._cache_size())
    assert shapes == [1, 1, 2, 3, 3, 4]


def test_int8_writes_what_the_model_likes(tiny_model):
    (new,) = generate(tiny_model, PROMPTS[:1], 8, int8=True)
    row = np.array([[*PROMPTS[0], *new]], "int32")
    logits = jax.jit(tiny_model.decoder.logits)(tiny_model.params, row, np.ones_like(row))
    its = np.asarray(logits)[0, len(PROMPTS[0]) - 1 : -1]
    assert (its.max(-1) - its[np.arange(8), new]).max() < 0.1 * its.std()


def test_an_empty_prompt_is_refused(tiny_model):
    with pytest.raises(UserError, match="Prompt 1 is empty"):
        generate(tiny_model, [[2], []], 4)
    with pytest.raises(UserError, match="max_new_tokens is 0"):
        generate(tiny_model, [[2]], 0)
