"""What is generated is what the model computes, for prompts of different lengths in a batch."""

import jax
import numpy as np
import pytest

from gemma_ko_lib.evaluation.decoding import generate
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_greedy_text_is_the_likeliest_by_the_full_pass(shape, tiny_tokenizer):
    model = make_model(shape, tokenizer=tiny_tokenizer)
    prompts = [[2, 40, 50], [2, *range(60, 71)], [2]]
    found = generate(model, prompts, 8)
    logits = jax.jit(model.decoder.logits)
    for prompt, new in zip(prompts, found, strict=True):
        assert len(new) == 8
        row = np.array([[*prompt, *new]], "int32")
        its = np.asarray(logits(model.params, row, np.ones_like(row)))[0, len(prompt) - 1 : -1]
        assert (its.max(-1) - its[np.arange(8), new]).max() < 1e-3
    stop = found[0][3]
    cut = found[0].index(stop)
    assert generate(model, prompts[:1], 8, stop_ids=(stop,)) == [found[0][:cut]]


def test_an_empty_prompt_is_refused(tiny_model):
    with pytest.raises(UserError, match="Prompt 1 is empty"):
        generate(tiny_model, [[2], []], 4)
