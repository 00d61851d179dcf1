"""LOMO is SGD and AdaLomo is its paper's formula, with one gradient in memory at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.training import (
    LoopConfig,
    fused_backward,
    lomo,
    make_update,
    next_token_loss,
    run_loop,
)
from gemma_ko_lib.training.batches import Batches
from gemma_ko_lib.training.lomo import (
    lomo_state,
    make_lomo_update,
    round_stochastically,
)
from gemma_ko_lib.training.loop import first_state
from gemma_ko_lib.training.method import Method
from tests.conftest import SENTENCES, TINY, make_model, on_eight_devices

RATE = 1e-2
SCHEDULE = optax.linear_schedule(RATE, RATE / 2, 4)


def _begin(params, adaptive):
    return Method("adalomo" if adaptive else "lomo").begin(params)[0]


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
    state = _begin(model.params, options["adaptive"])
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
        ("gemma1-mqa", {"clip_norm": 0.5}),
        ("gemma2", {}),
        pytest.param("gemma3", {"clip_norm": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_lomo_is_sgd(shape, clip):
    model = make_model(shape)
    state, figures = _run(model, adaptive=False, **clip)
    chain = [optax.clip_by_global_norm(limit) for limit in clip.values()]
    sgd = optax.chain(*chain, optax.sgd(SCHEDULE))
    update = make_update(next_token_loss(model.decoder), sgd)
    expected = first_state(jax.tree.map(jnp.copy, model.params), sgd)
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
    layers = list(x) if name.startswith("blocks/") else [x]
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


@pytest.mark.parametrize(
    "shape", ["gemma1-mqa", "gemma2", pytest.param("gemma3", marks=pytest.mark.slow)]
)
def test_adalomo_is_the_formula_of_its_paper(shape):
    model = make_model(shape)
    update = make_lomo_update(model.decoder, SCHEDULE, adaptive=True)
    state, gradient = _begin(model.params, True), _gradient(model.decoder)
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
    query = state.optimizer["blocks/attention/query/kernel"]
    assert {kind: x.shape for kind, x in query.items()} == {
        "row": (8, 4, 1, 8),
        "column": (8, 1, 16, 1),
    }


# --- memory ---


def test_no_two_blocks_have_their_gradients_at_the_same_time():
    config = {
        **TINY["gemma1-mqa"][1],
        "num_layers": 24,
        "hidden_dim": 64,
        "intermediate_dim": 1024,
        "vocabulary_size": 2048,
    }
    decoder = models.build_decoder("GemmaBackbone", config, "float32")
    params = decoder.shapes()
    weights = sum(x.size * x.dtype.itemsize for x in params.values())
    state = jax.eval_shape(functools.partial(lomo_state, adaptive=True), params)
    update = make_lomo_update(decoder, SCHEDULE, adaptive=True, clip_norm=1.0)
    memory = update.lower(state, _batch(rows=1)).compile().memory_analysis()
    # All gradients together are as large as the weights, and so would a second copy of them be.
    assert memory.temp_size_in_bytes < 0.3 * weights
    state_bytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert memory.alias_size_in_bytes >= state_bytes - 64


# --- bfloat16 ---


def test_stochastic_rounding_is_right_on_average_and_leaves_bfloat16_alone():
    exact = jnp.asarray([1.0, -3.5, 0.0, 1e-30, np.inf], jnp.bfloat16)
    rounded = round_stochastically(exact.astype(jnp.float32), jax.random.key(0))
    np.testing.assert_array_equal(rounded, exact)
    assert jnp.isnan(round_stochastically(jnp.full(3, np.nan), jax.random.key(0))).all()
    # 1 + 2⁻¹⁰ lies an eighth of the way to bfloat16's next number.
    between = jnp.full(100_000, 1 + 2**-10)
    rounded = round_stochastically(between, jax.random.key(1)).astype(jnp.float32)
    assert set(np.unique(rounded)) == {1.0, 1 + 2**-7}
    np.testing.assert_allclose(rounded.mean() - 1, 2**-10, rtol=0.05)


def test_bfloat16_weights_learn_like_float32_masters_only_if_rounded_stochastically(monkeypatch):
    fallen = {}
    for name, dtype in (
        ("masters", "mixed_bfloat16"),
        ("stochastic", "bfloat16"),
        ("nearest", "bfloat16"),
    ):
        kind, config = TINY["gemma1-mqa"]
        decoder = models.build_decoder(kind, config, dtype)
        if name == "nearest":
            monkeypatch.setattr(lomo, "round_stochastically", lambda x, key: x.astype("bfloat16"))
        update = make_lomo_update(decoder, lambda step: 3e-4, adaptive=True)
        params = make_model("gemma1-mqa").params
        params = {n: jnp.asarray(params[n], x.dtype) for n, x in decoder.shapes().items()}
        state, losses = _begin(params, True), []
        for _ in range(100):
            state, figures = update(state, _batch())
            losses.append(float(figures["loss"]))
        fallen[name] = losses[0] - np.mean(losses[-10:])
    assert fallen["masters"] > 0.1, fallen
    assert abs(fallen["stochastic"] - fallen["masters"]) < 0.15 * fallen["masters"], fallen
    assert fallen["nearest"] < 0.6 * fallen["masters"], fallen


# --- in the loop ---


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_resumed_run_ends_in_the_same_weights(adaptive, tiny_tokenizer, tmp_path):
    model = make_model("gemma1-mqa", tokenizer=tiny_tokenizer)
    write_shards(SENTENCES * 8, tiny_tokenizer, tmp_path / "shards", length=32)
    shards = open_shards(tmp_path / "shards", tiny_tokenizer)
    update = make_lomo_update(model.decoder, SCHEDULE, adaptive=adaptive)

    def train(folder, steps, resume=False):
        return run_loop(
            _begin(model.params, adaptive),
            update,
            SCHEDULE,
            Batches(shards, rows=2, seed=0),
            LoopConfig(steps=steps, batch_rows=2, checkpoint_every=2),
            tmp_path / folder,
            resume=resume,
            quiet=True,
        )

    whole = train("whole", 4)
    train("stopped", 2)
    resumed = train("stopped", 4, resume=True)
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_micro_batches_are_refused_with_what_to_set():
    model = make_model("gemma1-mqa")
    update = make_lomo_update(model.decoder, SCHEDULE, adaptive=False)
    with pytest.raises(UserError, match="Set accumulation to 1, with batch_rows 6"):
        update(_begin(model.params, False), _batch(rows=2, accumulation=3))


_MESH_SCRIPT = """
import json
import jax
from tests.training.test_lomo import SCHEDULE, _batch, make_model
from gemma_ko_lib import models
from gemma_ko_lib.training.lomo import make_lomo_update
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.loop import LoopConfig, _device_batch, state_places

def losses(mesh):
    model = make_model("gemma2")
    update = make_lomo_update(model.decoder, SCHEDULE, adaptive=True, mesh=mesh)
    state, _ = Method("adalomo").begin(model.params, mesh)
    places, found = state_places(state, mesh), []
    for step in range(3):
        batch = {name: x[0] for name, x in _batch(step, rows=8).items()}
        before = jax.tree.leaves(state)
        state, figures = update(state, _device_batch(batch, LoopConfig(3, 8), mesh))
        assert all(x.is_deleted() for x in before), "a second copy of the state"
        moved = jax.tree.map(lambda x, p: not x.sharding.is_equivalent_to(p, x.ndim), state, places)
        assert not any(jax.tree.leaves(moved)), moved
        found.append(float(figures["loss"]))
    return found

meshes = [models.make_mesh(*sizes) for sizes in ((8, 1), (2, 4))]
print(json.dumps([losses(mesh) for mesh in (None, *meshes)]))
"""


def test_eight_devices_have_the_losses_of_one_and_each_keeps_its_part():
    one, *meshes = on_eight_devices(_MESH_SCRIPT)
    for found in meshes:
        np.testing.assert_allclose(found, one, rtol=1e-4)
