"""Credentials: where they are looked for, and that no value is shown."""

import json
import sys
import types

import pytest

from gemma_ko_lib.runtime import UserError, credentials, doctor, find_credentials


def test_the_environment_comes_before_a_file_and_no_value_is_shown(monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_text(json.dumps({"username": "file-user", "key": "file-key"}))
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    found = find_credentials("kaggle")
    assert found["KAGGLE_KEY"].value == "file-key"
    assert "file-key" not in repr(found)
    monkeypatch.setenv("KAGGLE_USERNAME", "env-user")
    monkeypatch.setenv("KAGGLE_KEY", "env-key")
    assert find_credentials("kaggle")["KAGGLE_KEY"].source == "environment"


def test_kaggle_secrets_are_asked_on_kaggle(monkeypatch):
    secrets = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "hidden"}
    client = types.SimpleNamespace(get_secret=lambda name: secrets[name])
    module = types.SimpleNamespace(UserSecretsClient=lambda: client)
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert find_credentials("kaggle")["KAGGLE_KEY"].source == "kaggle secrets"
    secrets.pop("KAGGLE_KEY")
    assert find_credentials("kaggle") == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{not json", "is not a Kaggle key file"),
        (b'{"username": "me", "key": 12}', "is not a Kaggle key file"),
        ('{"username": "나"}'.encode("utf-16"), "cannot be read: it is not UTF-8"),
    ],
)
def test_a_broken_key_file_is_named(content, said, monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_bytes(content)
    files = {"kaggle": (str(stored),), "huggingface": ()}
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", files)
    with pytest.raises(UserError, match=f"kaggle.json {said}"):
        find_credentials("kaggle")
    monkeypatch.setattr(doctor, "_examine", lambda: (None, ["a fault"]))
    described = doctor.describe()  # goes on, and names it
    assert described["faults"][0] == "a fault" and said in described["faults"][1]
    assert described["credentials"] == {"kaggle": {}, "huggingface": {}}


def test_a_key_file_of_windows_is_read(monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_text('{"username": "me", "key": "hidden"}', "utf-8-sig")
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    assert find_credentials("kaggle")["KAGGLE_KEY"].value == "hidden"
