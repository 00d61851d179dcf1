"""Commands: exit codes, JSON that is only JSON, and errors without a traceback."""

import gzip
import json

import pytest

from gemma_ko_lib import cli
from tests.conftest import SENTENCES


@pytest.fixture
def raw_file(tmp_path):
    path = tmp_path / "raw.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for i, text in enumerate([*SENTENCES, "영화가 정말 재미있었다ㅋㅋㅋㅋㅋ"] * 20):
            file.write(json.dumps({"id": str(i), "film": str(i % 10), "text": text}) + "\n")
    return path


def test_the_road_from_raw_text_to_bits_per_byte(raw_file, tmp_path, capsys):
    """clean → pretrain → evaluate, on nano, as a user types it."""
    data, run = str(tmp_path / "data"), str(tmp_path / "run")
    clean = ["clean", str(raw_file), "-o", data, "--hold-out", "0.3", "--hold-out-by", "film"]
    assert cli.main(clean) == 0
    pretrain = ["pretrain", "--model", "nano", "--profile", "smoke", "--steps", "12"]
    assert cli.main([*pretrain, "--data", data, "-o", run]) == 0
    capsys.readouterr()
    figures = []
    for model in ("nano", run):
        text = str(tmp_path / "data" / "held_out")
        assert cli.main(["evaluate", "--model", model, "--text", text, "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out)["bits_per_byte"])
    assert figures[1] < figures[0]


def test_doctor_prints_one_json_object_and_no_secret(capsys, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "do-not-print-me")
    assert cli.main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["credentials"]["kaggle"]["KAGGLE_KEY"] == "environment"
    assert cli.main(["doctor"]) == 0
    assert "do-not-print-me" not in out + capsys.readouterr().out


def test_tokens_measures_files(raw_file, capsys):
    assert cli.main(["tokens", str(raw_file), "--tokenizer", "nano", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["tokenizers"][0]
    assert row["tokenizer"] == "nano" and row["byte_fragment_fraction"] > 0.3
    assert cli.main(["tokens", str(raw_file)]) == 0
    printed = capsys.readouterr().out
    assert "nano" in printed and f"{row['price_against_english']:.2f}" in printed


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["clean", "{tmp}/none.jsonl", "-o", "{tmp}/out"], "none.jsonl"),
        (["tokens", "{tmp}/none.txt"], "none.txt"),
        (["tokens", "{raw}", "--tokenizer", "gemma9"], "gemma9"),
        (["pretrain", "--model", "nano", "--data", "{tmp}", "-o", "{tmp}/run"], "{tmp}"),
        (["pretrain", "--model", "gone", "--data", "{tmp}", "-o", "{tmp}/run"], "gone"),
        (["evaluate", "--model", "gone", "--text", "{raw}"], "gone"),
        (
            ["pretrain", "--model", "nano", "--data", "{tmp}", "-o", "{tmp}/r", "--profile", "x"],
            "x",
        ),
        (["clean", "{raw}", "-o", "{tmp}/out", "--pii", "burn"], "burn"),
        (["clean", "{raw}", "-o", "{tmp}/out", "--slurm", "time"], "time"),
        (["clean", "{raw}", "-o", "{tmp}/out", "--decontaminate", "{tmp}/no.jsonl"], "no.jsonl"),
        (["course", "--only", "77"], "77"),
    ],
)
def test_a_mistake_is_named_without_a_traceback(arguments, named, raw_file, tmp_path, capsys):
    places = {"tmp": str(tmp_path), "raw": str(raw_file)}
    assert cli.main([a.format(**places) for a in arguments]) == 1
    said = capsys.readouterr().err
    assert named.format(**places) in said and "Traceback" not in said


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfa broken \xff", b'{"no_text": 1}\n'])
def test_a_file_without_a_document_is_an_error(content, tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    assert cli.main(["clean", str(path), "-o", str(tmp_path / "out")]) == 1
    assert "bad.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_damaged_record_is_named_and_the_exit_code_says_partial(raw_file, tmp_path, capsys):
    with gzip.open(raw_file, "at", encoding="utf-8") as file:
        file.write('{"text": "broken off')
    arguments = ["clean", str(raw_file), "-o", str(tmp_path / "out"), "--duplicates", "keep"]
    assert cli.main(arguments) == cli.PARTIAL == 3
    printed = capsys.readouterr().out
    assert "1 rejected" in printed and f"raw.jsonl.gz:{(len(SENTENCES) + 1) * 20 + 1}" in printed
