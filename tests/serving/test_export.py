"""What leaves for other programs is what this library computes, and comes back the same."""

import errno
import json
import subprocess
import sys
from types import SimpleNamespace

import gguf
import jax
import numpy as np
import pytest

from gemma_ko_lib import models, serving
from gemma_ko_lib.cli import main
from gemma_ko_lib.models import layouts
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import folders
from gemma_ko_lib.tokenization import expand_vocabulary, load_tokenizer
from tests.conftest import SENTENCES, TINY, make_model
from tests.peers import cases

SHAPES = list(TINY)


@pytest.fixture(params=SHAPES)
def model(request, tiny_tokenizer):
    return make_model(request.param, tokenizer=tiny_tokenizer)


def assert_same(model, found):
    assert found.kind == model.kind
    assert found.params.keys() == model.params.keys()
    for name, value in model.params.items():
        np.testing.assert_array_equal(found.params[name], value, err_msg=name)


def test_a_transformers_folder_comes_back_exactly(model, tmp_path):
    folder = serving.export_transformers(model, tmp_path / "hf", shard_bytes=10_000)
    assert (folder / "model.safetensors.index.json").is_file()
    found = models.load(folder, "float32")
    assert_same(model, found)
    assert found.tokenizer.proto == model.tokenizer.proto
    number = layouts.generation(model.kind, model.config, "it")
    assert layouts.generation(found.kind, found.config, "it") == number
    for key, value in model.config.items():
        assert found.config[key] == value, key


def test_bfloat16_stays_bfloat16(tmp_path, tiny_tokenizer):
    small = make_model("gemma1-mqa", tokenizer=tiny_tokenizer)
    weights = {n: w.astype("bfloat16") for n, w in models.unstack(small.params).items()}
    parts = (small.kind, small.config, weights, tiny_tokenizer)
    model = models.assemble("small", *parts, dtype="bfloat16")
    model.save(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "hf")]) == 0
    assert json.loads((tmp_path / "hf/config.json").read_text())["dtype"] == "bfloat16"
    assert_same(model, models.load(tmp_path / "hf", "bfloat16"))
    assert_same(model, models.load(serving.export_gguf(model, tmp_path / "a.gguf"), "bfloat16"))


def test_both_tokenizers_of_a_folder_give_the_same_ids(tiny_model, tmp_path):
    folder = serving.export_transformers(tiny_model, tmp_path / "hf")
    ours, theirs = (load_tokenizer(folder / f"tokenizer.{end}") for end in ("model", "json"))
    assert ours.encode(SENTENCES) == theirs.encode(SENTENCES)


def test_a_gguf_comes_back_and_computes_the_same(model, tmp_path):
    path = serving.export_gguf(model, tmp_path / "tiny.gguf")
    found = models.load(path, "float32")
    assert found.tokenizer.vocabulary == model.tokenizer.vocabulary
    for name, value in model.params.items():
        if not name.endswith("scale"):
            np.testing.assert_array_equal(found.params[name], value, err_msg=name)
        else:  # a GGUF keeps 1 + scale, which is what the model multiplies by
            np.testing.assert_array_equal(1 + found.params[name], 1 + value, err_msg=name)
    for key in ("use_post_ffw_norm", "final_logit_soft_cap", "intermediate_dim", "head_dim"):
        assert found.config.get(key) == model.config.get(key), key


def test_a_gguf_has_every_row_of_an_expanded_vocabulary(tiny_tokenizer, tmp_path):
    tokenizer = expand_vocabulary(tiny_tokenizer, ["도서", "도서관"])
    model = models.change_vocabulary(make_model("gemma3", tokenizer=tiny_tokenizer), tokenizer)
    path = serving.export_gguf(model, tmp_path / "more.gguf", "q8_0")
    reader = gguf.GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert tokens == tokenizer.vocabulary
    embedding = next(t for t in reader.tensors if t.name == "token_embd.weight")
    assert embedding.shape[1] == len(tokens)


@pytest.mark.parametrize("shape", ["gemma1-mqa", "gemma2", "gemma3"])
@pytest.mark.parametrize("format", ["hf", "gguf"])
def test_a_cut_model_comes_back_and_computes_the_same(shape, format, tiny_tokenizer, tmp_path):
    model = cases.cut(cases.base(shape, tiny_tokenizer))
    if format == "hf":
        path = serving.export_transformers(model, tmp_path / "hf")
        settings = json.loads((path / "config.json").read_text())
        assert settings["vocab_size"] == cases.CUT
        for end in ("model", "json"):
            tokenizer = load_tokenizer(path / f"tokenizer.{end}")
            assert tokenizer.encode(SENTENCES) == model.tokenizer.encode(SENTENCES)
    else:
        path = serving.export_gguf(model, tmp_path / "cut.gguf", "f32")
        reader = gguf.GGUFReader(path)
        tokens = reader.fields["tokenizer.ggml.tokens"].contents()
        assert tokens == model.tokenizer.vocabulary and len(tokens) == cases.CUT
        embedding = next(t for t in reader.tensors if t.name == "token_embd.weight")
        assert embedding.shape[1] == cases.CUT
    found = models.load(path, "float32")
    assert found.tokenizer.vocabulary == model.tokenizer.vocabulary
    ids = np.array(cases.IDS, "int32")
    theirs, ours = (
        jax.jit(its.decoder.logits)(its.params, ids, np.ones_like(ids)) for its in (found, model)
    )
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_a_base_model_has_no_turn_template(tiny_model, tmp_path):
    for chat in (True, False):
        path = serving.export_gguf(tiny_model, tmp_path / f"{chat}.gguf", chat=chat)
        fields = gguf.GGUFReader(path).fields
        assert ("tokenizer.chat_template" in fields) == chat
        end = tiny_model.tokenizer.vocabulary.index("<end_of_turn>")
        assert fields["tokenizer.ggml.eot_token_id"].contents() == end


def test_the_turn_template_writes_what_training_read(tiny_tokenizer):
    import jinja2

    from gemma_ko_lib.tokenization.conversations import CHAT_TEMPLATE, Turn, encode_prompt

    template = jinja2.Environment().from_string(CHAT_TEMPLATE)
    talk = [("user", "비가 오나요?"), ("assistant", "네."), ("user", "언제까지?")]
    text = template.render(
        bos_token="<bos>",
        add_generation_prompt=True,
        messages=[{"role": role, "content": f" {said}\n"} for role, said in talk],
    )
    turns = [Turn("user" if role == "user" else "model", said) for role, said in talk]
    ids = encode_prompt(tiny_tokenizer, turns)
    assert [2, *tiny_tokenizer.encode([text.removeprefix("<bos>")])[0]] == ids


def test_llama_cpp_goes_on_with_the_same_tokens(tmp_path):
    """In a process of its own: the engine keeps threads."""
    pytest.importorskip("xllamacpp")
    script = """
import json, sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, ids = sys.argv[1], json.loads(sys.argv[2])
params.n_ctx, params.n_parallel, params.warmup = 256, 1, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
asked = {"prompt": ids, "n_predict": 6, "temperature": 0, "logprobs": 1, "ignore_eos": True}
(choice,) = server.handle_completions(asked)["choices"]
print(json.dumps([token["id"] for token in choice["logprobs"]["content"]]))
"""
    from gemma_ko_lib.evaluation import generate

    model = models.load("nano", "float32")
    path = serving.export_gguf(model, tmp_path / "nano.gguf", "f32")
    prompt = [2, *model.tokenizer.encode([SENTENCES[0] * 12])[0]]  # longer than the window
    assert len(prompt) > model.config["sliding_window_size"]
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), json.dumps(prompt)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == generate(model, [prompt], 6)[0]


@pytest.mark.parametrize("olora", [False, True])
def test_adapters_leave_alone_as_plain_lora_for_the_untouched_base(olora, tmp_path, tiny_tokenizer):
    base = make_model("gemma2", tokenizer=tiny_tokenizer)
    base.save(tmp_path / "base")
    lora = models.Lora(2, 4.0, olora=olora)
    frozen, adapters = models.add_adapters(base.params, lora)
    draw = np.random.default_rng(0)
    adapters = {n: a + draw.normal(0, 0.1, a.shape).astype("float32") for n, a in adapters.items()}
    run = tmp_path / "run"
    models.save_adapters(run / "adapter", adapters, lora, str(tmp_path / "base"))
    out = tmp_path / "out"
    assert main(["export", str(run), "-o", str(out), "--format", "peft"]) == 0
    assert json.loads((out / "adapter_config.json").read_text())["init_lora_weights"] is True
    again = models.merge(*models.load_adapters(out, base.params)[:2])
    for name, value in models.merge(frozen, adapters).items():
        np.testing.assert_allclose(again[name], value, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("family", ["Gemma", "Gemma3"])
def test_keras_hub_reads_its_preset(family, tmp_path, tiny_tokenizer, capsys):
    """The tiny Gemma 3 has no pieces for pictures, as a cut one may have none."""
    from gemma_ko_lib.models.keras_hub import keras_hub

    source, model = "nano", models.load("nano", "float32")
    if family == "Gemma3":
        source, model = str(tmp_path / "run"), make_model("gemma3", tokenizer=tiny_tokenizer)
        model.save(source)
    folder = str(tmp_path / "preset")
    assert main(["export", source, "-o", folder, "--format", "keras"]) == 0
    backbone, tokenizer = (
        getattr(keras_hub.models, f"{family}{part}").from_preset(folder)
        for part in ("Backbone", "Tokenizer")
    )
    found = models.Decoder(backbone).read_weights()
    for name, value in model.params.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for name in set(model.config) & set(backbone.get_config()):
        assert backbone.get_config()[name] == model.config[name], name
    assert tokenizer.proto == model.tokenizer.proto


# --- what must not be taken for whole, or written at all ---


def test_a_full_disk_leaves_nothing_behind(tiny_model, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    with pytest.raises(UserError, match="No space left"):
        serving.export_gguf(tiny_model, tmp_path / "tiny.gguf")
    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(UserError, match="/hf: No space left"):
        serving.export_transformers(tiny_model, tmp_path / "hf")
    assert not list(tmp_path.iterdir())


def test_any_error_of_writing_a_folder_is_one_of_the_disk(tmp_path):
    with (
        pytest.raises(UserError, match="Cannot write .*out: no errno"),  # as HDF5's
        folders.new_folder(tmp_path / "out") as part,
    ):
        (part / "file").touch()
        raise OSError("no errno")
    assert not list(tmp_path.iterdir())


def test_too_small_a_disk_is_seen_before_anything_is_written(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="GB free"):
        serving.export_gguf(tiny_model, tmp_path / "tiny.gguf")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_refused(tiny_model, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        serving.export_transformers(tiny_model, tmp_path)


def test_a_gemma_that_llama_cpp_would_scale_otherwise_is_refused(tiny_tokenizer, tmp_path):
    model = make_model("gemma2", tokenizer=tiny_tokenizer)
    model.config = {**model.config, "query_head_dim_normalize": False}
    with pytest.raises(UserError, match="scales queries"):
        serving.export_gguf(model, tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "ggfu"], "Did you mean gguf"),
        (["--format", "gguf", "--type", "q8"], "Did you mean q8_0"),
        (["--format", "peft"], "holds no adapter"),
        (["--type", "q4_k_m"], "give --format gguf too"),
    ],
)
def test_a_mistyped_command_names_what_there_is(options, said, tmp_path, capsys):
    assert main(["export", "nano", "-o", str(tmp_path / "out"), *options]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_without_finished_weights_is_refused(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text('{"format": "gemma-ko run 1", "command": "pretrain"}')
    assert main(["export", str(run), "-o", str(tmp_path / "out")]) == 1
    assert "is not a finished model folder" in capsys.readouterr().err


def test_the_command_writes_a_card_beside_the_file(tmp_path, capsys):
    arguments = ["export", "nano", "-o", str(tmp_path), "--format", "gguf", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith("nano-q8_0.gguf")
    assert "ollama create" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "Modelfile").read_text() == "FROM ./nano-q8_0.gguf\n"


def test_a_gguf_file_does_not_replace_what_stands_beside_it(tmp_path, capsys):
    (tmp_path / "README.md").write_text("내 프로젝트", "utf-8")
    arguments = ["export", "nano", "-o", str(tmp_path), "--format", "gguf"]
    assert main(arguments) == 1
    assert "README.md is there, and of no export" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text("utf-8") == "내 프로젝트"
    (tmp_path / "README.md").unlink()
    assert main(arguments) == 0
    (tmp_path / "nano-q8_0.gguf").unlink()  # to have room
    assert main([*arguments, "--type", "q4_0"]) == 0  # with a card of its own
    assert "nano-q4_0.gguf" in (tmp_path / "README.md").read_text("utf-8")


def test_a_folder_may_be_read_by_whom_the_umask_lets(tmp_path):
    (tmp_path / "by mkdir").mkdir()
    with folders.new_folder(tmp_path / "whole") as part:
        (part / "file").touch()
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "by mkdir").stat().st_mode
