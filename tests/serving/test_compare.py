"""What is measured of a served model, and which one is chosen."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemma_ko_lib import cli
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import compare, engine
from tests.conftest import ROOT

FULL = compare.Variant(
    name="full",
    file_bytes=540_000_000,
    load_seconds=2.0,
    peak_memory_bytes=900_000_000,
    first_token_seconds=0.8,
    tokens_per_second=12.0,
    tokens_per_second_of_8=20.0,
    tokens_per_cpu_second=12.0,
    tokens_per_cpu_second_of_8=20.0,
    letters_per_token=1.5,
    bits_per_byte={"ko": (1.500, 1.4, 1.6), "en": (1.0, 0.9, 1.1)},
)


def _variant(name: str, korean: float, **changes) -> compare.Variant:
    quality = {**FULL.bits_per_byte, "ko": (korean, 1.4, 1.6)}
    return dataclasses.replace(FULL, name=name, bits_per_byte=quality, **changes)


SMALL = _variant("small", 1.510, peak_memory_bytes=500_000_000, tokens_per_cpu_second_of_8=30.0)
WORSE = _variant("worse", 1.700, peak_memory_bytes=400_000_000, tokens_per_cpu_second_of_8=90.0)


def test_of_equally_good_ones_the_most_efficient_is_chosen():
    choice = compare.choose([FULL, SMALL, WORSE])
    assert choice.name == "small"
    assert "worse is out: its Korean bits per byte are 13.3% above the best." in choice.reasons
    assert choice.reasons[-1].startswith("small writes 45.0 Korean letters a CPU-second")


def test_a_longer_piece_counts_by_its_letters():
    # As many tokens a CPU-second, but each of twice the letters.
    longer = _variant("longer", 1.505, letters_per_token=3.0)
    assert compare.choose([FULL, longer]).name == "longer"


def test_limits_come_before_quality():
    assert compare.choose([FULL, WORSE], memory=600e6).name == "worse"
    slow = _variant("slow", 1.2, first_token_seconds=3.0)
    choice = compare.choose([FULL, slow], latency=2.0)
    assert choice.name == "full"
    assert choice.reasons[0] == "slow is out: its first token takes 3.00 s, more than 2 s."


def test_where_none_fits_each_reason_is_given():
    with pytest.raises(UserError, match=r"full is out: .*small is out"):
        compare.choose([FULL, SMALL], memory=1e6)


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.gguf").touch()
    with pytest.raises(UserError, match="both be called 'model'"):
        engine.named([str(tmp_path / "a/model.gguf"), str(tmp_path / "b/model.gguf")])


def test_a_folder_with_one_gguf_file_stands_for_it(tmp_path):
    with pytest.raises(UserError, match="neither a GGUF file nor"):
        engine.find_gguf(str(tmp_path))
    (tmp_path / "one.gguf").touch()
    assert engine.find_gguf(str(tmp_path)) == tmp_path / "one.gguf"
    (tmp_path / "two.gguf").touch()
    with pytest.raises(UserError, match=r"one\.gguf, two\.gguf"):
        engine.find_gguf(str(tmp_path))


@pytest.mark.parametrize("typed", ["{here}/rnus/chat", "rnus/chat", "../rnus", "nanoo"])
def test_a_mistyped_path_leaves_no_folder(typed, tmp_path, monkeypatch):
    refused = subprocess.CompletedProcess([], 1, "", "gemma-ko: no such model")
    monkeypatch.setattr(engine.subprocess, "run", lambda *args, **kwargs: refused)
    monkeypatch.setenv("GEMMA_KO_CACHE", str(tmp_path / "deep" / "cache"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="^no such model"):
        engine.find_gguf(typed.format(here=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_shards_is_exported_too(tmp_path, monkeypatch):
    shards, cache = tmp_path / "shards", tmp_path / "cache"
    shards.mkdir()
    (shards / "model.safetensors.index.json").write_text("{}")
    monkeypatch.setenv("GEMMA_KO_CACHE", str(cache))

    def export(command, **_):
        (Path(command[command.index("-o") + 1]) / "shards-q8_0.gguf").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(engine.subprocess, "run", export)
    assert engine.find_gguf(str(shards)).name == "shards-q8_0.gguf"


def test_a_served_file_is_measured(tiny):
    pytest.importorskip("xllamacpp")
    (variant,) = compare.measure([str(tiny / "base.gguf")], threads=1, tokens=4, quality=False)
    assert variant.file_bytes == (tiny / "base.gguf").stat().st_size
    # Its pieces are bytes, three of them a syllable.
    assert 0.3 < variant.letters_per_token < 0.6
    assert variant.tokens_per_cpu_second_of_8 > 0
    assert variant.peak_memory_bytes > 10**7
    with pytest.raises(UserError, match="needs the quality"):
        compare.choose([variant])
    heading, row = compare.table([variant])
    assert len(heading) == len(row)
    json.dumps(variant.as_dict(), allow_nan=False)


@pytest.mark.parametrize("command", ["serve", "chat", "compare"])
def test_without_the_extra_a_sentence_says_what_to_install(command, tiny, tmp_path):
    for package in ("xllamacpp", "tornado", "httpx"):
        (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError")
    done = subprocess.run(
        [sys.executable, "-m", "gemma_ko_lib.cli", command, str(tiny / "base.gguf")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "gemma-ko: Serving needs llama.cpp: install it with pip install 'gemma-ko[serve]'.\n"
    )


@pytest.mark.parametrize("limit", [["--memory", "600"], ["--latency", "2"], ["--memory", "0GB"]])
def test_a_limit_needs_a_unit(limit, capsys):
    with pytest.raises(SystemExit):
        cli.main(["compare", "x.gguf", *limit])
    assert "write" in capsys.readouterr().err


def test_what_was_measured_is_shown_where_none_fits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "measure", lambda *_, **__: [FULL, SMALL])
    command = ["compare", "x.gguf", "--memory", "1MB", "-o", str(tmp_path)]
    assert cli.main(command) != 0
    said = capsys.readouterr()
    assert "No variant fits. full is out" in said.err
    assert "1.500 (1.400–1.600)" in said.out and "Chosen" not in said.out
    found = json.loads((tmp_path / "comparison.json").read_text("utf-8"))
    assert [its["name"] for its in found["variants"]] == ["full", "small"]
    assert found["chosen"] is None and "small is out" in found["reasons"][0]
    assert (tmp_path / "frontier.png").is_file()


def test_what_was_measured_is_shown_where_it_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "measure", lambda *_, **__: [FULL, SMALL])
    (tmp_path / "out").write_text("a file of that name")
    assert cli.main(["compare", "x.gguf", "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "Chosen: small" in said.out and "Cannot write" in said.err


@pytest.mark.slow
def test_compare_exports_a_model_once_and_writes_figures_and_chart(tmp_path, monkeypatch, capsys):
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("GEMMA_KO_CACHE", str(tmp_path / "cache"))
    command = ["compare", "nano", "--documents", "4", "--threads", "1", "--memory", "1GB"]
    assert cli.main([*command, "-o", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"] == "nano"
    (variant,) = found["variants"]
    # Nano has read English, and Korean as bytes only.
    assert variant["bits_per_byte"]["en"][0] < variant["bits_per_byte"]["ko"][0]
    assert json.loads((tmp_path / "out" / "comparison.json").read_text("utf-8")) == found
    assert (tmp_path / "out" / "frontier.png").stat().st_size > 5000
    (exported,) = (tmp_path / "cache" / "serving" / "nano").glob("*.gguf")
    written = exported.stat().st_mtime_ns
    assert engine.find_gguf("nano") == exported
    assert exported.stat().st_mtime_ns == written
