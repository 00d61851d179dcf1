"""Credentials of the hubs that weights come from: where they are found, never what they are."""

import dataclasses
import json
import os
import sys
from pathlib import Path

from gemma_ko_lib.runtime.errors import UserError
from gemma_ko_lib.runtime.machine import platform


@dataclasses.dataclass(frozen=True)
class Credential:
    """A secret and the place it came from. Printing it shows the place only."""

    source: str
    value: str = dataclasses.field(repr=False)


# What a hub wants, by the names that its client library looks for: a token, or (Kaggle's legacy
# keys) two values.
CREDENTIAL_NAMES = {
    "kaggle": (("KAGGLE_API_TOKEN",), ("KAGGLE_USERNAME", "KAGGLE_KEY")),
    "huggingface": (("HF_TOKEN",),),
}
# A .json file holds legacy keys, any other a token.
_CREDENTIAL_FILES = {
    "kaggle": (
        "~/.kaggle/access_token",
        "~/.kaggle/access_token.txt",
        "~/.kaggle/kaggle.json",
        "~/.config/kaggle/kaggle.json",
    ),
    "huggingface": ("~/.cache/huggingface/token", "~/.huggingface/token"),
}


def find_credentials(service: str) -> dict[str, Credential]:
    """Look for a hub's credentials: Colab userdata, Kaggle secrets, environment, file.

    Args:
        service: "kaggle" or "huggingface".

    Returns:
        The token, or both of Kaggle's legacy keys, by name; empty where there is neither.

    Raises:
        UserError: a file of credentials is damaged or cannot be read.
    """
    sources = {
        "colab": _from_colab,
        "kaggle secrets": _from_kaggle_secrets,
        "environment": os.environ.get,
    }
    for source, ask in sources.items():
        for names in CREDENTIAL_NAMES[service]:
            values = {name: ask(name) for name in names}
            if all(values.values()):
                return {name: Credential(source, value) for name, value in values.items()}
    return _from_file(service)


def _from_colab(name: str) -> str | None:
    if platform() != "colab":
        return None
    try:
        from google.colab import userdata

        return userdata.get(name)
    except Exception as error:  # userdata raises its own types: secret absent or not granted
        if type(error).__name__ not in ("SecretNotFoundError", "NotebookAccessError"):
            print(f"Colab secret {name} could not be read: {type(error).__name__}", file=sys.stderr)
        return None


def _from_kaggle_secrets(name: str) -> str | None:
    if platform() != "kaggle":
        return None
    try:
        from kaggle_secrets import UserSecretsClient

        return UserSecretsClient().get_secret(name)
    except Exception as error:  # the client raises plain BackendError when a label is absent
        if type(error).__name__ != "BackendError":
            print(f"Kaggle secret {name} could not be read: {error!r:.200}", file=sys.stderr)
        return None


def _from_file(service: str) -> dict[str, Credential]:
    for candidate in _CREDENTIAL_FILES[service]:
        path = Path(candidate).expanduser()
        if not path.is_file():
            continue
        try:
            text = path.read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise UserError(f"{candidate} cannot be read: {reason}.") from None
        ways = CREDENTIAL_NAMES[service]
        if path.suffix == ".json":
            keys = zip(ways[1], _legacy_keys(candidate, text), strict=True)
            return {name: Credential(candidate, value) for name, value in keys}
        if text:
            return {ways[0][0]: Credential(candidate, text)}
    return {}


def _legacy_keys(file: str, text: str) -> tuple[str, str]:
    try:
        stored = json.loads(text)
        values = (stored["username"], stored["key"])
        if not all(isinstance(value, str) and value for value in values):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f'{file} is not a Kaggle key file: it should hold {{"username": …, "key": …}}. '
            "Generate a token at kaggle.com > Settings > API instead, and put it into "
            "~/.kaggle/access_token."
        ) from None
    return values


def export_credentials(service: str) -> bool:
    """Put found credentials where the hub's client library looks: the environment.

    Returns:
        Whether the service's credentials were found.

    Raises:
        UserError: see `find_credentials`.
    """
    found = find_credentials(service)
    for name, credential in found.items():
        os.environ[name] = credential.value
    return bool(found)
