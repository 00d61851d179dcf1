"""Commands: exit codes, JSON that is only JSON, and errors without a traceback."""

import gzip
import json
import signal
import types

import pytest

from gemma_ko_lib import cli
from gemma_ko_lib.cli.options import PARTIAL
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving.folders import new_folder
from tests.conftest import SENTENCES, on_eight_devices


@pytest.fixture
def raw_file(tmp_path):
    path = tmp_path / "raw.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for i, text in enumerate([*SENTENCES, "영화가 정말 재미있었다ㅋㅋㅋㅋㅋ"] * 20):
            file.write(json.dumps({"id": str(i), "film": str(i % 10), "text": text}) + "\n")
    return path


@pytest.mark.slow  # lesson 12 takes the same road by `gemma-ko road`
def test_the_road_from_raw_text_to_bits_per_byte(raw_file, tmp_path, capsys):
    """clean → pretrain → evaluate, on nano, as a user types it."""
    data, run = str(tmp_path / "data"), str(tmp_path / "run")
    clean = ["clean", str(raw_file), "-o", data, "--hold-out", "0.3", "--hold-out-by", "film"]
    assert cli.main(clean) == 0
    pretrain = "pretrain --model nano --tokens 6k --update-tokens 512 --length 128".split()
    assert cli.main([*pretrain, "--data", data, "-o", run]) == 0
    said = capsys.readouterr()
    assert "Training on 6,1" in said.err and "curves.png" in said.err
    assert (tmp_path / "run" / "curves.png").stat().st_size > 10_000
    log = (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    held_out = [line for line in map(json.loads, log) if "held_out_bits_per_byte" in line]
    assert held_out[-1]["held_out_bits_per_byte"] < held_out[0]["held_out_bits_per_byte"]
    figures = []
    for model in ("nano", run):
        text = str(tmp_path / "data" / "held_out")
        assert cli.main(["evaluate", "--model", model, "--text", text, "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out)["bits_per_byte"])
    assert figures[1] < figures[0]


def test_a_plan_is_a_command_that_can_be_typed(capsys):
    options = ["--device", "v5e-8", "--method", "lomo"]
    assert cli.main(["plan", "--model", "google/gemma-2-27b", *options]) == 0
    command = capsys.readouterr().out.partition("It fits: ")[2].strip()
    assert command == "gemma-ko pretrain --model gemma2_27b_en --data DATA -o RUN --method lomo"
    assert cli.main(["plan", "--model", "gemma2_27b", *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fits"] and found["command"] == command


def test_a_vocabulary_is_exchanged_and_the_model_trains_on(raw_file, tmp_path, capsys):
    """vocabulary → evaluate, on nano: English is cut down, Korean pieces come in."""
    out = str(tmp_path / "exchanged")
    words = ["vocabulary", "--model", "nano", "-o", out, "--keep-from", str(raw_file)]
    words += ["--pieces", "2k", "--add", "30", "--learn-from", str(raw_file)]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "exchanged/vocabulary.json").read_text("utf-8")) == found
    assert found["before"]["pieces"] == 4096 and found["after"]["pieces"] == 2048 + 30
    assert found["after"]["parameters"] < found["before"]["parameters"]
    assert [point["pieces"] for point in found["curve"]] == [2048, 4096]
    assert found["after"]["tokens"]["raw"] < found["before"]["tokens"]["raw"]
    assert cli.main(["evaluate", "--model", out, "--text", str(raw_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 120


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--keep-from to cut"),
        (["--add", "10"], "--learn-from belong together"),
        (["--pieces", "2k", "--add", "10", "--learn-from", "FILE"], "which is missing"),
        (["--keep-from", "FILE", "--pieces", "100"], "can be cut to 263 pieces"),
    ],
)
def test_a_vocabulary_without_its_texts_is_refused(options, said, raw_file, tmp_path, capsys):
    options = [str(raw_file) if option == "FILE" else option for option in options]
    out = tmp_path / "out"
    assert cli.main(["vocabulary", "--model", "nano", "-o", str(out), *options]) == 1
    assert said in capsys.readouterr().err and not out.exists()


def test_no_piece_is_learnt_from_a_text_that_it_is_measured_on(tmp_path):
    from gemma_ko_lib.cli import vocabulary_commands

    lines = [json.dumps({"text": f"{n}번째 손님이 왔어요."}) for n in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    inputs = [str(tmp_path / "a.jsonl")]
    groups, rest, held_out = vocabulary_commands._held_out(inputs)
    learnt_from = vocabulary_commands._without(held_out, inputs)
    measured = {text for texts in groups.values() for text in texts}
    assert len(measured) == 4 and learnt_from == rest and not measured & set(learnt_from)


def test_doctor_prints_one_json_object_and_no_secret(capsys, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "do-not-print-me")
    assert cli.main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["credentials"]["kaggle"]["KAGGLE_KEY"] == "environment"
    assert cli.main(["doctor"]) == 0
    assert "do-not-print-me" not in out + capsys.readouterr().out


def test_the_bare_command_prints_help(capsys):
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert "usage: gemma-ko" in printed and "pretrain" in printed


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
        (["pretrain", "--model", "n", "--data", "d", "-o", "r", "--method", "dora"], "dora"),
        (["pretrain", "--model", "n", "--data", "d", "-o", "r", "--rank", "8"], "rank"),
        (
            ["pretrain", "--model", "n", "--data", "d", "-o", "r", "--replay-fraction", "0.3"],
            "give these, too",
        ),
        (["plan", "--model", "gemma2_2b", "--device", "a100"], "a100-40 or a100-80"),
        (["clean", "{raw}", "-o", "{tmp}/out", "--pii", "burn"], "burn"),
        (["clean", "{raw}", "-o", "{tmp}/out", "--slurm", "time"], "time"),
        (["clean", "{raw}", "-o", "{tmp}/out", "--decontaminate", "{tmp}/no.jsonl"], "no.jsonl"),
        (["course", "--only", "77"], "77"),
        (["course", "--profile", "cpuu", "-o", "{tmp}/out"], "Did you mean cpu?"),
        (["plan", "--model", "gemma3_270n", "--device", "t4"], "Did you mean gemma3_270m"),
        (["tokens", "{raw}", "--tokenizer", "gema3"], "Did you mean gemma3?"),
        (["evaluate", "--model", "nano", "--suite", "grammer"], "Did you mean grammar?"),
        (["clean", "open:petition", "-o", "{tmp}/out"], "Did you mean open:petitions?"),
        # What is a path is called one.
        (
            ["pretrain", "--model", "nano", "--data", "{tmp}/no", "-o", "{tmp}/r"],
            "no folder {tmp}/no",
        ),
        (
            ["pretrain", "--model", "{tmp}/no", "--data", "{tmp}", "-o", "{tmp}/r"],
            "no folder {tmp}/no",
        ),
        (["evaluate", "--model", "runs/no", "--text", "{raw}"], "There is no folder runs/no"),
        # An option that would be passed over in silence.
        (["evaluate", "--model", "nano", "--text", "{raw}", "--items", "4"], "with --text"),
        (["evaluate", "--model", "nano", "--suite", "grammar", "--documents", "4"], "with --suite"),
        (["evaluate", "--model", "nano", "--writing", "--letters"], "--letters changes nothing"),
        (["chat", "nano", "--json"], "--json is of the answers to --ask"),
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
    # Why nothing is left stands in the report too.
    assert json.loads((tmp_path / "out" / "report.json").read_text())["documents"]["kept"] == 0


def test_a_damaged_record_is_named_and_the_exit_code_says_partial(raw_file, tmp_path, capsys):
    with gzip.open(raw_file, "at", encoding="utf-8") as file:
        file.write('{"text": "broken off')
    arguments = ["clean", str(raw_file), "-o", str(tmp_path / "out"), "--duplicates", "keep"]
    assert cli.main(arguments) == PARTIAL == 3
    printed = capsys.readouterr().out
    assert "1 rejected" in printed and f"raw.jsonl.gz:{(len(SENTENCES) + 1) * 20 + 1}" in printed


@pytest.mark.parametrize(
    ("command", "option", "values"),
    [
        ("course", "--jobs", ["0", "-1", "two"]),
        ("clean x -o y", "--hold-out", ["1", "-0.1", "nan", "half"]),
        ("clean x -o y", "--workers", ["0", "1.5"]),
        ("clean x -o y", "--seed", ["-1", "4294967296"]),
        ("pack x -o y --tokenizer nano", "--length", ["1", "0", "-3"]),
        ("pack x -o y --tokenizer nano --length 8", "--temperature", ["0", "inf", "nan"]),
        ("pretrain --model nano --data x -o y", "--tokens", ["0", "-3", "1e999", "nan", "many"]),
        ("pretrain --model nano --data x -o y", "--epochs", ["0", "-1"]),
        ("pretrain --model nano --data x -o y", "--rows", ["0", "-1"]),
        ("pretrain --model nano --data x -o y", "--learning-rate", ["0", "-1e-4", "inf"]),
        ("pretrain --model nano --data x -o y", "--replay-fraction", ["2", "1", "-1"]),
        ("pretrain --model nano --data x -o y", "--seed", ["-1"]),
        ("pretrain --model nano --data x -o y", "--train-embedding", ["-1", "0"]),
        ("finetune --model nano --data x -o y", "--rank", ["0", "-8"]),
        ("finetune --model nano --data x -o y", "--alpha", ["0", "nan"]),
        ("finetune --model nano --data x -o y", "--held-out", ["0", "1.5", "-1"]),
        ("finetune --model nano --data x -o y", "--patience", ["0"]),
        ("evaluate --model nano --text x", "--window", ["1", "0", "-5"]),
        ("evaluate --model nano --text x", "--documents", ["0", "-1"]),
        ("evaluate --model nano --suite grammar", "--items", ["0", "-1"]),
        ("evaluate --model nano --suite culture", "--shots", ["0", "-5"]),
        ("plan --model nano --device t4", "--length", ["0", "-2048"]),
    ],
)
def test_a_number_out_of_range_is_refused_where_it_is_read(command, option, values, capsys):
    for value in values:
        with pytest.raises(SystemExit) as refused:
            cli.main([*command.split(), f"{option}={value}"])
        assert refused.value.code == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"argument {option}: '{value}' is n" in said  # not, neither


def test_a_model_of_no_numbers_has_no_accuracy(monkeypatch, tmp_path, capsys):
    """NaN weights do not load; numbers may still overflow on the way to a figure."""
    from gemma_ko_lib import models

    load = models.load

    def overflowing(name, *args):
        model = load(name, *args)
        model.params["final_normalization/scale"] *= float("inf")
        return model

    monkeypatch.setattr(models, "load", overflowing)
    (tmp_path / "text.txt").write_text("The harbour was quiet.", "utf-8")
    for what in (["--text", str(tmp_path)], ["--suite", "grammar", "--items", "4"]):
        assert cli.main(["evaluate", "--model", "nano", *what, "--json"]) == 1
        said = capsys.readouterr()
        assert said.out == "" and "figures of nano are not finite" in said.err


def test_a_model_that_one_device_has_no_room_for_is_measured_on_all_of_them(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("비가 내렸다. The rain fell all night.", "utf-8")
    script = f"""
import contextlib, dataclasses, io, json
from gemma_ko_lib import cli, models, runtime
machine, place, devices, found = runtime.accelerator(), models.place, set(), []
def placed(params, mesh):
    params = place(params, mesh)
    devices.add(len(params["token_embedding/embeddings"].devices()))
    return params
models.place = placed
for memory in (10**12, 9 * 10**6):  # nano has 6 MB of weights
    runtime.accelerator = lambda: dataclasses.replace(machine, memory_bytes=memory)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        cli.main(["evaluate", "--model", "nano", "--text", {str(text)!r}, "--json"])
    found.append(json.loads(said.getvalue())["bits_per_byte"])
print(json.dumps([found, sorted(devices)]))
"""
    (whole, spread), devices = on_eight_devices(script)
    assert devices == [1, 8]
    assert spread == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(("shots", "given"), [([], {}), (["--shots", "3"], {"num_fewshot": 3})])
def test_the_harness_is_asked_for_examples_too(shots, given, monkeypatch):
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.cli import evaluation_commands

    def evaluate(model, tasks, **how):
        assert (tasks, how) == (["kmmlu"], {"data": None, "limit": None, **given})
        return {"results": {"kmmlu": {"acc,none": 0.5}}}

    harness = types.SimpleNamespace(evaluate=evaluate)
    monkeypatch.setattr(evaluation, "harness", harness, raising=False)
    monkeypatch.setattr(evaluation_commands, "_placed_model", lambda name: None)
    assert cli.main(["evaluate", "--model", "nano", "--suite", "lm_eval:kmmlu", *shots]) == 0


def test_a_task_that_the_harness_lacks_is_told_before_the_suites_are_asked(monkeypatch, capsys):
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.cli import evaluation_commands

    def evaluate(model, tasks, **how):
        raise UserError(f"no task {tasks}")

    def late(*args, **options):
        raise AssertionError("the suites were asked")

    harness = types.SimpleNamespace(evaluate=evaluate)
    monkeypatch.setattr(evaluation, "harness", harness, raising=False)
    monkeypatch.setattr(evaluation, "evaluate_suite", late)
    monkeypatch.setattr(evaluation_commands, "_placed_model", lambda name: None)
    assert cli.main(["evaluate", "--model", "nano", "--suite", "grammar", "lm_eval:kmlu"]) == 1
    assert "no task ['kmlu']" in capsys.readouterr().err


def test_a_mistyped_model_leaves_no_trace(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": f"question {i}", "response": "yes"}) for i in range(50)]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    arguments = ["finetune", "--model", "nanoo", "--data", "data.jsonl", "-o", "runs/first"]
    assert cli.main(arguments) == 1
    assert "nanoo" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["data.jsonl"]


@pytest.mark.parametrize("number", [2, 15])
def test_a_stopped_run_has_an_exit_code_of_its_own(number, monkeypatch, capsys):
    from gemma_ko_lib.training.interruption import Stopped

    def stop(*args, **kwargs):
        raise Stopped("stopped after update 3 of 9, with a checkpoint", number)

    monkeypatch.setattr("gemma_ko_lib.training.pretrain", stop)
    assert cli.main("pretrain --model nano --data x -o y".split()) == 128 + number
    assert capsys.readouterr().err == "gemma-ko: stopped after update 3 of 9, with a checkpoint\n"


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("", ([], 0.0)),  # most people have none; a share of none cannot be packed
        ("--replay {file}", (["The rain fell."], 0.2)),
        ("--replay {file} --replay-fraction 0.4", (["The rain fell."], 0.4)),
        ("--replay {file} --replay-fraction 0", ([], 0.0)),
    ],
)
def test_replay_and_its_share_reach_the_trainer_together(typed, given, tmp_path, monkeypatch):
    class Done(Exception):
        pass

    def note(*_, replay, replay_fraction, **__):
        raise Done(replay, replay_fraction)

    file = tmp_path / "english.jsonl"
    file.write_text('{"text": "The rain fell."}\n')
    monkeypatch.setattr("gemma_ko_lib.training.pretrain", note)
    command = f"pretrain --model nano --data x -o y {typed.format(file=file)}"
    with pytest.raises(Done) as found:
        cli.main(command.split())
    assert found.value.args == given


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_from_outside_ends_what_it_has_begun(
    number, tmp_path, monkeypatch, capsys
):
    def export(source, folder, *given):
        with new_folder(folder):
            signal.raise_signal(number)

    monkeypatch.setattr("gemma_ko_lib.serving.leaving.export", export)
    before = signal.signal(number, signal.SIG_DFL)  # under nohup SIGHUP is ignored
    assert cli.main(["export", "nano", "-o", str(tmp_path / "out")]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "gemma-ko: stopped by SIGTERM\n"
    assert list(tmp_path.iterdir()) == []
    assert signal.signal(number, before) is signal.SIG_DFL


def test_a_path_that_cannot_be_looked_at_is_no_traceback(capsys):
    assert cli.main(["progress", "가" * 200]) == 1
    assert capsys.readouterr().err == f"gemma-ko: {'가' * 200}: File name too long\n"


@pytest.mark.parametrize("edition, folder", [([], "notebooks"), (["--edition", "ko"], "ko")])
def test_an_edition_runs_its_own_notebooks(edition, folder, tmp_path, monkeypatch):
    from gemma_ko_lib import course

    class Done(Exception):
        pass

    def run(**arguments):
        (path,) = course.find_notebooks(arguments["only"], arguments["folder"])
        raise Done(path)

    monkeypatch.setattr(course, "run_course", run)
    with pytest.raises(Done) as done:
        cli.main(["course", *edition, "--only", "05", "-o", str(tmp_path)])
    (path,) = done.value.args
    assert path.parent.name == folder and path.name == "05_korean_corpus.ipynb"


def test_no_command_passes_control_sequences_of_a_file_name_on(tmp_path, monkeypatch, capsys):
    lines = "gemma_ko_lib.course.learner_progress.progress_lines"
    monkeypatch.setattr(lines, lambda lessons: ["a\x1b[2J"])
    assert cli.main(["progress", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert r"a\x1b[2J" in printed and "\x1b" not in printed
