"""K-quants and importance: llama.cpp's own quantiser, called right."""

import sys

import gguf
import numpy as np
import pytest

from gemma_ko_lib import models, serving
from gemma_ko_lib.cli import main
from gemma_ko_lib.models.importance import column_importance
from gemma_ko_lib.models.layouts import foreign_names, to_rows
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import llama_quantizer
from gemma_ko_lib.serving.gguf_export import stored_as
from tests.conftest import SENTENCES, make_model, texts_of

T = gguf.GGMLQuantizationType
# Root mean square of the error over that of normally distributed weights, at most.
ERRORS = {
    T.Q8_0: 0.006,
    T.Q6_K: 0.019,
    T.Q5_K: 0.037,
    T.Q5_1: 0.039,
    T.Q5_0: 0.044,
    T.Q4_K: 0.073,
    T.Q4_0: 0.088,
}


@pytest.fixture(scope="module", autouse=True)
def _quantiser():
    pytest.importorskip("xllamacpp")


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(0).normal(0, 0.03, (64, 512)).astype("float32")


def spread(errors, weights=1.0):
    return float(np.sqrt(np.mean(errors**2 * weights)))


@pytest.mark.parametrize(("its_type", "largest"), ERRORS.items(), ids=lambda it: str(it))
def test_what_is_read_back_is_near(matrix, its_type, largest):
    stored = llama_quantizer.quantize(matrix, its_type)
    error = spread(gguf.dequantize(stored, its_type) - matrix) / spread(matrix)
    assert largest / 2 < error < largest


@pytest.mark.parametrize("its_type", [T.Q8_0, T.Q5_0, T.Q4_0, T.Q5_1], ids=str)
def test_the_bytes_are_those_of_the_package_gguf(matrix, its_type):
    stored = llama_quantizer.quantize(matrix, its_type)
    np.testing.assert_array_equal(stored, gguf.quantize(matrix, its_type))


@pytest.mark.parametrize("its_type", llama_quantizer.WEIGHED, ids=str)
def test_importance_moves_the_error_to_where_it_matters_less(matrix, its_type):
    importance = np.exp(np.random.default_rng(1).normal(0, 1.5, 512)).astype("float32")
    plain, weighed, wrongly = (
        spread(
            gguf.dequantize(llama_quantizer.quantize(matrix, its_type, its), its_type) - matrix,
            importance,
        )
        for its in (None, importance, importance[::-1])
    )
    assert weighed < 0.9 * plain and weighed < 0.9 * wrongly


def test_the_mixture_of_270m_is_that_of_the_published_file():
    """Tensor types of Google's Gemma 3 270M as Q4_K_M, as its package has them."""
    more = {0, 1, 4, 7, 10, 13, 15, 16, 17}
    shapes = {"attn_q": (1024, 640), "attn_k": (256, 640), "attn_v": (256, 640)}
    shapes |= {"attn_output": (640, 1024), "ffn_gate": (2048, 640), "ffn_up": (2048, 640)}
    shapes |= {"ffn_down": (640, 2048), "attn_norm": (640,)}
    for part, shape in shapes.items():
        for layer in range(18):
            found = stored_as(f"blk.{layer}.{part}.weight", shape, "q4_k_m", 18)
            expected = {
                "attn_output": T.Q4_K,
                "attn_norm": T.F32,
                "attn_v": T.Q8_0 if layer in more else T.Q5_0,
                "ffn_down": T.Q6_K if layer in more else T.Q4_K,
            }.get(part, T.Q5_0)
            assert found == expected, (part, layer)
    assert stored_as("token_embd.weight", (262_144, 640), "q4_k_m", 18) == T.Q8_0


@pytest.mark.real
def test_the_mixture_is_that_of_the_package(tmp_path):
    from gemma_ko_lib.models.gguf_weights import assemble_package

    for tensor in gguf.GGUFReader(assemble_package(tmp_path)).tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape))
        assert stored_as(tensor.name, shape, "q4_k_m", 18) == tensor.tensor_type, tensor.name


def test_other_shapes_fall_back():
    assert stored_as("token_embd.weight", (320, 1024), "q4_k_m", 18) == T.Q6_K
    assert stored_as("blk.0.attn_q.weight", (32, 640), "q5_k_m", 18) == T.Q5_1
    assert stored_as("blk.0.attn_q.weight", (32, 640), "q6_k", 18) == T.Q8_0
    assert stored_as("blk.0.attn_q.weight", (32, 16), "q4_k_m", 18) == T.F16
    assert stored_as("blk.0.attn_v.weight", (32, 256), "q4_0", 18) == T.Q4_0


def test_importance_is_the_mean_square_of_what_a_layer_reads(tiny_tokenizer):
    """The values' and output layer's inputs, computed from the embeddings by hand."""
    model = make_model("gemma1-mqa", tokenizer=tiny_tokenizer)
    found = column_importance(model, SENTENCES)
    weights = models.unstack(model.params)
    ids = np.concatenate(tiny_tokenizer.encode(SENTENCES))
    length = min(255, len(ids))
    rows = ids[: len(ids) // length * length].reshape(-1, length)
    ids = np.concatenate([[2, *row] for row in rows])  # each row begins with its BOS
    x = weights["token_embedding/embeddings"][ids] * 4  # √16
    x /= np.sqrt(np.mean(x**2, -1, keepdims=True) + 1e-6)
    x *= 1 + weights["decoder_block_0/pre_attention_norm/scale"]
    read = np.mean(x**2, 0)
    for part in ("query", "key", "value"):
        square = found[f"decoder_block_0/attention/{part}/kernel"]
        np.testing.assert_allclose(square, read, rtol=1e-4)
    kernels = {name for name in weights if name.endswith("/kernel")}
    assert found.keys() == kernels
    for name in kernels:
        assert found[name].shape == to_rows(name, weights[name]).shape[1:], name


def test_a_file_with_importance_errs_less_on_that_text(tmp_path):
    model = models.load("nano", "float32")
    importance = column_importance(model, texts_of("ko", "train")[:40], tokens=2048)
    weights = models.unstack(model.params)
    names = {gguf: name for name, gguf in foreign_names("gguf", 2, 4).items()}
    errors = {}
    for columns in (None, importance):
        path = serving.export_gguf(model, tmp_path / "a.gguf", "q4_k_m", importance=columns)
        reader = gguf.GGUFReader(path)
        assert reader.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q4_K_M
        for tensor in reader.tensors:
            name = names[tensor.name]
            if name in importance and tensor.tensor_type != T.Q8_0:
                back = gguf.dequantize(tensor.data, tensor.tensor_type)
                error = spread(back - to_rows(name, weights[name]), importance[name])
                errors.setdefault(name, []).append(error)
    assert len(errors) > 20 and all(weighed < plain for plain, weighed in errors.values())


def test_the_command_weighs_by_a_file_of_text(tmp_path, capsys):
    text = tmp_path / "mine.txt"
    text.write_text("\n\n".join(SENTENCES), "utf-8")
    paths = {}
    for name, options in (("plain", []), ("weighed", ["--importance", str(text)])):
        words = ["export", "nano", "-o", str(tmp_path / name), "--format", "gguf"]
        assert main([*words, "--type", "Q4_K_M", *options]) == 0
        paths[name] = tmp_path / name / "nano-q4_k_m.gguf"
    plain, weighed = (path.read_bytes() for path in paths.values())
    assert len(plain) == len(weighed) and plain != weighed
    words = ["export", "nano", "-o", str(tmp_path / "no"), "--importance", str(text)]
    assert main([*words, "--format", "gguf"]) == 1
    assert "changes nothing in q8_0" in capsys.readouterr().err


def test_no_text_has_no_importance(tiny_model):
    with pytest.raises(UserError, match="No text"):
        column_importance(tiny_model, [""])


def test_without_llama_cpp_the_extra_is_named(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    llama_quantizer._quantize_chunk.cache_clear()
    model = models.load("nano", "float32")
    with pytest.raises(UserError, match=r"gemma-ko\[serve\]"):
        serving.export_gguf(model, tmp_path / "a.gguf", "q4_k_m")
    assert not list(tmp_path.iterdir())
