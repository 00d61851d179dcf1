"""The nano model can be made again: same seed, same weights."""

import dataclasses

import numpy as np
import pytest

from data_samples.makers import nano

SHORT = dataclasses.replace(nano.LOOP, steps=2, batch_rows=2, checkpoint_every=2)


@pytest.mark.slow
def test_the_same_seed_makes_the_same_weights_and_another_seed_does_not(tmp_path):
    first, second, other = (
        nano.remake(tmp_path / name, dataclasses.replace(SHORT, seed=seed), quiet=True)
        for name, seed in (("first", 0), ("second", 0), ("other", 1))
    )
    assert first.tokenizer.proto == second.tokenizer.proto
    for name, value in first.params.items():
        np.testing.assert_array_equal(value, second.params[name], err_msg=name)
    assert any((first.params[name] != other.params[name]).any() for name in first.params)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert files[0] == files[1]


def test_the_stored_tokenizer_is_the_one_that_the_samples_make():
    from gemma_ko_lib.corpus.samples import read_samples
    from gemma_ko_lib.tokenization import load_tokenizer, train_tokenizer

    english = [record["text"] for record in read_samples("en", "train")]
    made = train_tokenizer(english, 4096, "tiny")
    assert made.vocabulary == load_tokenizer("nano").vocabulary
