"""Token shards are whole or they are not there, and they belong to one tokenizer."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import expand_vocabulary, open_shards, write_shards
from tests.conftest import SENTENCES

TEXTS = SENTENCES * 8
LENGTH = 64


@pytest.fixture
def folder(tiny_tokenizer, tmp_path):
    write_shards(TEXTS, tiny_tokenizer, tmp_path / "shards", LENGTH, rows_per_shard=4)
    return tmp_path / "shards"


def test_every_document_is_in_the_shards(folder, tiny_tokenizer):
    shards = open_shards(folder, tiny_tokenizer)
    texts = []
    for index in range(len(shards)):
        row = shards[index]
        segments = [row.segment_ids == n for n in range(1, row.segment_ids.max() + 1)]
        texts += [tiny_tokenizer.decode(row.token_ids[segment]) for segment in segments]
    # The Korean ones fall to bytes and may be longer than a row, so they come in pieces.
    english = [text for text in TEXTS if text.isascii()]
    assert sorted(text for text in texts if text in english) == sorted(english)


def test_a_packed_document_holds_no_control_token_that_it_spells(tiny_tokenizer, tmp_path):
    spelled = "A page says <end_of_turn>, <start_of_turn>model and <bos>."
    write_shards([spelled], tiny_tokenizer, tmp_path / "shards", LENGTH)
    row = open_shards(tmp_path / "shards", tiny_tokenizer)[0]
    controls = tiny_tokenizer.encode(["<start_of_turn>", "<end_of_turn>"])
    assert not {i for ids in controls for i in ids} & set(row.token_ids.tolist())
    assert list(row.token_ids).count(tiny_tokenizer.bos_id) == 1


def test_the_manifest_counts_what_is_there(folder, tiny_tokenizer):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    shards = open_shards(folder)
    tokens = sum(len(ids) + 2 for ids in tiny_tokenizer.encode(TEXTS))
    filled = sum(int((shards[i].segment_ids > 0).sum()) for i in range(len(shards)))
    assert manifest["documents"] == len(TEXTS)
    assert manifest["bytes"] == sum(len(text.encode()) for text in TEXTS)
    assert manifest["tokens"] == tokens == filled
    assert manifest["rows"] == len(shards)
    assert manifest["padding_fraction"] == pytest.approx(1 - filled / (len(shards) * LENGTH))


def test_rows_are_found_across_shard_borders(folder):
    shards = open_shards(folder)
    tokens = np.concatenate([np.load(path) for path in sorted(folder.glob("tokens-*.npy"))])
    segments = np.concatenate([np.load(path) for path in sorted(folder.glob("segments-*.npy"))])
    assert len(list(folder.glob("tokens-*.npy"))) > 2
    assert len(shards) == len(tokens)
    for index in range(len(shards)):
        np.testing.assert_array_equal(shards[index].token_ids, tokens[index])
        np.testing.assert_array_equal(shards[index].segment_ids, segments[index])
    with pytest.raises(IndexError):
        shards[len(shards)]


def test_the_same_texts_give_the_same_bytes(folder, tiny_tokenizer, tmp_path):
    write_shards(iter(TEXTS), tiny_tokenizer, tmp_path / "again", LENGTH, rows_per_shard=4)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


# --- Whole or not there --------------------------------------------------------------


def test_the_manifest_is_written_last(tiny_tokenizer, tmp_path, monkeypatch):
    written = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (written.append(Path(b).name), replace(a, b)))
    write_shards(TEXTS, tiny_tokenizer, tmp_path, LENGTH, rows_per_shard=4)
    assert written[-1] == "manifest.json"
    assert written.count("manifest.json") == 1


def _full_after(calls: int, function):
    """`function`, until the disk is full."""
    left = iter(range(calls))

    def call(*args, **kwargs):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return function(*args, **kwargs)

    return call


@pytest.mark.parametrize("where", [(os, "fsync"), (np, "save")], ids=["fsync", "save"])
@pytest.mark.parametrize("calls", [0, 3])
def test_a_full_disk_is_told_and_leaves_no_manifest(
    folder, tiny_tokenizer, monkeypatch, where, calls
):
    module, name = where
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _full_after(calls, getattr(module, name)))
        with pytest.raises(UserError, match="No space left on device.*Free some space"):
            write_shards(TEXTS, tiny_tokenizer, folder, LENGTH, rows_per_shard=4)
    # The set that was there before is half replaced: it must not pass for a whole one.
    with pytest.raises(UserError, match="not a finished set"):
        open_shards(folder)
    assert not list(folder.glob(".*"))


def test_a_folder_that_cannot_be_made_is_reported(tiny_tokenizer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write .*file"):
        write_shards(TEXTS, tiny_tokenizer, tmp_path / "file", LENGTH)


@pytest.mark.parametrize("texts", [[], ["", " \n"]], ids=["none", "blank"])
def test_nothing_to_pack_is_reported(tiny_tokenizer, tmp_path, texts):
    with pytest.raises(UserError, match="No documents to pack"):
        write_shards(texts, tiny_tokenizer, tmp_path, LENGTH)
    assert not (tmp_path / "manifest.json").exists()


def test_blank_documents_are_left_out(tiny_tokenizer, tmp_path):
    manifest = write_shards(["", "One.", " \n", "Two."], tiny_tokenizer, tmp_path, LENGTH)
    assert manifest["documents"] == 2


# --- What is opened is what was written ----------------------------------------------


def test_a_folder_without_a_manifest_is_not_a_set(folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match="has no manifest.json.*makes them again") as raised:
        open_shards(folder)
    assert str(folder) in str(raised.value)


_FORMAT = '{"format": "gemma-ko token shards 1"'


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"format": "another"}', _FORMAT + "}", _FORMAT + ', "files": [3]}'],
)
def test_another_manifest_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(UserError, match="manifest.json .*make the shards again"):
        open_shards(folder)


_IMPOSSIBLE = [(name, None) for name in ("length", "rows", "tokens", "bytes")]
_IMPOSSIBLE += [
    (name, figure) for name, _ in _IMPOSSIBLE for figure in ("gone", -1, 2.5, "7", True)
]
_IMPOSSIBLE += [("length", 0), ("rows", 0), ("tokens", 0), ("length", 10**9), ("rows", 10**9)]


@pytest.mark.parametrize(("name", "figure"), _IMPOSSIBLE)
def test_a_manifest_without_the_figures_of_a_run_is_refused(folder, name, figure):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8")) | {name: figure}
    if figure == "gone":
        del manifest[name]
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(UserError, match=f"damaged .*{name}.*make the shards again"):
        open_shards(folder)


def test_a_manifest_that_lacks_files_is_refused(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    for kept in (slice(0), slice(1), slice(0, None, 2)):
        path.write_text(json.dumps(manifest | {"files": manifest["files"][kept]}), "utf-8")
        with pytest.raises(UserError, match="damaged .*make the shards again"):
            open_shards(folder)


def test_a_manifest_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot read .*file/manifest.json: Not a directory"):
        open_shards(tmp_path / "file")


def test_a_missing_file_is_named(folder):
    (folder / "segments-00001.npy").unlink()
    with pytest.raises(UserError, match="segments-00001.npy is missing.*make the shards again"):
        open_shards(folder)


@pytest.mark.parametrize("value", [0, -5, 10**6])
def test_a_changed_token_is_found(folder, value):
    rows = np.load(folder / "tokens-00001.npy", mmap_mode="r+")
    rows[1, 3] = value
    rows.flush()
    with pytest.raises(UserError, match="tokens-00001.npy is missing or changed"):
        open_shards(folder)
    assert len(open_shards(folder, verify=False)) > 0


def test_the_digest_tells_rows_not_paths(folder, tiny_tokenizer, tmp_path):
    digest = open_shards(folder).digest
    write_shards(TEXTS, tiny_tokenizer, tmp_path / "same", LENGTH, rows_per_shard=4)
    write_shards(TEXTS[1:], tiny_tokenizer, tmp_path / "other", LENGTH, rows_per_shard=4)
    assert open_shards(tmp_path / "same").digest == digest
    assert open_shards(tmp_path / "other").digest != digest


@pytest.mark.parametrize("kept", [0, 40, -4])
def test_a_shortened_file_is_found_always(folder, kept):
    path = folder / "tokens-00001.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="tokens-00001.npy is missing or changed"):
        open_shards(folder)


def test_shards_of_another_tokenizer_are_refused(folder, tiny_tokenizer):
    other = expand_vocabulary(tiny_tokenizer, ["가"])
    with pytest.raises(
        UserError, match=r"packed with .*320 pieces.*321 pieces.*Pack .* again"
    ) as e:
        open_shards(folder, other)
    assert str(folder) in str(e.value)


def test_an_equal_tokenizer_of_another_name_is_welcome(folder, tiny_tokenizer):
    from gemma_ko_lib.tokenization import SentencePieceTokenizer

    assert len(open_shards(folder, SentencePieceTokenizer(tiny_tokenizer.proto, "copy")))
