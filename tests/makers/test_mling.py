"""Lesson 06's mling question: all arms read the same Korean, and the control keeps the letters."""

import types

import numpy as np
import pytest

from data_samples.makers.recorded.mling import ARMS, Maker, shuffled
from gemma_ko_lib.tokenization.packing import fill_row


@pytest.fixture
def maker():
    """A maker with pools of rows of one number each, and no model."""
    names = {name for beside in ARMS.values() for name in beside}
    maker = Maker.__new__(Maker)
    maker.size = types.SimpleNamespace(updates=4)
    maker.pools = {
        name: [fill_row([np.full(8, 100 * place + n)], 8) for n in range(9)]
        for place, name in enumerate(["ko", *sorted(names)])
    }
    return maker


def _rows(maker, arm: str, seed: int) -> list[list[int]]:
    return [batch["token_ids"][0, :, 0].tolist() for batch in maker.batches(arm, seed)]


def test_every_arm_reads_the_same_korean_row_in_each_update(maker):
    korean = [rows[0] for rows in _rows(maker, "alone", 0)]
    for arm, beside in ARMS.items():
        found = _rows(maker, arm, 0)
        assert [rows[0] for rows in found] == korean and len(set(korean)) == 4
        pools = [rows[1] // 100 for rows in found if beside]
        assert len(set(pools)) == len(beside) and 0 not in pools
        assert pools[::2] == pools[:1] * 2 if beside else not pools  # in turns
    assert [rows[0] for rows in _rows(maker, "alone", 1)] != korean


def test_the_control_has_the_same_letters():
    text = "デビアンは自由である。"
    assert sorted(shuffled(text, 0)) == sorted(text) and shuffled(text, 0) != text
