"""Adapters are kept by name as PEFT keeps them, and OLoRA's come back without a doubled rank."""

import json

import jax
import numpy as np
import pytest
import safetensors.numpy

from gemma_ko_lib.models import peft_files
from gemma_ko_lib.models.adapters import Lora, add_adapters
from gemma_ko_lib.models.peft_files import as_plain_lora, load_adapters, save_adapters
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model

TOKENS = np.random.default_rng(0).integers(3, 300, (2, 9)).astype("int32")
SEGMENTS = np.ones_like(TOKENS)


def _trained(model, lora: Lora):
    frozen, adapters = add_adapters(model.params, lora)
    generator = np.random.default_rng(1)
    return frozen, {
        name: np.asarray(w) + generator.normal(0, 0.1, w.shape).astype("float32")
        for name, w in adapters.items()
    }


def _file(folder):
    return safetensors.numpy.load_file(folder / "adapter_model.safetensors")


def test_names_and_shapes_are_pefts(tmp_path):
    model = make_model("gemma3")
    lora = Lora(rank=2, alpha=4, targets=("query", "attention_output", "ffw_gating"))
    _, adapters = _trained(model, lora)
    save_adapters(tmp_path, adapters, lora, "google/gemma-3-270m")
    tensors = _file(tmp_path)
    layers, d_model, heads, ffn = 8, 16, 32, 32
    widths = {
        "self_attn.q_proj": (d_model, heads),
        "self_attn.o_proj": (heads, d_model),
        "mlp.gate_proj": (d_model, ffn),
    }
    expected = {}
    for layer in range(layers):
        for module, (rows, columns) in widths.items():
            name = f"base_model.model.model.layers.{layer}.{module}"
            expected[f"{name}.lora_A.weight"] = (2, rows)
            expected[f"{name}.lora_B.weight"] = (columns, 2)
    assert {name: t.shape for name, t in tensors.items()} == expected
    last = tensors["base_model.model.model.layers.7.mlp.gate_proj.lora_A.weight"]
    np.testing.assert_array_equal(last.T, adapters["blocks/ffw_gating/lora_a"][7])
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 2, 4)
    assert config["target_modules"] == ["q_proj", "o_proj", "gate_proj"]
    assert config["base_model_name_or_path"] == "google/gemma-3-270m"


@pytest.mark.parametrize(("shape", "olora"), (("gemma2", True), ("gemma3", False)))
def test_stored_adapters_on_the_untouched_base_are_the_trained_function(shape, olora, tmp_path):
    model = make_model(shape)
    lora = Lora(rank=2, alpha=4, olora=olora)
    frozen, adapters = _trained(model, lora)
    save_adapters(tmp_path, adapters, lora)
    again, loaded, its_lora = load_adapters(tmp_path, model.params)
    assert its_lora == lora
    assert {min(t.shape) for t in _file(tmp_path).values()} == {2}
    assert again.keys() == frozen.keys()
    for name in frozen:
        np.testing.assert_array_equal(again[name], frozen[name], err_msg=name)
    for name in adapters:
        np.testing.assert_array_equal(loaded[name], adapters[name], err_msg=name)


def test_olora_for_other_tools_is_plain_lora_of_twice_the_rank():
    model = make_model("gemma2")
    lora = Lora(rank=2, alpha=4, olora=True)
    frozen, adapters = _trained(model, lora)
    plain, plain_lora = as_plain_lora(model.params, adapters, lora)
    untouched, _ = add_adapters(model.params, plain_lora)
    assert (plain_lora.rank, plain_lora.scale, plain_lora.olora) == (4, lora.scale, False)
    logits = jax.jit(model.decoder.logits)
    expected = logits({**frozen, **adapters}, TOKENS, SEGMENTS)
    found = logits({**untouched, **plain}, TOKENS, SEGMENTS)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied", "a/adapter_config.json"),
            "Cannot read .*config",
        ),
        (OSError(5, "Input/output error"), "Cannot read .*adapter_model.*: Input/output error"),
        (TypeError("data type 'F8' not understood"), "damaged file .*F8"),
    ],
)
def test_files_that_cannot_be_read_are_named(error, message, tmp_path, monkeypatch):
    def fail(path):
        raise error

    monkeypatch.setattr(peft_files.runtime, "read_json_object", fail)
    with pytest.raises(UserError, match=message):
        load_adapters(tmp_path, {})


def test_files_that_do_not_fit_are_refused_by_name(tmp_path):
    model, lora = make_model("gemma2"), Lora(rank=2, alpha=4)
    save_adapters(tmp_path, _trained(model, lora)[1], lora)
    with pytest.raises(UserError, match="not of this model.*layers"):
        load_adapters(tmp_path, make_model("gemma3").params)

    config = tmp_path / "adapter_config.json"
    settings = json.loads(config.read_text())
    for key, value, message in (
        ("r", 3, "rank 3 need"),
        ("use_dora", True, "use_dora is True"),
        ("init_lora_weights", "pissa", "pissa"),
        ("lora_alpha", None, "must be numbers"),
        ("lora_alpha", float("inf"), "lora_alpha is inf"),
        ("r", float("inf"), "must be numbers"),
        ("r", -1, "at least 1"),
    ):
        config.write_text(json.dumps({**settings, key: value}))
        with pytest.raises(UserError, match=message):
            load_adapters(tmp_path, model.params)
    config.write_text(json.dumps(settings))

    weights = tmp_path / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + np.float32("nan").tobytes())
    with pytest.raises(UserError, match="is not all finite numbers"):
        load_adapters(tmp_path, model.params)
    for content in ("[]", "null", "[" * 100_000):
        config.write_text(content)
        with pytest.raises(UserError, match="damaged"):
            load_adapters(tmp_path, model.params)
    config.write_text(json.dumps(settings))
    weights.write_bytes(whole[:-100])
    with pytest.raises(UserError, match="damaged"):
        load_adapters(tmp_path, model.params)
    weights.unlink()
    with pytest.raises(UserError, match="adapter_model.safetensors is missing"):
        load_adapters(tmp_path, model.params)
