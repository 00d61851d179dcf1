"""A run is defined in tokens; a device only decides how an update is cut."""

import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training.size import Batching, RunSize


def test_a_run_has_the_tokens_that_were_asked_for():
    size = RunSize(tokens=1_000_000, update_tokens=8192, length=1024)
    updates = size.updates(data_rows=400, data_tokens=400_000, divisible=True)
    assert (updates.rows, updates.count) == (8, 125)
    assert updates.tokens == pytest.approx(1_000_000, rel=0.01)


@pytest.mark.parametrize(("given", "passes"), [({}, 1), ({"epochs": 2.5}, 2.5)])
def test_without_tokens_it_is_passes_over_the_data(given, passes):
    updates = RunSize(**given).updates(data_rows=64_000, data_tokens=120_000_000, divisible=True)
    assert updates.tokens == pytest.approx(passes * 120_000_000, rel=0.01)
    assert updates.rows == 32


def test_a_small_corpus_is_not_spent_in_a_handful_of_updates():
    small = RunSize().updates(data_rows=3000, data_tokens=6_000_000, divisible=True)
    assert (small.rows, small.count) == (3, 1000)
    # How long a run is does not change its updates: it can go on to more tokens.
    longer = RunSize(epochs=9).updates(data_rows=3000, data_tokens=6_000_000, divisible=True)
    assert longer.rows == small.rows


def test_an_update_in_one_piece_has_fewer_tokens():
    whole = RunSize().updates(data_rows=64_000, data_tokens=120_000_000, divisible=False)
    assert whole.rows * 2048 == 16_384


@pytest.mark.parametrize("devices", [1, 2, 8])
@pytest.mark.parametrize("update_rows", [1, 5, 20, 32])
@pytest.mark.parametrize("a_device", [1, 3, 16])
def test_micro_batches_hold_the_update_and_little_else(update_rows, a_device, devices):
    most = a_device * devices
    cut = Batching.cut(update_rows, 2048, most, devices)
    held = cut.rows * cut.accumulation
    assert cut.rows % devices == 0 and cut.rows <= most
    assert update_rows <= held < update_rows + devices * cut.accumulation


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokens": -3}, "--tokens must be a finite number above 0, not -3"),
        ({"tokens": 0}, "--tokens must be a finite number above 0"),
        ({"epochs": float("nan")}, "--epochs must be a finite number above 0, not nan"),
        ({"epochs": float("inf")}, "--epochs must be a finite number above 0, not inf"),
        ({"learning_rate": -1e-3}, "--learning-rate must be a finite number above 0"),
        ({"rows": 0}, "--rows must be a finite number above 0"),
        ({"tokens": 10, "epochs": 1}, "give one of them"),
    ],
)
def test_numbers_out_of_range_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        RunSize(**given)


def test_an_update_has_at_least_a_row():
    with pytest.raises(UserError, match="less than one row of 256"):
        RunSize(update_tokens=100, length=256).most_update_rows(divisible=True)
