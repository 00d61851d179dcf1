"""A model's card says what it was made of and what was measured, without anybody's help."""

import json

import pytest

from gemma_ko_lib import corpus
from gemma_ko_lib.cli import main
from gemma_ko_lib.serving.model_card import write_card
from gemma_ko_lib.training import RunSize, pretrain
from tests.conftest import SENTENCES, make_model

REVIEWS = {"corpus": "Film reviews", "licence": "CC0", "source": "https://example.org/reviews"}


@pytest.fixture
def model(tiny_tokenizer):
    return make_model("gemma1-mqa", tokenizer=tiny_tokenizer)


@pytest.fixture
def clean_folder(tmp_path):
    """Clean documents whose report says that half of the two files were fetched."""
    texts = tmp_path / "raw.jsonl"
    texts.write_text("\n".join(json.dumps({"text": text}) for text in SENTENCES * 20), "utf-8")
    settings = corpus.CleanSettings(duplicates="keep")
    corpus.clean(texts, tmp_path / "clean", settings, progress=False)
    path = tmp_path / "clean" / "report.json"
    report = json.loads(path.read_text("utf-8"))
    report |= {"sources": [{**REVIEWS, "register": "review", "files": [{}]}], "input_files": 2}
    path.write_text(json.dumps(report), "utf-8")
    return tmp_path / "clean"


@pytest.mark.parametrize("packed", [False, True])
def test_sources_and_licences_come_from_the_corpus_to_the_card(
    packed, model, clean_folder, tmp_path, capsys
):
    data = clean_folder
    if packed:
        data = tmp_path / "shards"
        model.save(tmp_path / "model")
        words = ["pack", str(clean_folder), "-o", str(data), "--length", "32", "--tokenizer"]
        assert main([*words, str(tmp_path / "model" / "tokenizer.model")]) == 0
    model.save(tmp_path / "model")
    size = RunSize(tokens=128, update_tokens=64, length=32)
    run = pretrain(tmp_path / "model", data, tmp_path / "run", size=size, quiet=True)
    settings = json.loads((run / "config.json").read_text("utf-8"))
    assert settings["sources"] == [REVIEWS, {"corpus": "other texts"}]
    (line,) = (
        line
        for line in write_card(model, run, tmp_path / "hf", "hf").splitlines()
        if line.startswith("- Data:")
    )
    assert "Film reviews (licence: CC0; https://example.org/reviews)" in line
    assert "other texts: say here what they are and their licence" in line


def test_a_run_upon_a_run_names_the_data_of_both(model, tmp_path):
    for name, start, sources in (("first", "nano", [REVIEWS]), ("second", "first", None)):
        folder = tmp_path / name
        folder.mkdir()
        start = str(tmp_path / start) if start == "first" else start
        settings = {"command": "pretrain", "model": start, "method": "full", "data": "3f2a"}
        settings |= {"sources": sources} if sources else {}
        (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    card = write_card(model, tmp_path / "second", tmp_path / "hf", "hf")
    assert "- Data: say here what it is and its licence; SHA-256 `3f2a`" in card
    assert "- Data of `first`: Film reviews (licence: CC0" in card


def test_what_was_measured_stands_with_its_interval(model, tmp_path):
    texts = {"bits_per_byte": 1.0412, "interval": [0.98, 1.229], "documents": 12}
    suite = {"suite": "grammar", "accuracy": 0.86, "interval": [0.8, 0.91], "items": 100}
    (tmp_path / "run").mkdir()
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(texts), "utf-8")
    # As a road lays them.
    one_text = {**texts, "bits_per_byte": 2.0, "interval": None, "documents": 1}
    (tmp_path / "evaluate" / "english-run.json").write_text(json.dumps(one_text), "utf-8")
    (tmp_path / "evaluate" / "suites-run.json").write_text(json.dumps({"suites": [suite]}), "utf-8")
    (tmp_path / "evaluate" / "suites-base.json").write_text(json.dumps({"suites": [suite]}))
    card = write_card(model, tmp_path / "run", tmp_path / "hf", "hf")
    figures = [line for line in card.partition("## Figures")[2].splitlines() if line[:2] == "- "]
    assert figures == [
        "- held-out texts: 1.041 (0.980–1.229) bits per byte (12 documents)",
        "- english: 2.000 bits per byte (1 documents)",
        "- grammar: 86.0% (80.0%–91.0%) right of 100",
    ]
    assert "## Figures" not in write_card(model, tmp_path / "evaluate", tmp_path / "hf", "hf")
