"""The command's way through a run folder."""

import dataclasses
import json
import re
import sys
import types

import numpy as np
import pytest

from gemma_ko_lib import corpus, models
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import write_shards
from gemma_ko_lib.training import METHODS, Method, RunSize, pretrain, tracking
from tests.conftest import SENTENCES, make_model


@pytest.fixture
def tiny_model(tiny_tokenizer):
    """Two plain layers: what a run does with its files does not depend on windows and caps."""
    return make_model("gemma1-mqa", tokenizer=tiny_tokenizer)


@pytest.fixture
def model_folder(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def shards_folder(tiny_tokenizer, tmp_path):
    write_shards(SENTENCES * 60, tiny_tokenizer, tmp_path / "data", length=64)
    return tmp_path / "data"


SIZE = RunSize(tokens=512, update_tokens=256)


@pytest.mark.parametrize("name", METHODS)
def test_a_finished_run_of_any_method_is_a_model_that_loads(
    name, model_folder, shards_folder, tmp_path
):
    rank = 2 if "lora" in name else None
    method = Method(name, rank=rank)
    run = pretrain(
        model_folder, shards_folder, tmp_path / "run", method=method, size=SIZE, quiet=True
    )
    assert {"config.json", "metrics.jsonl", "checkpoints", "model.json"} <= {
        path.name for path in run.iterdir()
    }
    trained, start = models.load(run), models.load(model_folder)
    assert trained.tokenizer.vocabulary == start.tokenizer.vocabulary
    assert trained.params.keys() == start.params.keys()
    assert any(np.any(trained.params[n] != start.params[n]) for n in start.params)


def _losses(run):
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_how_an_update_is_cut_does_not_matter(model_folder, shards_folder, tmp_path):
    losses = []
    for rows in (5, 3):
        size = RunSize(tokens=3000, update_tokens=5 * 64, rows=rows)
        run = pretrain(model_folder, shards_folder, tmp_path / str(rows), size=size, quiet=True)
        losses.append(_losses(run))
    assert len(losses[0]) > 5
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-5)


def test_a_finished_run_goes_on_to_more_tokens_and_never_to_fewer(
    model_folder, shards_folder, tmp_path
):
    run = tmp_path / "run"
    options = {"size": SIZE, "quiet": True}
    pretrain(model_folder, shards_folder, run, **options)
    done = len(_losses(run))
    pretrain(model_folder, shards_folder, run, resume=True, **options)
    assert len(_losses(run)) == done
    more = {**options, "size": dataclasses.replace(SIZE, tokens=1024)}
    pretrain(model_folder, shards_folder, run, resume=True, **more)
    assert len(_losses(run)) == pytest.approx(2 * done, abs=1)
    with pytest.raises(UserError, match="Give as many tokens as before, or more"):
        pretrain(model_folder, shards_folder, run, resume=True, **options)


def test_a_model_that_was_moved_is_the_same_model(model_folder, shards_folder, tmp_path):
    run, options = tmp_path / "run", {"size": SIZE, "quiet": True}
    pretrain(model_folder, shards_folder, run, **options)
    moved = model_folder.rename(tmp_path / "moved")
    more = {**options, "size": dataclasses.replace(SIZE, tokens=1024), "resume": True}
    pretrain(moved, shards_folder, run, **more)
    assert json.loads((run / "config.json").read_text("utf-8"))["model"] == str(moved)
    make_model("gemma1-mqa", seed=1, tokenizer=models.load(moved).tokenizer).save(moved)
    with pytest.raises(UserError, match="model_sha256"):
        pretrain(moved, shards_folder, run, **more)


def test_a_run_is_not_overwritten_and_not_resumed_with_other_settings(
    model_folder, shards_folder, tmp_path
):
    def run(**more):
        return pretrain(
            model_folder, shards_folder, tmp_path / "run", **{"size": SIZE, "quiet": True} | more
        )

    run()
    with pytest.raises(UserError, match="holds a run already.*--resume"):
        run()
    other = dataclasses.replace(SIZE, update_tokens=128)
    with pytest.raises(UserError, match=r"was → is\):\n  size.update_tokens: 256 → 128\n"):
        run(size=other, resume=True)
    with pytest.raises(UserError, match=r'method.name: "full" → "lomo"'):
        run(method=Method("lomo"), resume=True)


def test_it_says_what_it_is_about_to_do(model_folder, shards_folder, tmp_path, capsys):
    size = RunSize(epochs=3.5, update_tokens=64 * 16)
    pretrain(model_folder, shards_folder, tmp_path / "run", size=size)
    said = capsys.readouterr().err
    assert re.search(
        r"Training on [\d,]+ tokens in \d+ updates: 3.[45]\d epochs of [\d,]+ tokens", said
    )
    assert "the data is read 3.5 times" in said and "minutes left" in said


def test_held_out_text_is_measured_as_it_goes(model_folder, shards_folder, tmp_path):
    seen = []

    def measure(model, weights):
        seen.append(weights["token_embedding/embeddings"].shape)
        return {"held_out": 1.0}

    size = RunSize(tokens=4096, update_tokens=256)
    run = pretrain(
        model_folder, shards_folder, tmp_path / "run", size=size, measure=measure, quiet=True
    )
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    # At the start and after every eighth of the sixteen updates.
    assert sum('"held_out"' in line for line in lines) == len(seen) == 3


def test_replay_has_its_share_and_the_data_comes_once(model_folder, tmp_path, capsys):
    raw = tmp_path / "raw.jsonl"
    texts = [f"{number}번째 날에는 비가 밤새 마을에 많이 내렸다." for number in range(60)]
    raw.write_text("\n".join(json.dumps({"text": text}) for text in texts), "utf-8")
    settings = corpus.CleanSettings(duplicates="keep")
    corpus.clean(raw, tmp_path / "data", settings, progress=False)
    size = dataclasses.replace(SIZE, length=128)
    replay = ["A heavy rain fell.", "The library opens."]
    run = pretrain(
        *(model_folder, tmp_path / "data", tmp_path / "run"),
        size=size,
        replay=replay,
        replay_fraction=0.25,
    )
    assert "'replay' is repeated" in capsys.readouterr().err
    manifest = json.loads((run / "shards" / "manifest.json").read_text("utf-8"))
    new, old = (manifest["mixture"]["groups"][name] for name in ("rest", "replay"))
    assert new["documents"] == new["documents_there"] == 60
    assert old["share"] == pytest.approx(0.25, abs=0.02)


def test_packed_rows_have_their_length_already(model_folder, shards_folder, tmp_path):
    with pytest.raises(UserError, match="packed with 64 tokens each: leave --length out"):
        pretrain(model_folder, shards_folder, tmp_path / "run", size=RunSize(length=32))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("half", [{"replay": ["text"]}, {"replay_fraction": 0.2}])
def test_half_of_a_replay_is_refused(half, model_folder, tmp_path):
    with pytest.raises(UserError, match="replay and replay_fraction go together"):
        pretrain(model_folder, tmp_path / "data", tmp_path / "run", **half)


def test_replay_cannot_be_laid_among_packed_rows(model_folder, shards_folder, tmp_path):
    with pytest.raises(UserError, match="packed already.*gemma-ko pack --weight"):
        pretrain(
            model_folder, shards_folder, tmp_path / "run", replay=["text"], replay_fraction=0.5
        )


def test_shards_of_another_tokenizer_are_refused(shards_folder, tmp_path):
    with pytest.raises(UserError, match="packed with the tokenizer.*Pack the documents again"):
        pretrain("nano", shards_folder, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "empty is no finished folder.*gemma-ko clean"),
        ("file.jsonl", "file.jsonl is no finished folder.*gemma-ko clean"),
        ("missing", "There is no folder .*missing"),
    ],
)
def test_what_is_no_data_is_refused_and_leaves_no_trace(name, said, model_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jsonl").write_text('{"text": "하나"}\n', "utf-8")
    with pytest.raises(UserError, match=said):
        pretrain(model_folder, tmp_path / name, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_two_folders_of_one_name_are_two_runs_of_wandb(tmp_path, monkeypatch):
    begun = []

    def init(**options):
        begun.append(options)
        return types.SimpleNamespace(log=lambda line, step: begun.append((step, line)))

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "a" / "run"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        tracking.tracker("wandb", folder, {"seed": 1})
    first, second, again = (options["id"] for options in begun)
    assert first == again != second
    assert {options["name"] for options in begun} == {"run"}


def test_a_folder_called_wandb_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(UserError, match="wandb is not installed: pip install 'gemma-ko"):
        tracking.check_tracker("wandb")


def test_figures_go_to_a_tracker_too(model_folder, shards_folder, tmp_path, monkeypatch):
    lines = []
    module = sys.modules[pretrain.__module__]
    monkeypatch.setattr(module, "check_tracker", lambda name: None)
    monkeypatch.setattr(module, "tracker", lambda *_: lines.append)
    run = pretrain(
        model_folder, shards_folder, tmp_path / "run", size=SIZE, log_to="wandb", quiet=True
    )
    stored = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    assert lines == [json.loads(line) for line in stored]
    monkeypatch.undo()
    with pytest.raises(UserError, match="tensorboard or wandb, not to 'mlflow'"):
        pretrain(model_folder, shards_folder, tmp_path / "other", log_to="mlflow")
