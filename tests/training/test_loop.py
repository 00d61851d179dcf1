"""Updates, resume, and the ways a run must stop."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemma_ko_lib import models
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.training import LoopConfig, make_update, next_token_loss, train
from gemma_ko_lib.training.loop import first_state
from gemma_ko_lib.training.loss_scale import LossScale
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from gemma_ko_lib.training.run import _shared_update
from tests.conftest import ROOT, SENTENCES, make_model, on_eight_devices

CONFIG = LoopConfig(
    steps=6, batch_rows=2, learning_rate=1e-2, warmup_steps=2, checkpoint_every=2, seed=3
)


@pytest.fixture
def tiny_model(tiny_tokenizer):
    """Two plain layers: what a run does with its files does not depend on windows and caps."""
    return make_model("gemma1-mqa", tokenizer=tiny_tokenizer)


@pytest.fixture
def shards(tiny_tokenizer, tmp_path):
    write_shards(SENTENCES * 8, tiny_tokenizer, tmp_path / "shards", length=32)
    return open_shards(tmp_path / "shards", tiny_tokenizer)


def _batch(rows: int, accumulation: int, seed: int = 0) -> dict:
    generator = np.random.default_rng(seed)
    shape = (accumulation, rows, 16)
    segments = np.ones(shape, "int32")
    segments[..., 11:] = 0
    tokens = generator.integers(3, 300, shape).astype("int32")
    return {
        "token_ids": tokens,
        "segment_ids": segments,
        "targets": np.roll(tokens, -1, -1),
        "loss_weights": (segments * (generator.random(shape) > 0.4)).astype("float32"),
    }


def _updated(model, batch, **options):
    schedule = learning_rate_schedule(1e-2, 10, 0)
    optimizer = adamw(schedule)
    update = make_update(next_token_loss(model.decoder), optimizer)
    return update(first_state(jax.tree.map(jnp.copy, model.params), optimizer), batch)


def test_micro_batches_make_the_same_update_as_one_batch():
    model = make_model("gemma2")
    split = _batch(rows=2, accumulation=3)
    whole = {name: x.reshape(1, 6, 16) for name, x in split.items()}
    state, figures = _updated(model, split)
    expected_state, expected = _updated(model, whole)
    np.testing.assert_allclose(figures["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(figures["gradient_norm"], expected["gradient_norm"], rtol=1e-4)
    for name, value in expected_state.params.items():
        np.testing.assert_allclose(state.params[name], value, atol=2e-4, err_msg=name)


def test_a_row_that_predicts_nothing_is_no_end_of_the_run():
    batch = _batch(rows=1, accumulation=1)
    batch["loss_weights"] *= 0
    state, figures = _updated(make_model("gemma1-mqa"), batch)
    assert figures == {"loss": 0, "gradient_norm": 0, "tokens": 0}
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.params))


def test_the_update_is_compiled_once():
    model = make_model("gemma2")
    optimizer = adamw(learning_rate_schedule(1e-2, 10, 0))
    update = make_update(next_token_loss(model.decoder), optimizer)
    state = first_state(jax.tree.map(jnp.copy, model.params), optimizer)
    for seed in range(3):
        state, _ = update(state, _batch(rows=2, accumulation=1, seed=seed))
    assert update._cache_size() == 1


def test_the_schedule_counts_updates_not_micro_batches(tiny_model, shards, tmp_path):
    # Gemma-EasyLM sized its schedule in micro-steps and advanced it per update.
    config = dataclasses.replace(CONFIG, accumulation=4, batch_rows=1)
    train(tiny_model, shards, config, tmp_path / "run", quiet=True)
    rates = [line["learning_rate"] for line in _figures(tmp_path / "run")]
    assert rates[0] == 0 and max(rates) == pytest.approx(config.learning_rate)
    assert rates.index(max(rates)) == config.warmup_steps
    assert rates[-1] < 0.5 * config.learning_rate


def test_rows_that_the_micro_batches_do_not_hold_are_refused():
    # They would be drawn from the data, counted, and never trained on.
    with pytest.raises(UserError, match="5 rows of data do not go into 2 × 2 rows"):
        LoopConfig(steps=1, batch_rows=2, accumulation=2, update_rows=5)
    assert LoopConfig(steps=1, batch_rows=2, accumulation=3, update_rows=5).rows == 5


def test_nothing_is_trained_on_padding(tiny_model, shards):
    from gemma_ko_lib.tokenization.packing import next_token_targets

    row = shards[len(shards) - 1]
    _, weights = next_token_targets(row.token_ids, row.segment_ids)
    assert (row.segment_ids == 0).any()
    assert weights[row.segment_ids == 0].sum() == 0
    # One weight less than tokens for each document: nothing predicts the next one's BOS.
    documents = len(set(row.segment_ids[row.segment_ids > 0]))
    assert weights.sum() == (row.segment_ids > 0).sum() - documents


def test_training_lowers_the_loss_and_leaves_the_start_model_alone(tiny_model, shards, tmp_path):
    before = {name: np.array(value) for name, value in tiny_model.params.items()}
    config = dataclasses.replace(CONFIG, steps=25, checkpoint_every=25)
    trained = train(tiny_model, shards, config, tmp_path / "run", quiet=True)
    losses = [line["loss"] for line in _figures(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.8 * losses[0]
    for name, value in before.items():
        np.testing.assert_array_equal(tiny_model.params[name], value)
    assert any((trained.params[name] != before[name]).any() for name in before)


def test_runs_that_differ_by_seed_rate_or_length_are_traced_once(tiny_model, shards, tmp_path):
    _shared_update.cache_clear()  # an equal decoder's program would serve this one too
    decoder, traced = tiny_model.decoder, []
    hidden = decoder.hidden
    decoder.hidden = lambda *given, **options: traced.append(1) or hidden(*given, **options)
    for change in ({"seed": 3}, {"seed": 4}, {"learning_rate": 1e-4}, {"steps": 5}):
        config = dataclasses.replace(CONFIG, **change)
        train(tiny_model, shards, config, tmp_path / f"run-{change}", quiet=True)
    assert len(traced) == 1


def _figures(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# --- resume ---

_SCRIPT = """
import os, signal, sys
from tests.training.test_loop import CONFIG, make_model, train, open_shards
from gemma_ko_lib.tokenization import SentencePieceTokenizer
import gemma_ko_lib.training.loop as loop

folder, kill_at, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tokenizer = SentencePieceTokenizer(open(folder + "/tokenizer.model", "rb").read())
model = make_model("gemma1-mqa", tokenizer=tokenizer)
if when == "saving":
    save = loop.Checkpoints.save
    def save_and_die(self, step, *rest):
        save(self, step, *rest)  # returns while the files are still being written
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    loop.Checkpoints.save = save_and_die
else:
    check = loop.Watch.check
    def check_and_die(self, step, *rest):
        check(self, step, *rest)
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    loop.Watch.check = check_and_die
train(model, open_shards(folder + "/shards"), CONFIG, folder + "/killed", quiet=True)
"""


@pytest.mark.parametrize("kill_at, when", [(4, "saving"), (5, "between")])
def test_a_killed_run_ends_in_the_same_weights(
    kill_at, when, tiny_model, tiny_tokenizer, shards, tmp_path
):
    whole = train(tiny_model, shards, CONFIG, tmp_path / "whole", quiet=True)
    tiny_tokenizer.save(tmp_path / "tokenizer.model")
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_SCRIPT), str(tmp_path), str(kill_at), when],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    resumed = train(tiny_model, shards, CONFIG, tmp_path / "killed", resume=True, quiet=True)
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value, err_msg=name)
    steps = [line["step"] for line in _figures(tmp_path / "killed")]
    assert steps == list(range(1, CONFIG.steps + 1))


@pytest.mark.parametrize("damage", ["truncate", "zero"])
def test_a_torn_checkpoint_is_skipped_with_a_word(damage, tiny_model, shards, tmp_path, capsys):
    whole = train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    newest = max((tmp_path / "run" / "checkpoints").iterdir(), key=lambda p: int(p.name))
    largest = max((f for f in newest.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    content = largest.read_bytes()
    half = len(content) // 2
    largest.write_bytes(content[:half] + (bytes(half) if damage == "zero" else b""))
    resumed = train(tiny_model, shards, CONFIG, tmp_path / "run", resume=True, quiet=True)
    said = capsys.readouterr().err
    assert f"Passing over the checkpoint {newest}: state/" in said
    assert f"Resuming {tmp_path / 'run'} after update {int(newest.name) - 2}" in said
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value, err_msg=name)


# --- ways to stop ---


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_rows(shards, tmp_path):
    model = make_model("gemma2", tokenizer=None)
    model.params["final_normalization/scale"] = np.full(16, np.nan, "float32")
    with pytest.raises(UserError, match=r"The loss is nan at update 1. The batch is rows \d+, \d+"):
        train(model, shards, CONFIG, tmp_path / "run", quiet=True)
    assert not any((tmp_path / "run" / "checkpoints").glob("[0-9]*"))


def test_a_spike_stops_the_run():
    from gemma_ko_lib.training.run_log import Watch

    watch = Watch()
    for step in range(12):
        watch.check(step, {"loss": 4.0}, np.array([step]))
    with pytest.raises(UserError, match="jumped from 4.00 to 9.00 at update 12.*rows 7"):
        watch.check(12, {"loss": 9.0}, np.array([7]))


def test_a_loss_over_few_tokens_may_spread():
    from gemma_ko_lib.training.run_log import Watch

    watch = Watch()
    for step in range(12):
        watch.check(step, {"loss": 4.0, "tokens": 16}, np.array([step]))
    watch.check(12, {"loss": 8.0, "tokens": 16}, np.array([7]))
    with pytest.raises(UserError, match="jumped"):
        watch.check(13, {"loss": 12.0, "tokens": 16}, np.array([7]))


# --- meshes ---

_MESH_SCRIPT = """
import json
import numpy as np
from tests.training.test_loop import _batch, make_model, next_token_loss
from gemma_ko_lib import models
from gemma_ko_lib.training.loop import LoopConfig, _device_batch
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule

def begin(mesh):
    model = make_model("gemma2")
    update = Method().update(model.decoder, learning_rate_schedule(1e-2, 10, 0), mesh=mesh)
    return update, Method().begin(model.params, mesh)[0]

def losses(mesh):
    update, state = begin(mesh)
    found = []
    for step in range(3):
        batch = {k: v.reshape(8, 16) for k, v in _batch(8, 1, step).items()}
        state, figures = update(state, _device_batch(batch, LoopConfig(3, 8), mesh))
        found.append(float(figures["loss"]))
    return found

def temporaries(mesh):
    update, state = begin(mesh)
    whole = dict.fromkeys(("token_ids", "segment_ids", "targets"), "int32")
    kinds = {**whole, "loss_weights": "float32"}
    batch = {name: np.ones((8, 128), kind) for name, kind in kinds.items()}
    step = update.lower(state, _device_batch(batch, LoopConfig(3, 8), mesh), {}).compile()
    return step.memory_analysis().temp_size_in_bytes

eight, two_by_four = (models.make_mesh(*sizes) for sizes in ((8, 1), (2, 4)))
print(json.dumps({
    "losses": [losses(mesh) for mesh in (None, eight, two_by_four)],
    "temporaries": [temporaries(mesh) for mesh in (None, eight)],
}))
"""


@pytest.mark.slow  # test_distributed has the losses of eight devices, too
def test_eight_devices_have_the_losses_of_one_in_an_eighth_of_the_memory():
    found = on_eight_devices(_MESH_SCRIPT)
    one, *meshes = found["losses"]
    for losses in meshes:
        np.testing.assert_allclose(losses, one, rtol=1e-5)
    # Rows are dealt out: were they on every device, its activations would be no eighth.
    one, eighth = found["temporaries"]
    assert eighth < one / 7.5


def test_training_never_imports_tensorflow():
    code = (
        "import sys, gemma_ko_lib.training\n"
        "from tests.conftest import make_model\n"
        "make_model('gemma2')\n"
        "print({'keras_hub', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "{'keras_hub'}", done.stderr[-2000:]


def test_a_run_without_checkpoints_has_the_same_weights_and_figures(tiny_model, shards, tmp_path):
    kept = train(tiny_model, shards, CONFIG, tmp_path / "kept", quiet=True)
    config = dataclasses.replace(CONFIG, checkpoint_every=None)
    none = train(tiny_model, shards, config, tmp_path / "none", quiet=True)
    for name, value in kept.params.items():
        np.testing.assert_array_equal(none.params[name], value, err_msg=name)
    assert not list((tmp_path / "none").glob("checkpoints/*"))
    losses = [
        [json.loads(line).get("loss") for line in (tmp_path / run / "metrics.jsonl").open()]
        for run in ("kept", "none")
    ]
    assert losses[0] == losses[1]


# --- being stopped, and going on ---


def _tree(run: Path) -> dict:
    return {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def _signalled_at(monkeypatch, step: int, number: int) -> list:
    """Send this process a signal while an update is computed; what handles it afterwards."""
    from gemma_ko_lib.training.run_log import Watch

    check, handlers = Watch.check, []

    def check_and_signal(self, now, *rest):
        check(self, now, *rest)
        if now == step:
            signal.raise_signal(number)
            handlers.append(signal.getsignal(number))

    monkeypatch.setattr(Watch, "check", check_and_signal)
    return handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_of_the_update(
    number, tiny_model, shards, tmp_path, monkeypatch
):
    whole = train(tiny_model, shards, CONFIG, tmp_path / "whole", quiet=True)
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        handlers = _signalled_at(patch, 3, number)
        with pytest.raises(KeyboardInterrupt, match="stopped after update 3 of 6.*--resume") as e:
            train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    assert e.value.exit_code == 128 + number
    # A second one would have done what it did before, and so it does afterwards.
    assert handlers == [before] == [signal.getsignal(number)]
    assert (tmp_path / "run" / "checkpoints" / "3").is_dir()
    resumed = train(tiny_model, shards, CONFIG, tmp_path / "run", resume=True, quiet=True)
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value, err_msg=name)
    assert [line["step"] for line in _figures(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_in_another_thread_a_run_leaves_the_signals_alone(tiny_model, shards, tmp_path):
    import threading

    done = []

    def run():
        train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
        done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize("what", ["restoring", "compiling"])
def test_a_resume_that_fails_leaves_every_file_as_it_was(
    what, tiny_model, shards, tmp_path, monkeypatch
):
    whole = train(tiny_model, shards, CONFIG, tmp_path / "whole", quiet=True)
    with monkeypatch.context() as patch:
        _signalled_at(patch, 5, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    log = tmp_path / "run" / "metrics.jsonl"
    log.write_text(log.read_text() + '{"step": 6, "lo')  # as a kill may leave it
    before = _tree(tmp_path / "run")

    def fail(*args, **kwargs):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        if what == "restoring":
            import orbax.checkpoint as ocp

            patch.setattr(ocp.AsyncCheckpointer, "restore", fail)
        else:
            patch.setattr("gemma_ko_lib.training.loop._device_batch", fail)
        with pytest.raises((UserError, OSError), match="Input/output error"):
            train(tiny_model, shards, CONFIG, tmp_path / "run", resume=True, quiet=True)
    assert _tree(tmp_path / "run") == before
    resumed = train(tiny_model, shards, CONFIG, tmp_path / "run", resume=True, quiet=True)
    for name, value in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], value, err_msg=name)
    assert [line["step"] for line in _figures(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_other_data_under_the_same_path_is_refused(
    tiny_model, tiny_tokenizer, shards, tmp_path, monkeypatch
):
    _signalled_at(monkeypatch, 3, signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    write_shards(SENTENCES * 9, tiny_tokenizer, tmp_path / "shards", length=32)
    other = open_shards(tmp_path / "shards", tiny_tokenizer)
    before = _tree(tmp_path / "run")
    with pytest.raises(UserError, match=r"is of another run \(was → is\):\n  rows: "):
        train(tiny_model, other, CONFIG, tmp_path / "run", resume=True, quiet=True)
    assert _tree(tmp_path / "run") == before


def test_a_run_is_not_begun_over_another_and_does_not_shrink(tiny_model, shards, tmp_path):
    train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    before = _tree(tmp_path / "run")
    with pytest.raises(UserError, match="holds the checkpoints of a run: resume it"):
        train(tiny_model, shards, CONFIG, tmp_path / "run", quiet=True)
    less = dataclasses.replace(CONFIG, steps=4)
    with pytest.raises(UserError, match="checkpoint of update 6, and the run is to end at 4"):
        train(tiny_model, shards, less, tmp_path / "run", resume=True, quiet=True)
    assert _tree(tmp_path / "run") == before


def test_a_measured_figure_that_is_no_number_stops_the_run(tiny_model, shards, tmp_path):
    def evaluate(params, step):
        return {"held_out_loss": float("nan") if step else 1.0}

    with pytest.raises(UserError, match="held out loss is nan after update 6"):
        train(tiny_model, shards, CONFIG, tmp_path / "run", evaluate=evaluate, quiet=True)
    assert "NaN" not in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_weights_that_an_update_has_spoiled_are_in_no_checkpoint():
    from gemma_ko_lib.training.loop import _finite
    from gemma_ko_lib.training.run_log import Watch

    weights = {"scale": np.ones(4, "float32"), "kernel": np.array([1, np.inf], "float32")}
    with pytest.raises(UserError, match="weights kernel are not finite at update 3.*rows 8"):
        Watch().check_weights(3, _finite(weights), np.array([8]))


# --- float16 ---


def test_a_gradient_that_float16_cannot_hold_changes_nothing_and_halves_the_scale():
    def loss_sum(params, batch):
        return jnp.sum(params["w"] * batch["x"]), jnp.float32(1)

    optimizer = adamw(1e-2)
    update = make_update(loss_sum, optimizer)
    state = first_state({"w": jnp.ones(3)}, optimizer, "float16")
    before = jax.device_get(state)
    x = np.ones((1, 3), "float32")
    state, figures = update(state, {"x": np.inf * x})
    after = jax.device_get(state)
    assert after.step == 1 and figures["gradient_norm"] == 0
    assert (before.loss_scale.factor, after.loss_scale.factor) == (1, 0.5)
    for old, new in zip(
        *(jax.tree.leaves((s.params, s.optimizer)) for s in (before, after)), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    state, figures = update(state, {"x": x})
    assert figures["gradient_norm"] == pytest.approx(3**0.5)
    assert float(state.params["w"][0]) < 1 and state.loss_scale.good == 1


def test_a_scale_comes_back_after_many_good_updates():
    scale = LossScale.first().after(jnp.array(False))
    for _ in range(200):
        assert scale.factor == 0.5
        scale = scale.after(jnp.array(True))
    assert scale.factor == 1 and scale.good == 0
    for _ in range(200):
        scale = scale.after(jnp.array(True))
    assert scale.factor == 1


def test_a_run_with_float16_products_goes_as_in_float32_and_keeps_its_scale(
    tiny_model, shards, tmp_path
):
    train(tiny_model, shards, CONFIG, tmp_path / "exact", quiet=True)
    decoder = models.build_decoder(tiny_model.kind, tiny_model.config, "mixed_float16")
    narrow = dataclasses.replace(tiny_model, decoder=decoder)
    for steps in (6, 12):  # the second time from the checkpoint of update 6
        its = dataclasses.replace(CONFIG, steps=steps)
        train(narrow, shards, its, tmp_path / "run", resume=steps == 12, quiet=True)
    exact, near = _figures(tmp_path / "exact"), _figures(tmp_path / "run")
    assert {line["loss_scale"] for line in near} == {1.0} and "loss_scale" not in exact[0]
    losses = [[line["loss"] for line in run] for run in (exact, near[:6])]
    np.testing.assert_allclose(*losses, atol=0.02)
    assert losses[0] != losses[1]
