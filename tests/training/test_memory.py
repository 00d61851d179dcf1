"""What the estimates promise: exact where they count, near the compiler where they estimate."""

import dataclasses

import jax
import pytest

from gemma_ko_lib import runtime
from gemma_ko_lib.models import CONFIGS, parameter_count
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.training import memory, pretrain, step_compiler
from gemma_ko_lib.training.fit import fit, format_answer
from gemma_ko_lib.training.memory import DEVICES, GIB, Estimate
from gemma_ko_lib.training.methods import METHODS, Setting
from gemma_ko_lib.training.step_compiler import Compiled, Step
from tests.conftest import TINY, make_model

ONE = Accelerator("cpu", "one device", 1, 2**40)


def _estimate(model: str, method: str, machine: Accelerator) -> Estimate:
    decoder = memory.abstract_decoder(CONFIGS[model], memory.dtype_policy(method, machine))
    return Estimate(decoder, method, memory.mesh_of(machine))


# Wide enough that activations, and not a few scalars, are what is compared.
@pytest.mark.parametrize(("shape", "method"), [("gemma1-mqa", "full"), ("gemma2", "lomo")])
def test_the_estimate_is_near_what_xla_allocates(shape, method, monkeypatch):
    kind, config = TINY[shape]
    wide = {"vocabulary_size": 2048, "hidden_dim": 128, "intermediate_dim": 512, "head_dim": 32}
    monkeypatch.setitem(CONFIGS, "wide", (kind, {**config, **wide}))
    rows, length = 2, 128
    said = step_compiler.compile_on(jax.devices(), Step("wide", method, "float32", rows, length))
    need = _estimate("wide", method, ONE).need(Setting(method, rows, length))
    batch_bytes = rows * length * 4 * 4
    assert said.arguments - batch_bytes == pytest.approx(
        need.kept["weights"] + need.kept["optimizer"], abs=64
    )
    assert 1 / 1.5 < need.total / (said.arguments + said.temporaries) < 1.5


def test_full_training_takes_what_the_course_says():
    # Notebook 00: 16 bytes a parameter with float32 master weights, split over the devices.
    for device in ("a100-80", "v5e-8"):
        need = _estimate("gemma2_2b_en", "full", DEVICES[device]).need(Setting("full", 8, 2048))
        total = sum(need.kept[kind] for kind in ("weights", "optimizer", "gradients"))
        expected = 16 * parameter_count("gemma2_2b_en") / DEVICES[device].count
        assert total == pytest.approx(expected, rel=1e-3)


def test_each_method_keeps_less_than_the_one_before():
    machine = DEVICES["v5e-1"]
    kept = {m: sum(_estimate("gemma2_2b_en", m, machine).fixed.values()) for m in METHODS}
    assert kept["full"] > 3 * kept["lora"] > 3 * kept["lomo"] / 1.1
    weights = 2 * parameter_count("gemma2_2b_en")
    assert kept["lomo"] == weights
    assert weights < kept["adalomo"] < 1.01 * weights


def test_more_tokens_and_micro_batches_never_need_less():
    estimate = _estimate("gemma3_270m", "full", DEVICES["t4"])
    sizes = [(1, 128), (1, 256), (2, 256), (2, 2048), (8, 2048)]
    totals = [estimate.need(Setting("full", *size)).total for size in sizes]
    assert totals == sorted(totals)
    plain = Setting("full", 2, 2048)
    for more in ({"accumulation": 4}, {"rematerialise": False}):
        assert estimate.need(dataclasses.replace(plain, **more)).total > estimate.need(plain).total


def test_the_search_ends_at_the_edge():
    machine = DEVICES["t4"]
    estimate = _estimate("gemma3_270m", "full", machine)
    found = memory.largest(estimate, machine)
    twice = dataclasses.replace(found, rows=2 * found.rows)
    assert estimate.need(found).total <= machine.memory_bytes < estimate.need(twice).total
    assert memory.largest(_estimate("gemma2_9b_en", "full", machine), machine) is None


def test_the_nearest_setting_is_the_same_method_first_then_another():
    shape = CONFIGS["gemma3_270m"]
    nearest = memory.nearest(shape, Setting("full", 64, 2048), DEVICES["t4"])
    assert (nearest.method, nearest.length) == ("full", 2048) and nearest.rows < 64
    nearest = memory.nearest(CONFIGS["gemma2_2b_en"], Setting("full", 8, 2048), DEVICES["l4"])
    assert nearest.method != "full"


# --- before training starts ---


def test_what_does_not_fit_is_refused_with_what_does():
    model = make_model("gemma2")
    wanted = Setting("full", rows=64, length=4096, rematerialise=False)
    need = Estimate(model.decoder, "full", memory.mesh_of(ONE)).need(wanted)
    machine = dataclasses.replace(ONE, memory_bytes=need.total)
    memory.check_fits(model, wanted, machine=machine)
    machine = dataclasses.replace(ONE, memory_bytes=need.total - 1)
    instead = memory.nearest((model.kind, model.config), wanted, machine)
    with pytest.raises(UserError, match=f"What fits: {instead}") as refusal:
        memory.check_fits(model, wanted, machine=machine)
    assert "one device has" in str(refusal.value) and "weights" in str(refusal.value)
    memory.check_fits(model, instead, machine=machine)


def test_pretrain_refuses_before_it_touches_anything(tmp_path, monkeypatch):
    small = Accelerator("gpu", "Small GPU", 1, 2**20)
    monkeypatch.setattr(runtime, "accelerator", lambda: small)
    with pytest.raises(UserError, match="Small GPU has 0.0") as refusal:
        pretrain("nano", tmp_path / "data", tmp_path / "run", profile="smoke")
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" in str(refusal.value)
    assert not (tmp_path / "run").exists()


# --- gemma-ko fit ---


def test_fit_shows_each_kind_of_bytes_and_the_verdict():
    text = format_answer(fit("gemma2_2b", "v5e-8", rows=8, length=2048))
    for word in ("weights", "optimizer", "gradients", "block inputs", "loss", "It fits."):
        assert word in text
    answer = fit("gemma2_27b", "t4", rows=1, length=2048)
    assert not answer.fits and answer.nearest is None
    assert "No method" in format_answer(answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gemma5_9b", "v5e-8"), "Known: .*gemma2_9b_en"),
        (("gemma2_9b", "v9"), "Known: .*v5e-8"),
        (("gemma2_9b", "v5e-8", "sgd"), "Known: full, lora"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(arguments, message):
    with pytest.raises(UserError, match=message):
        fit(*arguments)


def test_rows_that_the_devices_cannot_share_are_refused():
    with pytest.raises(UserError, match="multiple of the 8 devices"):
        fit("gemma2_2b", "v5e-8", rows=4)


def test_without_the_tpu_compiler_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(step_compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gemma-ko\[tpu-plan\]'"):
        fit("gemma3_270m", "v5e-1", rows=1, compiled=True)


def test_the_compilers_refusal_is_passed_on_in_its_words(monkeypatch):
    words = "Ran out of memory in memory space hbm. Used 17.02G of 15.75G hbm."

    def refuse(*_):
        raise jax.errors.JaxRuntimeError(f"RESOURCE_EXHAUSTED: XLA:TPU compile failed. {words}\n…")

    monkeypatch.setattr(jax.stages.Lowered, "compile", refuse)
    said = step_compiler.compile_on(jax.devices(), Step("nano", "lomo", "float32", 1, 16))
    assert said.refusal == words
    monkeypatch.setattr(step_compiler, "compile_for_tpu", lambda *_: said)
    answer = fit("gemma3_270m", "v5e-1", rows=1, compiled=True)
    assert not answer.fits and words in format_answer(answer)


def test_a_measured_peak_counts_before_the_compilers_sum():
    said = Compiled("GPU", GIB, GIB, None, 1.0)
    assert said.peak == 2 * GIB
    assert dataclasses.replace(said, measured=3 * GIB).peak == 3 * GIB
