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


def test_a_token_of_kaggle_comes_before_its_legacy_keys(monkeypatch, tmp_path):
    token, legacy = tmp_path / "access_token", tmp_path / "kaggle.json"
    token.write_text("file-token\n")
    legacy.write_text(json.dumps({"username": "me", "key": "hidden"}))
    files = {"kaggle": (str(token), str(legacy))}
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", files)
    found = find_credentials("kaggle")
    assert [(name, its.value) for name, its in found.items()] == [
        ("KAGGLE_API_TOKEN", "file-token")
    ]
    token.write_text("\n")
    assert find_credentials("kaggle").keys() == {"KAGGLE_USERNAME", "KAGGLE_KEY"}
    monkeypatch.setenv("KAGGLE_API_TOKEN", "env-token")
    assert credentials.export_credentials("kaggle")
    found = find_credentials("kaggle")
    assert [(its.source, its.value) for its in found.values()] == [("environment", "env-token")]


def test_what_kagglehub_takes_is_what_was_found(monkeypatch, tmp_path):
    from kagglehub.config import get_kaggle_credentials

    stored = tmp_path / "access_token.txt"
    stored.write_text("file-token")
    monkeypatch.setattr(credentials, "_CREDENTIAL_FILES", {"kaggle": (str(stored),)})
    monkeypatch.setenv("KAGGLE_API_TOKEN", "")  # so that what is exported is taken back
    assert credentials.export_credentials("kaggle")
    assert get_kaggle_credentials().api_key == "file-token"


def test_a_secret_that_cannot_be_read_is_told_and_an_absent_one_is_not(monkeypatch, capsys):
    class BackendError(Exception):
        pass

    def get_secret(name):
        raise BackendError("No user secrets exist")

    client = types.SimpleNamespace(get_secret=get_secret)
    module = types.SimpleNamespace(UserSecretsClient=lambda: client)
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert find_credentials("kaggle") == {} and capsys.readouterr().err == ""
    module.UserSecretsClient = lambda: 1 / 0
    assert find_credentials("kaggle") == {}
    assert "KAGGLE_API_TOKEN could not be read: ZeroDivisionError" in capsys.readouterr().err


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
