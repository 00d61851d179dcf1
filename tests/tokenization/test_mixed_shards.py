"""A mixture has the shares that were asked for, whole documents, and the same bytes each time."""

import errno
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from datatrove.data import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma_ko_lib import cli
from gemma_ko_lib.runtime import UserError, samples_dir
from gemma_ko_lib.tokenization import (
    Mixture,
    format_mixture,
    framing,
    open_shards,
    pack_mixture,
    read_sources,
    token_spool,
)
from gemma_ko_lib.tokenization.token_spool import permutation
from tests.conftest import SENTENCES

LENGTH = 32


class Numbers:
    """A tokenizer whose texts are numbers: "7 7 9" has the ids 7, 7, 9."""

    name, bos_id, eos_id, pad_id = "numbers", 2, 1, 0
    vocabulary = ("a vocabulary of numbers",)

    def encode(self, texts):
        return [[int(word) for word in text.split()] for text in texts]


def corpus(lengths: dict[str, list[int]]) -> list[Document]:
    """Documents by "language/register"; each has its own number as its only token."""
    found = []
    for cell, some in lengths.items():
        language, register = cell.split("/")
        for length in some:
            number = 10 + len(found)
            metadata = {"language": language, "register": register}
            text = " ".join([str(number)] * length)
            found.append(Document(text=text, id=str(number), metadata=metadata))
    return found


def packed(documents, folder, mixture=None, seed=0, **options):
    """The manifest, and what each segment holds."""
    manifest = pack_mixture(documents, Numbers(), folder, LENGTH, mixture, seed, **options)
    shards = open_shards(folder, Numbers())
    segments = []
    for index in range(len(shards)):
        row = shards[index]
        numbers = row.segment_ids[row.segment_ids > 0]
        assert set(np.diff(numbers)) <= {0, 1} and (numbers[:1] == 1).all()
        segments += [
            tuple(row.token_ids[row.segment_ids == number].tolist())
            for number in range(1, row.segment_ids.max() + 1)
        ]
    return manifest, segments


def framed(document: Document) -> list[int]:
    return [2, *map(int, document.text.split()), 1]


def pieces_of(documents) -> Counter:
    """How often each segment should be there when every document is there once."""
    found = Counter()
    for document in documents:
        ids = framed(document)
        found.update(tuple(ids[i : i + LENGTH]) for i in range(0, len(ids), LENGTH))
    return found


# Without lengths that leave a lone EOS for the next row: that piece says nothing of its document.
LENGTHS = st.dictionaries(
    st.sampled_from(["ko/news", "ko/review", "en/news", "ja/blog"]),
    st.lists(
        st.integers(1, 3 * LENGTH).filter(lambda n: (n + 2) % LENGTH != 1), min_size=1, max_size=25
    ),
    min_size=1,
)
_QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# --- Every token, whole documents ---------------------------------------------------------


@_QUICK
@given(lengths=LENGTHS, seed=st.integers(0, 9))
def test_in_natural_proportions_every_token_is_there_once(lengths, seed, tmp_path):
    documents = corpus(lengths)
    manifest, segments = packed(documents, tmp_path, seed=seed)
    assert Counter(segments) == pieces_of(documents)
    # A document that fits into a row is whole: one BOS, one EOS.
    assert {tuple(framed(d)) for d in documents if len(framed(d)) <= LENGTH} <= set(segments)
    assert manifest["documents"] == len(documents)
    assert manifest["bytes"] == sum(len(d.text) for d in documents)
    assert manifest["tokens"] == sum(len(framed(d)) for d in documents)


@_QUICK
# The smallest share, 1 of 7, is a row: a smaller one is refused.
@given(lengths=LENGTHS, tokens=st.integers(7 * LENGTH, 4000), data=st.data())
def test_shares_are_met_within_a_row_and_documents_repeat_evenly(lengths, tokens, data, tmp_path):
    documents = corpus(lengths)
    languages = sorted({cell.split("/")[0] for cell in lengths})
    weights = {language: data.draw(st.floats(1, 2), label=language) for language in languages}
    manifest, segments = packed(documents, tmp_path, Mixture(weights=weights, tokens=tokens))
    found = Counter(segments)
    for language, group in manifest["mixture"]["groups"].items():
        share = weights[language] / sum(weights.values())
        once = pieces_of([d for d in documents if d.metadata["language"] == language])
        written = sum(len(piece) * found[piece] for piece in once)
        assert group["tokens"] == written
        assert share * tokens - LENGTH - 1 < written < share * tokens + 1
        assert group["epochs"] == pytest.approx(written / group["tokens_there"])
        epochs = written / sum(len(piece) * count for piece, count in once.items())
        for piece, count in once.items():
            assert int(epochs) * count <= found[piece] <= (int(epochs) + 1) * count
    assert manifest["tokens"] == sum(map(len, segments)) <= tokens


def test_a_small_group_is_repeated_by_whole_epochs(tmp_path):
    documents = corpus({"ko/news": [8] * 90, "en/news": [8] * 10})
    mixture = Mixture(weights={"ko": 1, "en": 1}, tokens=1200)
    manifest, segments = packed(documents, tmp_path, mixture)
    groups = manifest["mixture"]["groups"]
    assert groups["en"]["epochs_asked"] == groups["en"]["epochs"] == 6
    english = [segment for segment in segments if segment[1] >= 100]
    assert set(Counter(english).values()) == {6}
    assert "'en' is repeated 6.0 times" in format_mixture(manifest)
    assert "'ko' is repeated" not in format_mixture(manifest)


def test_each_shard_has_the_whole_mixture(tmp_path):
    documents = corpus({"ko/news": [6] * 300, "en/news": [6] * 300})
    packed(documents, tmp_path, rows_per_shard=30)
    files = sorted(tmp_path.glob("tokens-*.npy"))
    assert len(files) == 5
    for path in files:
        tokens = np.load(path)
        korean, english = ((tokens >= 10) & (tokens < 310)).sum(), (tokens >= 310).sum()
        assert 0.8 < korean / english < 1.25


def test_a_group_that_comes_once_is_whole_and_the_others_have_their_share(tmp_path):
    documents = corpus({"ko/news": [*range(2, 60)] * 3, "en/blog": [7, 9, 11]})
    mixture = Mixture(weights={"ko": 0.75, "rest": 0.25}, once="ko")
    manifest, _ = packed(documents, tmp_path, mixture)
    korean, others = (manifest["mixture"]["groups"][name] for name in ("ko", "rest"))
    assert korean["documents"] == korean["documents_there"] == 3 * 58
    assert korean["tokens"] == korean["tokens_there"] and korean["epochs"] == 1
    assert others["share"] == pytest.approx(0.25, abs=0.005) and others["epochs"] > 4


def test_too_few_tokens_for_any_row_are_not_called_a_want_of_text(tmp_path):
    documents = corpus({"ko/news": [3 * LENGTH] * 3, "en/news": [3 * LENGTH] * 3})
    with pytest.raises(UserError, match=f"1 tokens give no group .*at least {2 * LENGTH} tokens"):
        packed(documents, tmp_path, Mixture(tokens=1))
    manifest, _ = packed(documents, tmp_path, Mixture(tokens=2 * LENGTH))
    assert manifest["tokens"] > 0


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(UserError, match="Cannot write .*: Permission denied"):
        packed(corpus({"ko/news": [8] * 9}), tmp_path)


# --- Seeds --------------------------------------------------------------------------------


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_and_another_another_order(tmp_path):
    documents = corpus({"ko/news": [*range(1, 40)] * 3, "en/blog": [*range(1, 60)] * 2})
    _, first = packed(documents, tmp_path / "a", seed=1)
    packed(iter(documents), tmp_path / "b", seed=1)
    _, other = packed(documents, tmp_path / "c", seed=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert first != other and Counter(first) == Counter(other)


def test_the_seed_chooses_which_documents_an_unfinished_epoch_has(tmp_path):
    documents = corpus({"ko/news": [8] * 200})
    mixture = Mixture(tokens=500)
    chosen = [set(packed(documents, tmp_path, mixture, seed)[1]) for seed in range(4)]
    assert [len(some) for some in chosen] == [50] * 4
    assert len(set.union(*chosen)) > 100


@given(count=st.integers(1, 20_000), key=st.text(max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_permutation_has_every_number_once(count, key):
    assert sorted(permutation(count, key)) == list(range(count))


def test_a_permutation_is_the_same_in_every_version():
    assert list(permutation(10, "0/ko/0")) == [9, 4, 7, 5, 1, 8, 6, 3, 2, 0]
    assert list(permutation(10, "1/ko/0")) == [9, 0, 6, 8, 4, 1, 5, 3, 2, 7]


def test_a_permutation_is_even():
    """Each number is in each place about equally often: chi-squared, 81 degrees of freedom."""
    orders = np.array([list(permutation(10, str(key))) for key in range(1000)])
    counts = np.array([np.bincount(column, minlength=10) for column in orders.T])
    assert ((counts - 100) ** 2 / 100).sum() < 150  # p < 1e-5


# --- What the user can put right ----------------------------------------------------------


def test_a_key_without_documents_is_reported_with_those_there_are(tmp_path):
    documents = corpus({"ko/news": [5, 6], "en/blog": [7]})
    with pytest.raises(UserError, match=r"'nwes'.*there are: ko/news \(2\), en/blog \(1\)"):
        packed(documents, tmp_path, Mixture(weights={"nwes": 1}))


def test_documents_that_no_key_names_are_counted(tmp_path):
    documents = corpus({"ko/news": [5, 6], "en/blog": [7], "ja/blog": [8]})
    manifest, segments = packed(documents, tmp_path, Mixture(weights={"ko": 1}))
    assert len(segments) == 2
    assert manifest["mixture"]["documents_left_out"] == {"en/blog": 1, "ja/blog": 1}
    assert "no weight names them: en/blog (1), ja/blog (1)" in format_mixture(manifest)


def test_a_share_of_less_than_a_row_is_reported_with_the_budget_it_needs(tmp_path):
    documents = corpus({"ko/news": [20] * 50, "en/news": [20] * 50})
    mixture = Mixture(weights={"ko": 9, "en": 1}, tokens=300)
    with pytest.raises(UserError, match="share of 'en' is 30 tokens.*at least 320 tokens"):
        packed(documents, tmp_path, mixture)
    packed(documents, tmp_path, Mixture(weights={"ko": 9, "en": 1}, tokens=320))


def test_a_budget_that_no_disk_holds_is_reported_before_it_is_full(tmp_path):
    with pytest.raises(UserError, match="tokens take .* GB, and .* free"):
        packed(corpus({"ko/news": [20]}), tmp_path, Mixture(tokens=10**18))
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_is_not_a_register_is_reported(tmp_path):
    documents = corpus({f"ko/page{number}": [5] for number in range(300)})
    with pytest.raises(UserError, match="more than 200 groups.*Is that a register"):
        packed(documents, tmp_path)
    manifest, _ = packed(documents, tmp_path, Mixture(weights={"ko": 1}))
    assert manifest["documents"] == 300


def test_a_row_of_one_token_is_reported(tmp_path):
    with pytest.raises(UserError, match="length of 2 up"):
        pack_mixture(corpus({"ko/news": [5]}), Numbers(), tmp_path, 1)


def test_a_tokenizer_without_document_borders_is_reported(tmp_path):
    borderless = Numbers()
    borderless.bos_id = -1
    with pytest.raises(UserError, match="'numbers' has no token for a document's start or end"):
        pack_mixture(corpus({"ko/news": [5]}), borderless, tmp_path, LENGTH)


@pytest.mark.parametrize("texts", [[], ["", " \n"]], ids=["none", "blank"])
def test_nothing_to_pack_is_reported(texts, tmp_path):
    with pytest.raises(UserError, match="no documents to pack"):
        packed([Document(text=text, id="1") for text in texts], tmp_path)


def test_a_failed_run_leaves_the_former_set_as_it_was(tmp_path):
    packed(corpus({"ko/news": [5, 6]}), tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError):
        packed(corpus({"ko/news": [5, 6]}), tmp_path, Mixture(weights={"en": 1}))
    assert contents(tmp_path) == before


def test_a_full_disk_is_reported_before_the_former_set_is_touched(tmp_path, monkeypatch):
    packed(corpus({"ko/news": [5, 6]}), tmp_path)
    before = contents(tmp_path)
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(token_spool, "open", Mock(side_effect=full), raising=False)
    with pytest.raises(UserError, match="No space left on device.*Free some space"):
        packed(corpus({"ko/news": [7, 8]}), tmp_path)
    assert contents(tmp_path) == before


_KILLED = """
import os, sys
from gemma_ko_lib.tokenization import shards
from tests.tokenization.test_mixed_shards import LENGTH, MANY, Numbers, corpus, pack_mixture

write = shards._write_array
calls = iter(range(int(sys.argv[2])))
shards._write_array = lambda *given: write(*given) if next(calls, None) is not None else os._exit(9)
pack_mixture(corpus(MANY), Numbers(), sys.argv[1], LENGTH, rows_per_shard=5)
"""
MANY = {"ko/news": [9] * 60, "en/news": [20] * 20}


@pytest.mark.parametrize("files_written", [0, 3])
def test_a_killed_run_is_not_a_set_and_the_next_gives_the_same_bytes(files_written, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    packed(corpus({"ko/news": [5, 6]}), killed)
    arguments = [sys.executable, "-c", _KILLED, str(killed), str(files_written)]
    assert subprocess.run(arguments, cwd=Path(__file__).parents[2]).returncode == 9
    with pytest.raises(UserError, match="not a finished set"):
        open_shards(killed)
    for folder in (killed, whole):
        packed(corpus(MANY), folder, rows_per_shard=5)
    assert contents(killed) == contents(whole)


def test_what_a_killed_run_has_left_goes_and_a_smaller_set_leaves_no_files(tmp_path):
    packed(corpus({"ko/news": [30] * 10}), tmp_path, rows_per_shard=2)
    (tmp_path / ".pieces-killed").mkdir()
    (tmp_path / ".pieces-killed" / "000.ids").write_bytes(b"1234")
    manifest, _ = packed(corpus({"ko/news": [30]}), tmp_path)
    names = {entry["name"] for entry in manifest["files"]}
    assert set(contents(tmp_path)) == {*names, "manifest.json"}


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else, for example notes.txt"):
        packed(corpus({"ko/news": [30]}), tmp_path)
    assert set(contents(tmp_path)) == {"notes.txt"}


# --- The command --------------------------------------------------------------------------


@pytest.fixture
def clean_folder(tmp_path):
    raw = tmp_path / "raw.jsonl"
    sentences = [text for text in SENTENCES if not text.isascii()]
    with raw.open("w", encoding="utf-8") as file:
        for number in range(40):
            text = f"{number}번째 이야기다. " + " ".join(sentences)
            file.write(json.dumps({"id": str(number), "text": text}) + "\n")
    folder = tmp_path / "clean"
    arguments = ["clean", str(raw), "-o", str(folder), "--hold-out", "0.3", "--duplicates", "keep"]
    assert cli.main(arguments) == 0
    return folder


def test_the_command_packs_what_clean_wrote_without_the_held_out(clean_folder, tmp_path, capsys):
    english = tmp_path / "english.jsonl"
    english.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in SENTENCES if text.isascii()), "utf-8"
    )
    report = json.loads((clean_folder / "report.json").read_text("utf-8"))
    assert report["documents"]["held_out"] > 0
    capsys.readouterr()
    arguments = ["pack", str(clean_folder), str(english), "-o", str(tmp_path / "shards")]
    arguments += ["--tokenizer", "nano", "--length", "128"]
    shares = ["--weight", "ko=0.8", "en=0.2", "--tokens", "5000", "--json"]
    assert cli.main([*arguments, *shares]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads((tmp_path / "shards" / "manifest.json").read_text("utf-8"))
    groups = manifest["mixture"]["groups"]
    assert groups["ko"]["documents_there"] == report["documents"]["kept"]
    assert groups["en"]["share"] == pytest.approx(0.2, abs=128 / 5000)
    assert cli.main(arguments) == 0
    assert "ko/none" in capsys.readouterr().out
    assert cli.main([*arguments, "--weight", "ko=-1"]) == 1
    assert "above 0" in capsys.readouterr().err


def test_two_workers_write_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(framing, "_TEXTS_AT_ONCE", 50)
    sources = [str(samples_dir() / language) for language in ("ko", "en")]
    arguments = ["pack", *sources, "--tokenizer", "nano", "--length", "256"]
    for workers in ("1", "2"):
        folder = str(tmp_path / workers)
        assert cli.main([*arguments, "-o", folder, "--workers", workers]) == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_folder_around_clean_ones_is_refused_for_its_held_out_documents(clean_folder):
    with pytest.raises(UserError, match="Give the folders themselves"):
        list(read_sources([clean_folder.parent]))


def test_an_unfinished_clean_folder_is_refused(clean_folder):
    (clean_folder / "report.json").unlink()
    with pytest.raises(UserError, match="no finished folder of clean documents"):
        list(read_sources([clean_folder]))


def test_a_refusal_leaves_no_trace_and_another_folder_is_left_alone(tmp_path):
    with pytest.raises(UserError, match="no documents"):
        pack_mixture([], Numbers(), tmp_path / "new" / "shards", LENGTH)
    assert not (tmp_path / "new").exists()
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match="holds something else, for example model.json"):
        pack_mixture([], Numbers(), tmp_path, LENGTH)
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
