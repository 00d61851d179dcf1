"""Credentials: where they are looked for, and that no value is shown."""

import json
import sys
import types

import pytest

from gemma_ko_lib.runtime import UserError, credentials, find_credentials


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


def test_a_broken_key_file_is_named(monkeypatch, tmp_path):
    stored = tmp_path / "kaggle.json"
    stored.write_text("{not json")
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    with pytest.raises(UserError, match="kaggle.json is not a Kaggle key file"):
        find_credentials("kaggle")
