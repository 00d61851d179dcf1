"""Machines, credentials, and files that are whole or not there."""

import errno
import json
import os

import pytest

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.runtime import Accelerator, UserError


@pytest.mark.parametrize(
    "kind, name, policy, reason",
    [
        ("gpu", "Tesla T4", "float32", "no bfloat16 units"),
        ("gpu", "Tesla P100-PCIE-16GB", "float32", "no bfloat16 units"),
        ("gpu", "NVIDIA L4", "mixed_bfloat16", "tensor cores"),
        ("gpu", "NVIDIA A100-SXM4-40GB", "mixed_bfloat16", "tensor cores"),
        ("tpu", "TPU v5 lite", "mixed_bfloat16", "TPUs multiply in bfloat16"),
        ("cpu", "any", "float32", "exact"),
    ],
)
def test_the_number_format_follows_the_device_and_says_why(kind, name, policy, reason):
    choice = runtime.choose_dtype(Accelerator(kind, name, 1, None))
    assert choice.policy == policy and reason in choice.reason


@pytest.mark.parametrize(
    "variable, expected",
    [("KAGGLE_KERNEL_RUN_TYPE", "kaggle"), ("COLAB_RELEASE_TAG", "colab"), (None, "plain")],
)
def test_the_platform_is_told_by_its_marks(variable, expected, monkeypatch):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    assert runtime.platform() == expected


def test_the_environment_comes_before_a_file_and_no_value_is_shown(monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_text(json.dumps({"username": "file-user", "key": "file-key"}))
    monkeypatch.setattr(runtime, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    found = runtime.find_credentials("kaggle")
    assert found["KAGGLE_KEY"].value == "file-key"
    assert "file-key" not in repr(found)
    monkeypatch.setenv("KAGGLE_USERNAME", "env-user")
    monkeypatch.setenv("KAGGLE_KEY", "env-key")
    assert runtime.find_credentials("kaggle")["KAGGLE_KEY"].source == "environment"


def test_kaggle_secrets_are_asked_on_kaggle(monkeypatch):
    import sys
    import types

    secrets = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "hidden"}
    client = types.SimpleNamespace(get_secret=lambda name: secrets[name])
    module = types.SimpleNamespace(UserSecretsClient=lambda: client)
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert runtime.find_credentials("kaggle")["KAGGLE_KEY"].source == "kaggle secrets"
    secrets.pop("KAGGLE_KEY")
    assert runtime.find_credentials("kaggle") == {}


def test_a_broken_key_file_is_named(monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_text("{not json")
    monkeypatch.setattr(runtime, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    with pytest.raises(UserError, match="kaggle.json is not a Kaggle key file"):
        runtime.find_credentials("kaggle")


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), runtime.whole_file(path) as file:
        file.write("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_full_disk_names_the_file_and_the_remedy(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(UserError, match="report.json: No space left.*Free some space"),
        runtime.whole_file(tmp_path / "report.json") as file,
    ):
        file.write("text")
    assert os.listdir(tmp_path) == []


def test_auto_takes_the_profile_of_the_device_and_says_so(monkeypatch, capsys):
    for device, expected in (
        (Accelerator("gpu", "Tesla T4", 2, None), "t4"),
        (Accelerator("gpu", "NVIDIA L4", 1, None), "l4"),
        (Accelerator("tpu", "TPU v5 lite", 8, None), "v5e-8"),
        (Accelerator("tpu", "TPU v5 lite", 1, None), "v5e-1"),
    ):
        monkeypatch.setattr(runtime, "accelerator", lambda device=device: device)
        assert profiles.get("auto").name == expected
        assert f"Profile '{expected}'" in capsys.readouterr().out


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(UserError, match="No profile 'b200'.*smoke, cpu, t4"):
        profiles.get("b200")


def test_progress_in_a_log_is_lines_not_bars(capsys, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(runtime.time, "monotonic", lambda: next(clock))
    with runtime.Progress(10, "Training", "updates") as progress:
        for _ in range(4):
            progress.update(1, "loss 1.0")
    said = capsys.readouterr().err
    assert "Training: 2/10 updates" in said and "s left loss 1.0" in said and "\r" not in said
