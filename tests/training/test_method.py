"""One `Method` for arrays and for shapes: what is trained, stored and merged again."""

import dataclasses
import math
import re

import jax
import numpy as np
import pytest

from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.training import METHODS, LoopConfig, Method, train
from gemma_ko_lib.training.batches import Batches
from gemma_ko_lib.training.checkpoints import Checkpoints
from gemma_ko_lib.training.memory import mesh_of
from gemma_ko_lib.training.method import EMBEDDING
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from tests.conftest import SENTENCES, TINY, make_model

CONFIG = LoopConfig(steps=3, batch_rows=2, learning_rate=1e-2, warmup_steps=1)
SETTINGS = [
    Method("full"),
    Method("lora", rank=2, targets=("query", "ffw_linear")),
    Method("lora", rank=2, base="int4", embedding_rate=0.5),
    Method("olora", rank=2, base="int8"),
    Method("lomo"),
    Method("adalomo"),
]
ONE = Accelerator("cpu", "one device", 1, 2**40)
BY_NAME = pytest.mark.parametrize("method", SETTINGS, ids=str)


def _shards(model, folder):
    write_shards(SENTENCES * 8, model.tokenizer, folder, 24)
    return open_shards(folder)


@BY_NAME
def test_shapes_alone_say_what_arrays_become(method, tiny_model):
    state, frozen = method.begin(tiny_model.params)
    abstract = method.abstract(tiny_model.decoder, mesh_of(ONE))
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), (state, frozen))
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype), abstract)


@BY_NAME
def test_nothing_changes_before_the_first_update(method, tiny_model):
    trained, frozen = method.split(tiny_model.params)
    plain = method.merge(trained, frozen, tiny_model.decoder.shapes())
    assert plain.keys() == tiny_model.params.keys()
    for name, weight in tiny_model.params.items():
        spread = float(np.abs(weight).max())
        tolerance = {None: 1e-5, "int8": 0.02, "int4": 0.2}[method.base] * spread
        np.testing.assert_allclose(plain[name], weight, atol=tolerance, err_msg=name)


@BY_NAME
def test_what_was_trained_is_what_the_merged_model_computes(method, tiny_model, tmp_path):
    shards = _shards(tiny_model, tmp_path / "shards")
    before = {name: np.array(weight) for name, weight in tiny_model.params.items()}
    seen = {}

    def evaluate(weights, step):
        seen["weights"] = {name: np.array(weight) for name, weight in weights.items()}
        return {}

    config = dataclasses.replace(CONFIG, evaluate_every=3, learning_rate=3e-2)
    run = tmp_path / "run"
    model = train(tiny_model, shards, config, run, method=method, evaluate=evaluate, quiet=True)
    batch = next(Batches(shards, 2, seed=0))
    inputs = batch["token_ids"], batch["segment_ids"]
    hidden = jax.jit(tiny_model.decoder.hidden)
    np.testing.assert_allclose(
        hidden(model.params, *inputs), hidden(seen["weights"], *inputs), atol=2e-3
    )
    apart = np.abs(hidden(model.params, *inputs) - hidden(tiny_model.params, *inputs))
    assert apart.max() > 0.01
    for name, weight in tiny_model.params.items():  # no update took the place of what it was given
        np.testing.assert_array_equal(weight, before[name], err_msg=name)


def test_only_what_is_trained_is_stored(tiny_model, tmp_path):
    method = SETTINGS[1]
    train(
        tiny_model,
        _shards(tiny_model, tmp_path / "shards"),
        CONFIG,
        tmp_path / "run",
        method=method,
        quiet=True,
    )
    start, _ = method.split(tiny_model.params)
    # A tree of adapters, their two moments and counters is the whole of a checkpoint; orbax
    # refuses one that holds more.
    like, _ = method.begin(tiny_model.params)
    step, state, _ = Checkpoints(tmp_path / "run" / "checkpoints").restore_latest(like)
    assert step == CONFIG.steps and state.params.keys() == start.keys()
    assert all(np.any(state.params[name] != start[name]) for name in start)
    assert not any("lora" in name for name in tiny_model.params)


def test_the_embedding_beside_adapters_has_a_rate_of_its_own(tiny_tokenizer, tmp_path):
    model = make_model("gemma1-mqa", tokenizer=tiny_tokenizer)
    shards, moved = _shards(model, tmp_path / "shards"), {}
    old = np.array(model.params[EMBEDDING])
    for rate in (None, 0.1, 1.0):
        method = Method("lora", rank=2, embedding_rate=rate)
        trained = train(model, shards, CONFIG, tmp_path / str(rate), method=method, quiet=True)
        moved[rate] = float(np.abs(trained.params[EMBEDDING] - old).mean())
    assert moved[None] == 0
    # AdamW's first steps are as large as its rate, whatever the gradient is.
    assert moved[1.0] == pytest.approx(10 * moved[0.1], rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "sgd"}, "There are: full, lora"),
        ({"name": "full", "rank": 8}, "rank belongs to lora and olora; full has none"),
        ({"name": "lora", "rank": 0}, "rank must be at least 1"),
        ({"name": "lora", "base": "int2"}, "int8 or int4, not 'int2'"),
        ({"name": "lora", "targets": ("lm_head",)}, "lm_head"),
        ({"name": "olora", "embedding_rate": -1.0}, "a fraction above 0"),
    ],
)
def test_a_setting_that_a_method_does_not_have_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Method(**arguments)


@BY_NAME
def test_the_options_that_it_names_make_the_same_method(method):
    from gemma_ko_lib.cli import _parser
    from gemma_ko_lib.cli.training_commands import _method

    words = "pretrain --model nano --data d -o r".split()
    assert dataclasses.replace(_method(_parser().parse_args([*words, *method.options()]))) == method


def test_a_loss_of_its_own_is_not_for_lomo(tiny_model):
    with pytest.raises(UserError, match="take full, lora or olora"):
        Method("lomo").update(tiny_model.decoder, lambda step: 0.1, loss=lambda *_: 0)


def test_every_method_has_a_rate_for_toys_and_for_models():
    for name in METHODS:
        small, large = (Method(name).learning_rate(n) for n in (10**6, 10**9))
        assert 0 < large < small


def test_no_gradient_as_large_as_a_weight_is_formed():
    # Keras' LoRA multiplies by W + A·B, whose gradient is as large as W; and a frozen
    # embedding must not cost the loss its vocabulary × d_model gradient.
    decoder = make_model("gemma1-mqa").decoder
    batch = {
        name: jax.ShapeDtypeStruct((1, 2, 24), kind)
        for name, kind in {
            **dict.fromkeys(("token_ids", "segment_ids", "targets"), "int32"),
            "loss_weights": "float32",
        }.items()
    }

    def products_as_large_as_a_weight(method) -> int:
        update = method.update(decoder, learning_rate_schedule(1e-3, 10, 1))
        trained, frozen = jax.eval_shape(method.split, decoder.shapes())
        state = jax.eval_shape(method.first_state, trained)
        text = update.lower(state, batch, frozen).compile().as_text()
        found = re.findall(r"= f32\[([\d,]+)\]\S* dot\(", text)
        products = [math.prod(map(int, shape.split(","))) for shape in found]
        assert products
        weights = {math.prod(w.shape[1:]) for n, w in decoder.shapes().items() if "kernel" in n}
        vocabulary = TINY["gemma1-mqa"][1]["vocabulary_size"] * 16
        return sum(size in weights | {vocabulary} for size in products)

    assert products_as_large_as_a_weight(Method("full")) > 0
    assert products_as_large_as_a_weight(Method("lora", rank=2)) == 0
