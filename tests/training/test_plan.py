"""What the plan promises is what training does, and its advice can be typed."""

import dataclasses
import itertools
import json
import shlex

import jax
import pytest

from gemma_ko_lib import runtime
from gemma_ko_lib.cli import _parser
from gemma_ko_lib.cli.training_commands import _method, _size
from gemma_ko_lib.models import CONFIGS, change_vocabulary, parameter_count
from gemma_ko_lib.models.configs import loadable_presets, shape_of
from gemma_ko_lib.models.decoder import build_decoder
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.tokenization import cut_to_texts
from gemma_ko_lib.training import (
    METHODS,
    Method,
    RunSize,
    finetune,
    plan,
    pretrain,
    step_compiler,
)
from gemma_ko_lib.training.memory import GIB, Estimate, mesh_of
from gemma_ko_lib.training.plan import DEVICES, device_name, fitting_batching, format_plan
from gemma_ko_lib.training.size import Batching
from gemma_ko_lib.training.step_compiler import Compiled, Step
from tests.conftest import TINY, make_model

ONE = Accelerator("cpu", "one device", 1, 2**40)


def _estimate(model: str, method: Method, machine: Accelerator) -> Estimate:
    decoder = build_decoder(*CONFIGS[model], method.dtype(machine))
    return Estimate(decoder, method, mesh_of(machine))


# --- the estimate ---


# Wide enough that activations, and not a few scalars, are what is compared.
@pytest.mark.parametrize(
    ("shape", "method", "rematerialise"),
    [
        ("gemma1-mqa", Method("full"), True),
        ("gemma2", Method("full"), False),
        ("gemma2", Method("lomo"), True),
        ("gemma3", Method("full"), True),
        ("gemma3", Method("lomo"), True),
    ],
)
def test_the_estimate_is_near_what_xla_allocates(shape, method, rematerialise, monkeypatch):
    kind, config = TINY[shape]
    wide = {"vocabulary_size": 2048, "hidden_dim": 128, "intermediate_dim": 512, "head_dim": 32}
    monkeypatch.setitem(CONFIGS, "nano", (kind, {**config, **wide}))
    batching = Batching(2, 128, 2, rematerialise)
    said = step_compiler.compile_on(jax.devices(), Step("nano", method, "float32", batching))
    need = _estimate("nano", method, ONE).need(batching)
    batch_bytes = 2 * 128 * 4 * 4
    assert said.arguments - batch_bytes == pytest.approx(
        need.kept["weights"] + need.kept["optimizer"], abs=64
    )
    assert 1 / 1.5 < need.total / (said.arguments + said.temporaries) < 1.5


def test_full_training_takes_what_the_course_says():
    # Notebook 00: 16 bytes a parameter with float32 master weights, split over the devices.
    for device in ("a100-80", "v5e-8"):
        need = _estimate("gemma2_2b_en", Method("full"), DEVICES[device]).need(Batching(8, 2048, 8))
        total = sum(need.kept[kind] for kind in ("weights", "optimizer", "gradients"))
        expected = 16 * parameter_count("gemma2_2b_en") / DEVICES[device].count
        assert total == pytest.approx(expected, rel=1e-3)


def test_each_method_keeps_less_than_the_one_before():
    machine = DEVICES["v5e-1"]
    methods = [Method("full"), Method("lora"), Method("lora", base="int8"), Method("lomo")]
    kept = [sum(_estimate("gemma2_2b_en", m, machine).fixed.values()) for m in methods]
    full, lora, quantised, lomo = kept
    assert full > 3 * lora and quantised < 0.8 * lora
    assert lomo == 2 * parameter_count("gemma2_2b_en")
    adalomo = sum(_estimate("gemma2_2b_en", Method("adalomo"), machine).fixed.values())
    assert lomo < adalomo < 1.01 * lomo


def test_every_setting_of_a_method_is_counted():
    plain = _estimate("gemma3_270m", Method("lora", rank=8), ONE).fixed
    wide = _estimate("gemma3_270m", Method("lora", rank=16), ONE).fixed
    assert wide["optimizer"] == pytest.approx(2 * plain["optimizer"], rel=0.01)
    few = _estimate("gemma3_270m", Method("lora", rank=8, targets=("query",)), ONE).fixed
    assert few["optimizer"] < plain["optimizer"] / 4
    taught = _estimate("gemma3_270m", Method("lora", rank=8, embedding_rate=0.1), ONE).fixed
    embedding = 262_144 * 640 * 4
    assert taught["optimizer"] - plain["optimizer"] == 2 * embedding


def test_more_tokens_and_micro_batches_never_need_less():
    estimate = _estimate("gemma3_270m", Method("full"), DEVICES["t4"])
    sizes = [(1, 128), (1, 256), (2, 256), (2, 2048), (8, 2048)]
    totals = [estimate.need(Batching(rows, length, rows)).total for rows, length in sizes]
    assert totals == sorted(totals)
    plain = Batching(2, 2048, 2)
    for more in ({"update_rows": 8}, {"rematerialise": False}):
        assert estimate.need(dataclasses.replace(plain, **more)).total > estimate.need(plain).total


def test_a_t4_multiplies_in_float16_and_the_plan_counts_both_formats():
    dtypes = {name: plan.plan("gemma3_270m", "t4", Method(name)).dtype for name in METHODS}
    assert dtypes == dict.fromkeys(METHODS, "mixed_float16") | dict.fromkeys(
        ("lora", "olora"), "float16"
    )
    kind, config = shape_of("gemma3_270m")
    exact, narrow, frozen = (
        Estimate(build_decoder(kind, config, dtype), method, mesh_of(DEVICES["t4"]))
        for dtype, method in (
            ("float32", Method()),
            ("mixed_float16", Method()),
            ("float16", Method("lora")),
        )
    )
    batching = Batching(4, 512, 4)
    assert sum(narrow.fixed.values()) == sum(exact.fixed.values())
    more, less = ("one block", "loss")
    assert narrow.need(batching).passing[more] > exact.need(batching).passing[more]
    assert narrow.need(batching).passing[less] < 1.1 * exact.need(batching).passing[less]
    assert frozen.fixed["weights"] < 0.6 * exact.fixed["weights"]


# --- what is planned is what is done ---


def _typed(command: str) -> tuple[Method, RunSize]:
    """What the command line makes of a command that was advised."""
    arguments = _parser().parse_args(command.split()[1:])
    return _method(arguments), _size(arguments)


@pytest.mark.parametrize("device", DEVICES)
def test_every_advice_can_be_typed_and_is_accepted(device):
    models = [name for name in CONFIGS if name != "nano"]
    for model, name in itertools.product(models, METHODS):
        found = plan.plan(model, device, Method(name))
        advised = found if found.fits else found.instead
        if advised is None:
            continue  # no method fits, and it says so
        method, size = _typed(advised.command)
        again = plan.plan(model, device, method, size)
        assert again.fits and again.batching == advised.batching, advised.command


def test_a_trainer_cuts_an_update_as_the_plan_says():
    machine = DEVICES["t4"]
    for method in (Method("full"), Method("lora", base="int8"), Method("lomo")):
        found = plan.plan("gemma3_270m", "t4", method, RunSize(update_tokens=8192, length=512))
        kind, config = shape_of("gemma3_270m")
        decoder = build_decoder(kind, config, found.dtype)
        model = dataclasses.replace(make_model("gemma2"), kind=kind, config=config, decoder=decoder)
        assert fitting_batching(model, method, found.size, machine) == found.batching


def test_an_update_is_the_same_on_every_device():
    size = RunSize(update_tokens=65_536)
    rows = {plan.plan("gemma3_270m", d, size=size).batching.update_rows for d in DEVICES}
    assert rows == {32}


def test_a_cpu_computes_blocks_twice_only_where_memory_asks_for_it():
    model, size = make_model("gemma2"), RunSize(update_tokens=4096, length=1024)
    assert not fitting_batching(model, Method(), size, ONE).rematerialise
    kept = Estimate(model.decoder, Method(), mesh_of(ONE)).need(Batching(4, 1024, 4)).total
    small = dataclasses.replace(ONE, memory_bytes=kept)
    assert fitting_batching(model, Method(), size, small).rematerialise
    assert all(plan.plan("gemma3_270m", d).batching.rematerialise for d in ("t4", "h200"))


def test_rows_are_the_most_that_fit():
    found = plan.plan("gemma3_270m", "t4")
    estimate = _estimate("gemma3_270m", Method(), DEVICES["t4"])
    twice = dataclasses.replace(found.batching, rows=2 * found.batching.rows)
    assert found.need.total <= DEVICES["t4"].memory_bytes < estimate.need(twice).total


def test_the_nearest_that_fits_is_the_same_method_first_then_another():
    nearest = plan.plan("gemma2_2b_en", "t4", Method("lomo")).instead
    assert nearest.method == Method("lomo") and nearest.size.length is None
    assert plan.plan("gemma2_2b_en", "l4").instead.method == Method("lora")
    assert plan.plan("gemma2_27b_en", "t4").instead is None


# --- before training starts ---


def test_what_does_not_fit_is_refused_with_what_does():
    model = make_model("gemma2")
    size = RunSize(rows=64, update_tokens=64 * 4096, length=4096)
    kept = Batching(64, 4096, 64)  # rematerialised
    need = Estimate(model.decoder, Method(), mesh_of(ONE)).need(kept).total
    machine = dataclasses.replace(ONE, memory_bytes=need)
    assert fitting_batching(model, Method(), size, machine) == kept
    machine = dataclasses.replace(ONE, memory_bytes=need - 1)
    with pytest.raises(UserError, match="What fits: gemma-ko pretrain --model gemma2") as refusal:
        fitting_batching(model, Method(), size, machine)
    assert "one device has" in str(refusal.value) and "weights" in str(refusal.value)
    _, typed = _typed(str(refusal.value).partition("What fits: ")[2])
    assert fitting_batching(model, Method(), typed, machine).rows < 64


def test_pretrain_refuses_before_it_touches_anything(tmp_path, monkeypatch):
    small = Accelerator("gpu", "Small GPU", 1, 2**20)
    monkeypatch.setattr(runtime, "accelerator", lambda: small)
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match="Small GPU has 0.0") as refusal:
        pretrain("nano", tmp_path / "data", tmp_path / "run")
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" in str(refusal.value)
    assert not (tmp_path / "run").exists()


def test_finetune_is_told_what_to_type_for_itself(tmp_path, monkeypatch):
    small = Accelerator("gpu", "Small GPU", 1, 2**27)
    monkeypatch.setattr(runtime, "accelerator", lambda: small)
    talks = ({"prompt": f"{n}?", "response": str(n)} for n in range(40))
    (tmp_path / "talks.jsonl").write_text("\n".join(map(json.dumps, talks)))
    size = RunSize(rows=64, update_tokens=64 * 4096, length=4096)
    with pytest.raises(UserError, match="What fits: gemma-ko finetune --model nano --data DATA"):
        finetune("nano", tmp_path / "talks.jsonl", tmp_path / "run", size=size)


def test_rows_that_the_devices_cannot_share_are_refused():
    with pytest.raises(UserError, match="give a multiple of 8"):
        plan.plan("gemma2_2b", "v5e-8", size=RunSize(rows=4))


def test_lomo_cannot_come_in_parts():
    with pytest.raises(UserError, match="give --update-tokens 4096, or leave --rows out"):
        plan.plan("gemma3_270m", "t4", Method("lomo"), RunSize(rows=2))


# --- names ---


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gemma2_2b", "gemma2_2b_en"),
        ("google/gemma-2-2b", "gemma2_2b_en"),
        ("google/gemma-2-9b-it", "gemma2_instruct_9b_en"),
        ("gemma-3-270m-it", "gemma3_instruct_270m"),
        ("google/gemma-3-4b-pt", "gemma3_4b_text"),
        ("gemma-1.1-2b-it", "gemma_1.1_instruct_2b_en"),
        ("Gemma-7B", "gemma_7b_en"),
    ],
)
def test_a_model_is_known_by_how_people_write_it(written, name):
    assert plan.plan(written, "a100-80", Method("lora")).model == name


def test_every_preset_that_loads_has_the_shape_of_its_base():
    presets = loadable_presets()
    assert len(presets) > 30
    for preset, base in presets.items():
        assert shape_of(preset) == CONFIGS[base]


@pytest.mark.parametrize(
    ("written", "name"),
    [("T4", "t4"), ("RTX 4090", "rtx4090"), ("v5litepod-8", "v5e-8"), ("A100-80GB", "a100-80")],
)
def test_a_device_is_known_by_how_people_write_it(written, name):
    assert device_name(written) == name


@pytest.mark.parametrize(
    ("model", "device", "message"),
    [
        ("gemma5_9b", "v5e-8", "Did you mean gemma.*There are: .*gemma2_9b_en"),
        ("gemma2_9b", "v9", "Known: .*v5e-8"),
        ("gemma2_9b", "a100", "Did you mean a100-40 or a100-80"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(model, device, message):
    with pytest.raises(UserError, match=message):
        plan.plan(model, device)


@pytest.mark.parametrize("error", [ValueError("no such shape"), TypeError("no epsilon")])
def test_a_shape_that_cannot_be_built_ends_in_a_sentence(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("gemma_ko_lib.models.decoder.build_backbone", fail)
    with pytest.raises(UserError, match=f"No GemmaBackbone can be built .*{error}"):
        build_decoder("GemmaBackbone", {"num_layers": 10**9}, "float32")


# --- compilers ---


def test_without_the_tpu_compiler_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(step_compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gemma-ko\[tpu\]'"):
        plan.plan("gemma3_270m", "v5e-1", compiled=True)


@pytest.mark.parametrize(
    ("device", "here", "count", "asked"),
    [
        ("t4", "Tesla T4", 1, True),
        ("p100", "Tesla P100-PCIE-16GB", 1, True),
        ("a100-40", "NVIDIA A100-SXM4-40GB", 1, True),
        ("a100-80", "NVIDIA A100 80GB PCIe", 1, True),
        ("h100", "NVIDIA H100 80GB HBM3", 1, True),
        ("rtx4090", "NVIDIA GeForce RTX 4090", 1, True),
        ("here", "NVIDIA H100 PCIe", 2, True),
        ("h100", "Tesla T4", 1, False),
        ("a100-80", "NVIDIA A100-SXM4-40GB", 1, False),
        ("t4", "Tesla T4", 2, False),
        ("v3-8", "Tesla T4", 8, False),
    ],
)
def test_a_gpu_is_measured_for_itself_only(device, here, count, asked, monkeypatch):
    machine = Accelerator("gpu", here, count, 16 * GIB)
    monkeypatch.setattr(runtime, "accelerator", lambda: machine)
    said = Compiled(here, GIB, GIB, None, 1.0)
    monkeypatch.setattr(step_compiler, "compile_on", lambda *_, **__: said)
    if asked:
        assert plan.plan("gemma3_270m", device, compiled=True).compiled == said
        return
    with pytest.raises(UserError, match=f"cannot be measured on {count} × {here}.*device here"):
        plan.plan("gemma3_270m", device, compiled=True)


def test_the_compilers_refusal_is_passed_on_in_its_words(monkeypatch):
    words = "Ran out of memory in memory space hbm. Used 17.02G of 15.75G hbm."

    def refuse(*_):
        raise jax.errors.JaxRuntimeError(f"RESOURCE_EXHAUSTED: XLA:TPU compile failed. {words}\n…")

    monkeypatch.setattr(jax.stages.Lowered, "compile", refuse)
    step = Step("nano", Method("lomo"), "float32", Batching(1, 16, 1))
    said = step_compiler.compile_on(jax.devices(), step)
    assert said.refusal == words
    monkeypatch.setattr(step_compiler, "compile_for_tpu", lambda *_: said)
    found = plan.plan("gemma3_270m", "v5e-1", compiled=True)
    assert not found.fits and words in format_plan(found)
    # The estimate had said that it fits: what the compiler refused is no advice.
    method, size = _typed(found.instead.command)
    again = plan.plan("gemma3_270m", "v5e-1", method, size)
    assert again.batching == found.instead.batching and again.need.total < found.need.total


def test_the_plan_shows_each_kind_of_bytes_the_verdict_and_the_command():
    text = format_plan(plan.plan("gemma2_2b", "v5e-8"))
    for word in ("weights", "optimizer", "gradients", "loss", "It fits: gemma-ko pretrain"):
        assert word in text
    assert "No method" in format_plan(plan.plan("gemma2_27b", "t4"))


def test_a_measured_peak_counts_before_the_compilers_sum():
    said = Compiled("GPU", GIB, GIB, None, 1.0)
    assert said.peak == 2 * GIB
    assert dataclasses.replace(said, measured=3 * GIB).peak == 3 * GIB


# --- a cut vocabulary ---


def test_a_cut_vocabulary_is_planned_like_any_shape():
    whole, cut = (
        plan.plan(name, "v5e-8", Method("full")) for name in ("gemma2_2b", "gemma2_2b:32k")
    )
    assert (cut.model, whole.model) == ("gemma2_2b_en:32768", "gemma2_2b_en")
    assert cut.need.total < whole.need.total
    first, then = cut.command.split(" && ")
    assert first == (
        "gemma-ko vocabulary --model gemma2_2b_en --keep-from DOCS --pieces 32768 -o CUT"
    )
    assert then == whole.command.replace("gemma2_2b_en", "CUT")
    for command in (first, then):
        _parser().parse_args(command.split()[1:])


def test_a_folder_with_a_cut_vocabulary_is_planned_as_it_is(tmp_path, tiny_tokenizer):
    model = make_model("gemma2", tokenizer=tiny_tokenizer)
    change_vocabulary(model, cut_to_texts(tiny_tokenizer, ["a b"], 270)).save(tmp_path / "cut")
    found = plan.plan(str(tmp_path / "cut"), "t4")
    assert found.fits and str(tmp_path / "cut") in found.command and "CUT" not in found.command


def test_a_name_with_a_dot_or_a_folder_with_a_space_can_be_typed(tmp_path, tiny_tokenizer):
    first, _ = plan.plan("gemma-1.1-2b-it:32k", "h100").command.split(" && ")
    assert first.startswith("gemma-ko vocabulary --model gemma_1.1_instruct_2b_en --keep-from")
    folder = tmp_path / "내 모델; echo"
    make_model("gemma2", tokenizer=tiny_tokenizer).save(folder)
    words = shlex.split(plan.plan(str(folder), "t4").command)
    assert _parser().parse_args(words[1:]).model == str(folder)


@pytest.mark.parametrize("name", ["gemma2_2b:", "gemma2_2b:many", "gemma2_2b:0", "gemma2_2b:300k"])
def test_a_cut_that_is_no_number_of_pieces_is_refused(name):
    with pytest.raises(UserError, match="gemma2_2b_en:32k, at most 256,000"):
        plan.plan(name, "t4")


@pytest.mark.parametrize("compiled", [False, True])
def test_a_device_that_does_not_tell_its_memory_is_planned_for(compiled, monkeypatch):
    machine = Accelerator("gpu", "a GPU without figures", 1, None)
    said = Compiled("GPU", GIB, GIB, None, 1.0)
    monkeypatch.setattr(runtime, "accelerator", lambda: machine)
    monkeypatch.setattr(step_compiler, "measure_here", lambda *_: said)
    found = plan.plan("gemma3_270m", "here", compiled=compiled)
    assert found.fits and found.batching.rows == found.batching.update_rows
    text = format_plan(found)
    assert "1 × a GPU without figures, memory not told" in text
    verdict = "It fits" if compiled else "Whether it fits is not known"
    assert text.endswith(f"\n{verdict}: {found.command}")


def test_here_is_the_device_that_is_computed_on():
    found = plan.plan("gemma3_270m", "here", size=RunSize(update_tokens=512, length=256))
    assert found.machine == plan.this_machine()
