"""Fine-tuning: the run folder, early stopping, resume, adapters that others can read."""

import json

import numpy as np
import pytest

from gemma_ko_lib import models, training
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import leaving
from gemma_ko_lib.tokenization.conversations import Turn, pack_conversations
from gemma_ko_lib.training import Method, RunSize, answers
from gemma_ko_lib.training.run_log import Watch
from tests.conftest import on_eight_devices

TALKS = [
    (Turn("user", f"Question {number}?"), Turn("model", f"The answer is {number % 3}."))
    for number in range(40)
]
LORA = Method("lora", rank=2)
SIZE = RunSize(tokens=512, update_tokens=256, length=64)


@pytest.fixture
def model_folder(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def data(tmp_path):
    records = [{"prompt": q.text, "response": a.text} for q, a in TALKS]
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + '\n{"prompt": "?"}\n', "utf-8")
    return path


@pytest.fixture
def run(model_folder, data, tmp_path):
    def run(name, **changed):
        options = {"method": LORA, "size": SIZE, "quiet": True} | changed
        return training.finetune(str(model_folder), data, tmp_path / name, **options)

    return run


def rows_of(talks, model, length=64):
    return pack_conversations(talks, model.tokenizer, length)


def config(**changed):
    settings = {"steps": 6, "batch_rows": 2, "learning_rate": 3e-2, "warmup_steps": 1}
    return training.LoopConfig(**settings | {"checkpoint_every": 2, "evaluate_every": 2} | changed)


def test_a_finished_run_is_a_plain_model_an_adapter_and_a_summary(run, model_folder, tmp_path):
    summary = run("run")
    assert summary["conversations"] + summary["held_out"] == len(TALKS)
    assert "talks.jsonl, line 41" in summary["rejects"][0]
    folder = tmp_path / "run"
    assert {"adapter", "summary.json", "model.json"} <= {path.name for path in folder.iterdir()}
    tuned, base = models.load(folder), models.load(model_folder)
    assert set(tuned.params) == set(base.params)
    assert run("run", resume=True) == summary


def test_a_file_to_choose_by_may_be_in_the_home_folder(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    record = {"prompt": "Another question?", "response": "The answer is 1."}
    (tmp_path / "choose.jsonl").write_text(json.dumps(record))
    assert run("run", held_out="~/choose.jsonl")["held_out"] == 1


def test_held_out_questions_that_are_trained_on_are_told(run, data, tmp_path, capsys):
    lines = [json.dumps({"prompt": x, "response": "?"}) for x in (" Question\n3? ", "Another?")]
    (tmp_path / "choose.jsonl").write_text("\n".join(lines))
    run("some", held_out=tmp_path / "choose.jsonl", quiet=False)
    assert "1 of the 2 held-out conversations begin with a question" in capsys.readouterr().err
    run("none", quiet=False)
    assert "held-out conversations begin" not in capsys.readouterr().err


def test_an_adapter_is_not_kept_without_the_embedding_that_was_trained_with_it(run, tmp_path):
    run("both", method=Method("lora", rank=2, embedding_rate=0.1))
    assert (tmp_path / "both" / "model.json").is_file()
    assert not (tmp_path / "both" / "adapter").exists()
    with pytest.raises(UserError, match="holds no adapter/.*not with --train-embedding"):
        leaving.export(str(tmp_path / "both"), tmp_path / "peft", "peft")


def test_a_run_is_not_overwritten_and_not_resumed_with_other_settings(run):
    run("run")
    with pytest.raises(UserError, match="holds a run already.*--resume"):
        run("run")
    with pytest.raises(UserError, match=r"other settings \(was → is\):\n  method.rank: 2 → 1\n"):
        run("run", method=Method("lora", rank=1, alpha=4), resume=True)


def test_a_finished_run_without_its_summary_says_so(run, tmp_path):
    first = run("chat")
    assert run("chat", resume=True) == first
    (tmp_path / "chat" / "summary.json").unlink()
    with pytest.raises(UserError, match="finished, but its .*summary.json cannot be read"):
        run("chat", resume=True)


def test_what_cannot_be_held_out_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(UserError, match="0 to measure.*--held-out"):
        run("run", held_out=0.0)
    assert not (tmp_path / "run").exists()


def test_conversations_with_a_piece_of_a_test_are_left_out_and_listed(run, data, tmp_path):
    leak = "강릉에서 해마다 단오에 열리는 오래된 잔치의 이름은 무엇인가"
    exam = tmp_path / "exams" / "exam.jsonl"
    exam.parent.mkdir()
    exam.write_text(json.dumps({"question": f"{leak}?", "answer": "단오제"}), "utf-8")
    asked = {"prompt": "시험 문제 하나만 내 줘.", "response": f"{leak}? 답은 단오제이다."}
    data.write_text(data.read_text("utf-8") + json.dumps(asked), "utf-8")
    held = tmp_path / "held.jsonl"
    talk = {"prompt": "안녕?", "response": "네, 안녕하세요."}
    held.write_text("\n".join(map(json.dumps, (asked, talk))), "utf-8")
    summary = run("run", decontaminate=[exam.parent], held_out=held)
    assert (summary["conversations"], summary["held_out"]) == (len(TALKS), 1)
    assert summary["contaminated"] == 2
    lines = [
        json.loads(x) for x in (tmp_path / "run" / "contaminated.jsonl").open(encoding="utf-8")
    ]
    found = {"question": asked["prompt"], "item": "exam.jsonl:1", "words": leak}
    assert lines == [{"file": name, **found} for name in ("talks.jsonl", "held.jsonl")]
    # Without the test it is another run.
    with pytest.raises(UserError, match="other settings"):
        run("run", held_out=held, resume=True)


def test_data_of_leaks_alone_is_refused_before_anything_is_written(run, data, tmp_path):
    data.write_text(json.dumps({"prompt": "q", "response": "one two three four five six"}))
    with pytest.raises(
        UserError, match=r"All 1 conversations of .*talks\.jsonl .* of talks\.jsonl:1"
    ):
        run("run", decontaminate=[data])
    with pytest.raises(UserError, match=r"evaluation set .*none\.jsonl"):
        run("run", decontaminate=[tmp_path / "none.jsonl"])
    assert not (tmp_path / "run").exists()


def test_a_question_is_on_one_side_whatever_the_order_of_the_file():
    again = [(q, Turn("model", "Another answer.")) for q, _ in TALKS]
    kept, other = training.split_conversations([*again, *reversed(TALKS)], 0.25)
    assert len(kept) + len(other) == 2 * len(TALKS) and 8 < len(other) < 32
    assert not {talk[0] for talk in kept} & {talk[0] for talk in other}
    assert set(training.split_conversations(TALKS, 0.25)[1]) <= set(other)


def test_the_loss_on_answers_does_not_depend_on_how_they_are_packed(tiny_model):
    long, short = (rows_of(TALKS, tiny_model, length) for length in (128, 48))
    assert len(long) < len(short)
    assert training.answer_loss(tiny_model, long, batch_rows=3) == pytest.approx(
        training.answer_loss(tiny_model, short, batch_rows=4), rel=1e-4
    )


@pytest.mark.parametrize("method", ["full", "olora", "lomo"])
def test_every_kind_of_method_learns_to_answer(method, tiny_model, tmp_path):
    kept, other = training.split_conversations(TALKS, 0.25)
    tuned = training.train_on_answers(
        tiny_model,
        rows_of(kept, tiny_model),
        rows_of(other, tiny_model),
        config(steps=12, evaluate_every=6, learning_rate=1.0 if method == "lomo" else 3e-2),
        tmp_path,
        method=Method(method, rank=2 if method == "olora" else None),
        quiet=True,
    )
    losses = tuned.held_out_loss
    assert losses[tuned.best_step] == min(losses.values()) < losses[0]
    merged = training.answer_loss(tuned.model, rows_of(other, tiny_model))
    assert merged == pytest.approx(losses[tuned.best_step], rel=1e-3)


def test_a_run_ends_when_it_gets_no_better_and_keeps_the_best_weights(
    tiny_model, tmp_path, monkeypatch, capsys
):
    told = iter([3.0, 2.0, 2.5, 2.6, 1.0])
    monkeypatch.setattr(answers, "answer_loss", lambda *a, **k: next(told))
    rows = rows_of(TALKS, tiny_model)
    train = lambda **more: training.train_on_answers(  # noqa: E731
        tiny_model, rows, rows, config(steps=20), tmp_path, patience=2, quiet=True, **more
    )
    tuned = train()
    assert tuned.held_out_loss == {0: 3.0, 2: 2.0, 4: 2.5, 6: 2.6}
    assert tuned.best_step == 2
    # A run that had ended, and was killed before its model was written, does not go on.
    again = train(resume=True)
    assert again.held_out_loss == tuned.held_out_loss
    assert "no better for 2 measurements at update 6; it does" in capsys.readouterr().err
    np.testing.assert_array_equal(
        *(t.model.params["token_embedding/embeddings"] for t in (tuned, again))
    )


def test_the_best_weights_are_read_into_host_memory(tmp_path):
    script = f"""
import jax, json
from gemma_ko_lib.training.answers import _Best
best = _Best({str(tmp_path)!r} / Path("best.safetensors"), False)
best.offer(1, 0.5, {{"weight": jax.numpy.ones(3)}})
jax.config.update("jax_default_device", jax.devices()[3])  # as an accelerator's would be
print(json.dumps([device.id for device in best.read()["weight"].devices()]))
"""
    assert on_eight_devices("from pathlib import Path" + script) == [0]


def test_the_best_weights_keep_their_loss_when_a_resumed_run_measures_elsewhere(
    tiny_model, tmp_path, monkeypatch
):
    told = iter([3.0, 1.0, 2.0, 2.1])
    monkeypatch.setattr(answers, "answer_loss", lambda *a, **k: next(told))
    rows = rows_of(TALKS, tiny_model)

    def train(evaluate_every, **more):
        settings = config(evaluate_every=evaluate_every)
        return training.train_on_answers(
            tiny_model, rows, rows, settings, tmp_path, method=LORA, quiet=True, **more
        )

    check = Watch.check

    def killed(watch, step, *figures):
        if step == 4:  # the best is of update 3, the newest checkpoint of update 2
            raise KeyboardInterrupt
        check(watch, step, *figures)

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "check", killed)
        with pytest.raises(KeyboardInterrupt):
            train(3)
    # With more tokens or another number of measurements an epoch, others are measured.
    tuned = train(2, resume=True)
    assert tuned.best_step == 3
    assert tuned.held_out_loss == {0: 3.0, 3: 1.0, 4: 2.0, 6: 2.1}


def test_a_resumed_run_ends_where_an_unbroken_one_does(tiny_model, tmp_path, monkeypatch):
    rows = rows_of(TALKS, tiny_model)

    def train(folder, **more):
        return training.train_on_answers(
            tiny_model,
            rows,
            rows,
            config(),
            tmp_path / folder,
            method=LORA,
            quiet=True,
            **more,
        )

    whole = train("whole")
    measure = answers.answer_loss

    def killed(*arguments, **options):
        if killed.left == 0:
            raise KeyboardInterrupt
        killed.left -= 1
        return measure(*arguments, **options)

    killed.left = 2  # at step 0 and 2; step 4 is never measured
    monkeypatch.setattr(answers, "answer_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        train("broken")
    monkeypatch.setattr(answers, "answer_loss", measure)
    resumed = train("broken", resume=True)
    assert resumed.held_out_loss == whole.held_out_loss
    for name, weight in whole.model.params.items():
        np.testing.assert_array_equal(weight, resumed.model.params[name])
