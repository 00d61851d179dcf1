"""The road from one file: what is refused, what is passed over, what a kill leaves behind."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gemma_ko_lib import cli
from gemma_ko_lib.cli import options, road_commands, road_figures, road_plan
from gemma_ko_lib.cli.road_file import read_road
from gemma_ko_lib.cli.road_steps import Step, road_of
from gemma_ko_lib.course import road_report
from gemma_ko_lib.runtime import UserError, samples_dir, sha256_of
from tests.conftest import ROOT, SENTENCES, make_model

HEAD = """\
model: MODEL
hourly_rate: 0.2
clean:
  inputs: [texts]
  hold_out: 0.2
vocabulary:
  add: 40
"""
TRAINING = """\
pretrain:
  tokens: 2000
  update_tokens: 256
  length: 64
finetune:
  data: talks.jsonl
  method: full
  tokens: 1000
  update_tokens: 256
  length: 128
"""
TEXTS = """\
evaluate:
  text:
    English: english.txt
  documents: 6
  window: 64
"""
QUESTIONS = """\
  suite: grammar
  items: 4
"""
ROAD = HEAD + TRAINING + TEXTS + QUESTIONS
SERVE = """\
serve:
  answer_tokens: 8
  ask:
    - 비가 오면?
    - 도서관은 몇 시에 열어요?
    - 오늘은 무슨 요일이야?
"""


@pytest.fixture
def road(tmp_path, tiny_tokenizer):
    """A folder with a model of a few thousand parameters, texts, and a road.yaml of them."""
    make_model("gemma2", tokenizer=tiny_tokenizer).save(tmp_path / "tiny")
    (tmp_path / "texts").mkdir()
    lines = [
        json.dumps({"id": f"{i}", "text": f"{i}번 손님은 {SENTENCES[2]} {SENTENCES[3]} {i * 37}명"})
        for i in range(60)
    ]
    (tmp_path / "texts" / "a.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "english.txt").write_text("\n".join([SENTENCES[0], SENTENCES[4]]), "utf-8")
    talks = ({"prompt": f"{n} 더하기 1은?", "response": f"{n + 1}"} for n in range(40))
    (tmp_path / "talks.jsonl").write_text("\n".join(map(json.dumps, talks)), "utf-8")
    path = tmp_path / "road.yaml"
    path.write_text(ROAD.replace("MODEL", "./tiny"), "utf-8")
    return path


# --- The file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("tokens: 2000", "token: 2000", r"line 9, pretrain.token: .* Did you mean tokens\?"),
        ("tokens: 2000", "tokens: six", "line 9, pretrain.tokens: 'six' is not a number of tok"),
        ("add: 40", "add: [1, 2]", "line 7, vocabulary.add: one value belongs here"),
        ("method: full", "methode: full", r"line 14, finetune.methode: .* Did you mean method\?"),
        ("english.txt", "englsh.txt", "line 20, evaluate.text.English: there is no file"),
        ("grammar", "gramar", r"line 23, evaluate.suite: no suite 'gramar'. Did you mean grammar"),
        ("hold_out: 0.2", "hold_out: 2", "line 5, clean.hold_out: '2' is not a share"),
        ("clean:", "clen:", r"line 3, clen: no such key. Did you mean clean\?"),
        ("  items: 4", "  items 4", "line 25: this is no YAML"),
        ("model: MODEL\n", "", "'model' is missing"),
        ("  inputs: [texts]\n", "", "line 4, clean: 'inputs' is missing"),
        ("length: 64", "length: 64\n  length: 32", "line 12, pretrain.length: it is there twice"),
        ("hourly_rate: 0.2", "hourly_rate: free", "line 2, hourly_rate: 'free' is not a number"),
        ("length: 64", "model: nano", "line 11, pretrain.model: no such key"),
        # The folder of the file would be read: the road itself, and what it writes.
        ("inputs: [texts]", "inputs:", "line 4, clean.inputs: it is empty"),
        ("inputs: [texts]", 'inputs: ["a\\0b"]', "line 4, clean.inputs: a character of number 0"),
        ("hold_out: 0.2", "quality: []", "line 5, clean.quality: it is empty"),
        # Else told at the end of the road.
        (
            "  items: 4",
            "  items: 4\nserve:\n  type: q9",
            "line 26, serve.type: no type 'q9'",
        ),
        (
            "  items: 4",
            "  items: 4\nserve:\n  answer_tokens: many",
            "line 26, serve.answer_tokens: 'many' is not a whole number from 1",
        ),
        (
            "  items: 4",
            "  items: 4\nserve:\n  ask: [-x]",
            "line 26, serve.ask: expected at least one argument",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_field_and_remedy(road, was, now, said):
    assert was in ROAD
    road.write_text(ROAD.replace(was, now, 1), "utf-8")
    with pytest.raises(UserError, match=said) as refused:
        road_of(read_road(road, road.parent / "out"))
    assert str(road) in str(refused.value)


@pytest.mark.parametrize(
    ("vocabulary", "options"),
    [
        ("vocabulary:\n  pieces: 32k", "--keep-from clean --pieces 32k"),
        ("vocabulary:\n  add: 4k", "--learn-from clean --add 4k"),
        (
            "vocabulary:\n  pieces: 32k\n  add: 4k",
            "--keep-from clean --learn-from clean --pieces 32k --add 4k",
        ),
    ],
)
def test_a_vocabulary_is_cut_extended_or_exchanged(tmp_path, vocabulary, options):
    path = tmp_path / "road.yaml"
    head = "model: gemma3_270m\nclean: {inputs: ['open:petitions'], limit: 20MB}\n"
    path.write_text(head + vocabulary, "utf-8")
    clean, changed = road_of(read_road(path, tmp_path / "out")).steps
    assert clean.command == "gemma-ko clean open:petitions -o clean --limit 20MB"
    expected = f"gemma-ko vocabulary --model gemma3_270m {options} -o vocabulary"
    assert changed.command == expected


def test_what_is_left_out_or_kept_has_no_step(tmp_path):
    path = tmp_path / "road.yaml"
    path.write_text(
        "model: nano\nclean: {inputs: open:nsmc}\nvocabulary: keep\npretrain: {tokens: 20k}\n"
        "finetune:\n",
        "utf-8",
    )
    road = road_of(read_road(path, tmp_path / "out"))
    assert [step.name for step in road.steps] == ["clean", "pretrain"]
    assert road.stations == {"base": "nano", "pretrain": "pretrain"}


def test_the_example_of_the_course_is_a_road():
    example = read_road(samples_dir() / "road.yaml", samples_dir() / "road")
    road = road_of(example)
    assert list(road.stations) == ["base", "vocabulary", "pretrain", "finetune"]
    assert len(road_of(example).steps[-1].words) > 3 and len(example.sections) == 6


def test_paths_hold_in_a_folder_that_a_link_leads_to(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    path, out = tmp_path / "road.yaml", tmp_path / "link" / "out"
    path.write_text("model: nano\nclean: {inputs: texts}\n", "utf-8")
    (step,) = road_of(read_road(path, out)).steps
    out.mkdir()
    monkeypatch.chdir(out)
    assert Path(step.words[1]).resolve() == tmp_path / "texts"


@pytest.mark.parametrize("name", ["held-out", "held out", "suites"])
def test_a_text_takes_no_name_that_the_road_uses(tmp_path, name):
    (tmp_path / "a.txt").write_text("글", "utf-8")
    path = tmp_path / "road.yaml"
    clean = "model: nano\nclean: {inputs: a.txt, hold_out: 0.1}\n"
    path.write_text(f"{clean}evaluate: {{text: {{{name}: a.txt}}, suite: grammar}}\n", "utf-8")
    with pytest.raises(UserError, match="two texts would be called alike"):
        road_of(read_road(path, tmp_path / "out"))


def test_texts_keep_the_names_that_they_are_given(tmp_path):
    (tmp_path / "a.txt").write_text("글", "utf-8")
    path = tmp_path / "road.yaml"
    texts = "{sci-fi: a.txt, sci_fi: a.txt}"
    path.write_text(
        f"model: nano\nclean: {{inputs: a.txt, hold-out: 0.1}}\nevaluate: {{text: {texts}}}\n",
        "utf-8",
    )
    assert road_of(read_road(path, tmp_path / "out")).texts == ["held-out", "sci-fi", "sci_fi"]


@pytest.mark.parametrize("model", ["a.gguf", "./a.gguf", "./folder"])
def test_a_model_of_the_user_is_seen_from_the_folder(tmp_path, monkeypatch, model):
    (tmp_path / "a.gguf").write_text("")
    (tmp_path / "folder").mkdir()
    path, out = tmp_path / "road.yaml", tmp_path / "out"
    path.write_text(f"model: {model}\nclean: {{inputs: a.gguf}}\npretrain:\n  rows: 1\n", "utf-8")
    file = read_road(path, out)
    out.mkdir()
    monkeypatch.chdir(out)
    assert Path(file.model).resolve() == (tmp_path / model).resolve()
    assert file.model_files == [str((tmp_path / model).resolve())]
    assert road_of(file).steps[1].files == (*file.model_files,)


def test_a_plan_counts_the_tokens_that_are_learnt_from(tmp_path, monkeypatch):
    for name, letters in (("texts/a.txt", 4000), ("talks.jsonl", 400), ("tests/b.txt", 80_000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a" * letters)
    path = tmp_path / "road.yaml"
    path.write_text(
        "model: nano\nclean: {inputs: texts, decontaminate: tests}\npretrain: {epochs: 2}\n"
        "finetune: {data: talks.jsonl, decontaminate: tests, epochs: 1}\n",
        "utf-8",
    )
    file = read_road(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert road_plan._tokens(file, "pretrain") == 2 * 1000
    assert road_plan._tokens(file, "finetune") == 100


def test_a_plan_looks_from_the_folder_that_is_not_there_yet(tmp_path, monkeypatch, capsys):
    for name in ("here/steps", "here/clean", "deep/tiny"):
        (tmp_path / name).mkdir(parents=True)
    path = tmp_path / "deep" / "road.yaml"
    path.write_text("model: ./tiny\nclean: {inputs: tiny}\n", "utf-8")

    def look(file, road, states):
        return f"{states} {Path(file.model).is_dir()} {Path('clean').exists()}"

    monkeypatch.setattr(road_plan, "describe", look)
    monkeypatch.chdir(tmp_path / "here")  # as the folder of another road
    assert cli.main(["road", str(path), "-o", str(tmp_path / "deep" / "out"), "--plan"]) == 0
    assert capsys.readouterr().out == "['to do'] True False\n"
    assert not (tmp_path / "deep" / "out").exists()


# --- Running -------------------------------------------------------------------------


def _lines(capsys) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]


def test_what_is_done_is_passed_over_and_a_change_runs_what_depends_on_it(road, capsys):
    out = road.parent / "out"
    road.write_text((HEAD + TEXTS).replace("MODEL", "./tiny"), "utf-8")
    assert cli.main(["road", str(road), "-o", str(out)]) == 0
    first = _lines(capsys)
    assert first[0] == "[1/6] clean" and first[-1].startswith("[6/6] English, vocabulary: done")

    assert cli.main(["road", str(road), "-o", str(out)]) == 0
    assert all(": done before, in " in line for line in _lines(capsys))

    road.write_text(road.read_text("utf-8").replace("add: 40", "add: 50"), "utf-8")
    assert cli.main(["road", str(road), "-o", str(out), "--plan"]) == 0
    planned = {line.partition("] ")[2] for line in _lines(capsys)}
    assert "vocabulary: to do again: add: 40 → 50" in planned
    assert "held-out, vocabulary: to do again: vocabulary: done → done anew" in planned
    assert sum("to do" in line for line in planned) == 3

    road.rename(road.parent / "moved.yaml")  # nor does it matter where things lie
    out = out.rename(road.parent / "elsewhere")
    assert cli.main(["road", str(road.parent / "moved.yaml"), "-o", str(out)]) == 0
    again = _lines(capsys)
    assert sum("done before" in line for line in again) == 3
    assert "[2/6] vocabulary: add: 40 → 50" in again
    assert (out / "replaced" / "vocabulary-1" / "model.safetensors").is_file()

    (road.parent / "texts" / "b.txt").write_text("\n".join(SENTENCES), "utf-8")
    assert cli.main(["road", str(road.parent / "moved.yaml"), "-o", str(out), "--plan"]) == 0
    planned = {line.partition("] ")[2] for line in _lines(capsys)}
    assert "clean: to do again: texts: read → read, with other contents" in planned


def _check_report(report: dict, page: str) -> None:
    assert report["stations"] == ["base", "vocabulary", "pretrain", "finetune"]
    for found in report["bits_per_byte"].values():
        stations = found["stations"]
        change = stations["finetune"][0] - stations["base"][0]
        assert found["change"][0] == pytest.approx(change)
        assert f"{stations['base'][0]:.3f}" in page
    found = report["bits_per_byte"]["held-out"]
    assert all(low < value < high for value, low, high in found["stations"].values())
    assert found["change"][1] < found["change"][0] < found["change"][2] < 0
    assert report["tokens"]["pretrain"] == pytest.approx(2000, rel=0.2)
    assert report["cost"] == pytest.approx(report["hours"] * 0.2)
    assert set(report["questions"]) == {"grammar"} and len(report["chats"]) == 3


def test_a_folder_of_something_else_is_not_touched(road, capsys):
    mine = road.parent / "out" / "clean"
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("일기", "utf-8")
    assert cli.main(["road", str(road), "-o", str(mine.parent)]) == 1
    assert "is there and not from this road" in capsys.readouterr().err
    assert (mine / "mine.txt").read_text("utf-8") == "일기"


@pytest.mark.parametrize("note", ["", "{", "[]", '{"settings": {}, "seconds": 1}'])
def test_a_damaged_note_is_named_with_the_remedy(note, road, capsys):
    note_file = road.parent / "out" / "steps" / "clean.json"
    note_file.parent.mkdir(parents=True)
    note_file.write_text(note, "utf-8")
    for how in ([], ["--plan"]):
        assert cli.main(["road", str(road), "-o", str(road.parent / "out"), *how]) == 1
        said = capsys.readouterr().err
        assert str(note_file) in said and "Delete it and move clean away" in said
    assert note_file.read_text("utf-8") == note


def test_rejects_of_a_step_are_told_also_when_it_was_done_before(road, capsys):
    (road.parent / "texts" / "b.jsonl").write_text('{"text": "끊긴', "utf-8")
    road.write_text(HEAD[: HEAD.index("vocabulary")].replace("MODEL", "./tiny"), "utf-8")
    for _ in ("new", "done before"):
        assert cli.main(["road", str(road), "-o", str(road.parent / "out")]) == options.PARTIAL
        assert "Some of the input was rejected in: clean\n" in capsys.readouterr().out


def test_a_step_that_was_stopped_counts_its_time_once(tmp_path, monkeypatch):
    lives = iter([KeyboardInterrupt(), None])

    def clean(arguments):
        if stopped := next(lives):
            time.sleep(0.4)
            Path("clean").mkdir()
            (Path("clean") / "half.txt").write_text("반")
            raise stopped

    parser = argparse.ArgumentParser()
    parser.set_defaults(run=clean)
    step = Step("clean", ["clean"], "clean")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        road_commands._run_all([step], {"clean": parser})
    stopped = road_commands._record(step)
    assert stopped["seconds"] >= 0.4 and not stopped["finished"]
    road_commands._run_all([step], {"clean": parser})
    record = road_commands._record(step)
    assert record["finished"] and record["seconds"] < stopped["seconds"] + 0.3


@pytest.mark.parametrize("output", ["pretrain", "evaluate/suites-base.json"])
def test_what_is_replaced_takes_no_place_of_what_was_replaced_before(output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    step, replaced = Step("x", ["x"], output), Path("replaced")
    for text in ("first", "second", "third"):
        path = Path(output)
        path.parent.mkdir(exist_ok=True)
        if path.suffix:
            path.write_text(text)
        else:
            path.mkdir()
            (path / "file").write_text(text)
        road_commands._make_room(step, {"settings": {}}, goes_on=False)
        if text == "second":  # somebody needs the room
            first = sorted(replaced.iterdir())[0]
            shutil.rmtree(first) if first.is_dir() else first.unlink()
    kept = {path.read_text() for path in replaced.rglob("*") if path.is_file()}
    assert kept == {"second", "third"}


def test_a_section_that_was_taken_out_leaves_no_figures_in_the_report(tmp_path, monkeypatch):
    path = tmp_path / "road.yaml"
    path.write_text("model: nano\nclean: {inputs: open:nsmc}\npretrain: {rows: 1}\n", "utf-8")
    file = read_road(path, tmp_path)
    road = road_of(file)
    monkeypatch.chdir(tmp_path)
    figures = ("suites-base.json", "news-pretrain.json")
    old = [place + name for name in figures for place in ("evaluate/", "steps/evaluate-")]
    others = ["serve/chat-base.json", "serve/pretrain/README.md", "pretrain/metrics.jsonl"]
    for name in [*old, *others, "evaluate/mine.json"]:
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text("{}")
    report = road_figures.collect(file, road, dict.fromkeys(("clean", "pretrain"), 1.0))
    assert (report["questions"], report["chats"], report["card"]) == ({}, [], "")
    monkeypatch.setattr(road_commands, "_looked_at", lambda steps: [])
    road_commands._run_all(road.steps, {})
    assert [path.name for path in Path("evaluate").iterdir()] == ["mine.json"]
    assert len(list(Path("replaced").iterdir())) == 2


def test_tasks_of_the_harness_are_in_the_report(tmp_path, monkeypatch):
    path = tmp_path / "road.yaml"
    path.write_text(
        "model: nano\nclean: {inputs: open:nsmc}\nvocabulary: {add: 4k}\n"
        "evaluate: {suite: 'lm_eval:kobest_copa'}\n",
        "utf-8",
    )
    file = read_road(path, tmp_path)
    road = road_of(file)
    monkeypatch.chdir(tmp_path)
    for station, right in {"base": 0.25, "vocabulary": 0.5}.items():
        figures = {"kobest_copa": {"acc,none": right, "acc_stderr,none": 0.01}}
        target = Path("evaluate") / f"suites-{station}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps({"suites": [], "lm_eval": figures}))
    report = road_figures.collect(file, road, {step.name: 1.0 for step in road.steps})
    assert report["harness"] == {"kobest_copa": {"acc": [0.25, 0.5]}}
    road_report.write(report, tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "kobest_copa" in page and "0.2500" in page and "0.5000" in page


@pytest.mark.slow
def test_sigkill_in_each_step_changes_nothing(road):
    pytest.importorskip("xllamacpp")
    road.write_text(road.read_text("utf-8") + SERVE, "utf-8")
    whole, killed = road.parent / "whole", road.parent / "killed"
    assert _life(road, whole, None) == 0
    report = json.loads((whole / "report.json").read_text("utf-8"))
    _check_report(report, (whole / "report.html").read_text("utf-8"))
    steps = report["steps"]
    assert len(steps) == 18
    for step in steps:
        assert _life(road, killed, step["name"]) == -signal.SIGKILL
    assert _life(road, killed, None) == 0
    assert _result(killed) == _result(whole)


def _life(road: Path, out: Path, until: str | None) -> int:
    """Run the road, and kill it while it is in a step; the exit code."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "gemma_ko_lib.cli", "road", str(road), "-o", str(out)],
        cwd=ROOT,
        # A cache of compiled programs that a kill has torn is XLA's own matter.
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_COMPILATION_CACHE": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        name = line.strip().partition("] ")[2].removesuffix(", goes on")
        if until and name == until:
            _wait_until_it_works(out / until, process)
            process.kill()
            break
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), "".join(said) + errors[-3000:]
    return process.returncode


def _wait_until_it_works(folder: Path, process) -> None:
    """Until a training has a checkpoint; the other steps are killed as they begin."""
    training = folder.name in ("pretrain", "finetune")
    while training and process.poll() is None:
        if any(path.name.isdigit() for path in (folder / "checkpoints").glob("*")):
            break
        time.sleep(0.02)


def _result(out: Path) -> dict:
    """All that a road has found, without times."""
    report = json.loads((out / "report.json").read_text("utf-8"))
    for key in ("hours", "cost", "steps", "date"):
        del report[key]
    models = sorted([*out.glob("*/model.safetensors"), *out.glob("serve/*/*.gguf")])
    assert len(models) == 5
    return {"report": report} | {str(p.relative_to(out)): sha256_of(p) for p in models}
