"""LOMO is SGD and AdaLomo is its paper's formula, with one gradient in memory at a time."""

from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from gemma_ko_lib.training import fused_backward, make_update, next_token_loss
from gemma_ko_lib.training.lomo import (
    initial_lomo_state,
    lomo_state,
    make_lomo_update,
)
from gemma_ko_lib.training.loop import initial_state
from tests.conftest import make_model

ROOT = Path(__file__).parents[2]
RATE = 1e-2
SCHEDULE = optax.linear_schedule(RATE, RATE / 2, 4)


def _batch(seed: int = 0, rows: int = 2, accumulation: int = 1) -> dict:
    """Packed rows: two documents, then padding."""
    generator = np.random.default_rng(seed)
    shape = (accumulation, rows, 16)
    segments = np.ones(shape, "int32")
    segments[..., 6:], segments[..., 13:] = 2, 0
    tokens = generator.integers(3, 320, shape).astype("int32")
    return {
        "token_ids": tokens,
        "segment_ids": segments,
        "targets": np.roll(tokens, -1, -1),
        "loss_weights": ((segments > 0) * (generator.random(shape) > 0.3)).astype("float32"),
    }


def _gradient(decoder):
    """The whole gradient of the mean loss, by plain differentiation."""
    loss_sum = next_token_loss(decoder)

    def mean(params, batch):
        total, tokens = loss_sum(params, {name: x[0] for name, x in batch.items()})
        return total / tokens

    return jax.jit(jax.value_and_grad(mean))


def _run(model, steps: int = 3, **options):
    update = make_lomo_update(model.decoder, SCHEDULE, **options)
    state = initial_lomo_state(model.params, options["adaptive"])
    figures = []
    for step in range(steps):
        state, found = update(state, _batch(step))
        figures.append(found)
    return state, figures


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """The tiny vocabulary is cut in parts of 128, 128 and 64 words."""
    monkeypatch.setattr(fused_backward, "CHUNK_TOKENS", 1)


@pytest.mark.parametrize(
    "shape, clip",
    [
        ("gemma1-mqa", {}),
        ("gemma2", {"clip_value": 1e-3}),
        ("gemma3", {"clip_norm": 0.5}),
        ("gemma3", {}),
    ],
)
def test_lomo_is_sgd(shape, clip):
    model = make_model(shape)
    state, figures = _run(model, adaptive=False, **clip)
    clipping = {
        "clip_value": optax.clip,
        "clip_norm": optax.clip_by_global_norm,
    }
    chain = [clipping[kind](limit) for kind, limit in clip.items()]
    sgd = optax.chain(*chain, optax.sgd(SCHEDULE))
    update = make_update(next_token_loss(model.decoder), sgd)
    expected = initial_state(model.params, sgd)
    for step, found in enumerate(figures):
        expected, want = update(expected, _batch(step))
        for name in ("loss", "gradient_norm", "tokens"):
            np.testing.assert_allclose(found[name], want[name], rtol=1e-4, err_msg=name)
    _assert_same_changes(model.params, state.params, expected.params)


def _assert_same_changes(start, found, expected):
    """What was added to the weights, not only the weights, is the same."""
    for name, before in start.items():
        change, want = np.asarray(found[name]) - before, np.asarray(expected[name]) - before
        tolerance = 2e-3 * np.abs(want).max() + 1e-6
        assert np.abs(want).max() > 3e-6, name
        np.testing.assert_allclose(change, want, atol=tolerance, err_msg=name)


# --- AdaLomo ---


def _as_matrices(name: str, x) -> list[np.ndarray]:
    """A weight as the matrices [outputs, inputs] (or vectors) of its layers."""
    x = np.asarray(x, "float64")
    layers = list(x) if name.startswith("group_") else [x]
    if "attention_output" in name:
        return [layer.reshape(-1, layer.shape[-1]).T for layer in layers]
    if "attention/" in name and layers[0].ndim == 3:
        return [np.moveaxis(layer, 1, 2).reshape(-1, layer.shape[1]) for layer in layers]
    if "kernel" in name:
        return [layer.T for layer in layers]
    return layers


def _adalomo_reference(p, g, moments, t, rate):
    """arXiv 2310.10195, one matrix [outputs, inputs] or vector in float64."""
    beta = 1 - t**-0.8
    squares = g**2 + 1e-30
    if p.ndim == 1:
        moments["v"] = v = beta * moments.get("v", 0) + (1 - beta) * squares
    else:
        moments["r"] = r = beta * moments.get("r", 0) + (1 - beta) * squares.mean(1)
        moments["c"] = c = beta * moments.get("c", 0) + (1 - beta) * squares.mean(0)
        v = np.outer(r, c) / r.mean()
    u = g / np.sqrt(v)
    u /= max(1, np.sqrt(np.mean(u**2)))
    return p - rate * max(1e-3, np.sqrt(np.mean(p**2))) * u


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma2", "gemma3"])
def test_adalomo_is_the_formula_of_its_paper(shape):
    model = make_model(shape)
    update = make_lomo_update(model.decoder, SCHEDULE, adaptive=True)
    state, gradient = initial_lomo_state(model.params, adaptive=True), _gradient(model.decoder)
    moments = {name: {} for name in model.params}
    for step in range(3):
        # From our weights at each step, so that rounding does not build up.
        before = {name: np.asarray(x) for name, x in state.params.items()}
        _, gradients = gradient(before, _batch(step))
        state, _ = update(state, _batch(step))
        for name, p in before.items():
            matrices = zip(
                _as_matrices(name, p),
                _as_matrices(name, gradients[name]),
                _as_matrices(name, state.params[name]),
                strict=True,
            )
            for layer, (start, g, found) in enumerate(matrices):
                seen = moments[name].setdefault(layer, {})
                want = _adalomo_reference(start, g, seen, step + 1, float(SCHEDULE(step)))
                change = np.abs(want - start).max()
                np.testing.assert_allclose(found, want, atol=5e-3 * change, err_msg=name)


def test_adalomo_keeps_rows_and_columns_not_matrices():
    model = make_model("gemma3")
    state = lomo_state(model.params, adaptive=True)
    kept = sum(x.size for x in jax.tree.leaves(state.optimizer))
    matrices = sum(x.size for name, x in model.params.items() if not name.endswith("scale"))
    assert kept < 0.3 * matrices
    query = state.optimizer["group_0/attention/query/kernel"]
    assert {kind: x.shape for kind, x in query.items()} == {
        "row": (1, 4, 1, 8),
        "column": (1, 1, 16, 1),
    }
