"""The command's way through a run folder."""

import pytest

from gemma_ko_lib import models, training
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import write_shards
from tests.conftest import SENTENCES


@pytest.fixture
def model_folder(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def shards_folder(tiny_tokenizer, tmp_path):
    write_shards(SENTENCES * 60, tiny_tokenizer, tmp_path / "data", length=64)
    return tmp_path / "data"


def test_a_finished_run_is_a_model_that_loads(model_folder, shards_folder, tmp_path):
    run = training.pretrain(
        str(model_folder), shards_folder, tmp_path / "run", profile="smoke", steps=2, quiet=True
    )
    assert {"config.json", "metrics.jsonl", "checkpoints", "model.json"} <= {
        path.name for path in run.iterdir()
    }
    assert models.load(run).tokenizer.vocabulary == models.load(model_folder).tokenizer.vocabulary


def test_a_run_is_not_overwritten_and_not_resumed_with_other_settings(
    model_folder, shards_folder, tmp_path
):
    options = {"profile": "smoke", "steps": 1, "quiet": True}
    training.pretrain(str(model_folder), shards_folder, tmp_path / "run", **options)
    with pytest.raises(UserError, match="holds a run already.*--resume"):
        training.pretrain(str(model_folder), shards_folder, tmp_path / "run", **options)
    with pytest.raises(UserError, match=r"other settings \(was → is\):\n  loop.steps: 1 → 2\n"):
        training.pretrain(
            str(model_folder),
            shards_folder,
            tmp_path / "run",
            **{**options, "steps": 2},
            resume=True,
        )


def test_shards_of_another_tokenizer_are_refused(shards_folder, tmp_path):
    with pytest.raises(UserError, match="packed with the tokenizer.*Pack the documents again"):
        training.pretrain("nano", shards_folder, tmp_path / "run", profile="smoke", quiet=True)


def test_a_folder_without_data_is_refused(model_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        training.pretrain(str(model_folder), tmp_path / "empty", tmp_path / "run", quiet=True)
