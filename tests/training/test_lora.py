"""LoRA in the loop: adapters alone are trained, stored and differentiated."""

import math
import re

import jax
import numpy as np

from gemma_ko_lib.models.adapters import Lora, add_adapters
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.training import LoopConfig, make_update, next_token_loss
from gemma_ko_lib.training.checkpoints import Checkpoints
from gemma_ko_lib.training.loop import initial_state
from gemma_ko_lib.training.lora import loss_curves, train_adapters
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from tests.conftest import SENTENCES, TINY, make_model

CONFIG = LoopConfig(steps=3, batch_rows=2, learning_rate=1e-2, warmup_steps=1)


def _shards(model, folder):
    write_shards(SENTENCES * 8, model.tokenizer, folder, 24)
    return open_shards(folder)


def test_only_adapters_are_trained_and_stored(tiny_model, tmp_path):
    shards = _shards(tiny_model, tmp_path / "shards")
    lora = Lora(rank=2, alpha=4, targets=("query", "ffw_linear"))
    _, adapters = train_adapters(
        tiny_model, shards, lora, CONFIG, tmp_path / "run", base_bits=4, quiet=True
    )
    start = add_adapters(tiny_model.params, lora, CONFIG.seed)[1]
    assert all(np.any(adapters[name] != start[name]) for name in start)
    # A tree of adapters, their two moments and counters is the whole of a checkpoint; orbax
    # refuses one that holds more.
    like = initial_state(start, adamw(lambda step: 1e-2))
    step, state, _ = Checkpoints(tmp_path / "run" / "checkpoints").restore_latest(like)
    assert step == CONFIG.steps
    for name in adapters:
        np.testing.assert_array_equal(state.params[name], adapters[name])
    assert not any("lora" in name for name in tiny_model.params)


def test_loras_and_oloras_curves_start_at_the_bases_loss(tiny_model, tmp_path):
    shards = _shards(tiny_model, tmp_path / "shards")
    loras = {"LoRA": Lora(2, 4), "OLoRA": Lora(2, 4, olora=True)}
    curves = loss_curves(tiny_model, shards, loras, CONFIG, [0, 1], tmp_path / "runs")
    assert curves["LoRA"].shape == curves["OLoRA"].shape == (2, CONFIG.steps)
    np.testing.assert_allclose(curves["LoRA"][:, 0], curves["OLoRA"][:, 0], rtol=1e-5)
    assert np.all(np.abs(curves["LoRA"] - curves["OLoRA"])[:, -1] > 1e-3)


def test_no_gradient_as_large_as_a_weight_is_formed():
    # Keras' LoRA multiplies by W + A·B, whose gradient is as large as W; and a frozen
    # embedding must not cost the loss its vocabulary × d_model gradient.
    decoder = make_model("gemma2").decoder
    optimizer = adamw(learning_rate_schedule(1e-3, 10, 1))
    batch = {
        name: jax.ShapeDtypeStruct((1, 2, 24), kind)
        for name, kind in {
            **dict.fromkeys(("token_ids", "segment_ids", "targets"), "int32"),
            "loss_weights": "float32",
        }.items()
    }

    def products_as_large_as_a_weight(frozen, trained) -> int:
        state = jax.eval_shape(lambda params: initial_state(params, optimizer), trained)
        update = make_update(next_token_loss(decoder), optimizer)
        text = update.lower(state, batch, frozen).compile().as_text()
        found = re.findall(r"= f32\[([\d,]+)\]\S* dot\(", text)
        products = [math.prod(map(int, shape.split(","))) for shape in found]
        assert products
        weights = {math.prod(w.shape[1:]) for n, w in decoder.shapes().items() if "kernel" in n}
        vocabulary = TINY["gemma2"][1]["vocabulary_size"] * 16
        return sum(size in weights | {vocabulary} for size in products)

    shapes = decoder.shapes()
    assert products_as_large_as_a_weight({}, shapes) > 0
    split = jax.eval_shape(lambda params: add_adapters(params, Lora(2, 2)), shapes)
    assert products_as_large_as_a_weight(*split) == 0
