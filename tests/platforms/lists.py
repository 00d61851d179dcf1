"""What Colab and Kaggle preinstall, and what an installation of the course does to it."""

import re
from pathlib import Path

HERE = Path(__file__).parent
# List -> the platform's Python.
PLATFORMS = {
    "colab-2026-08-cpu": "3.13",
    "colab-2026-08-gpu": "3.13",
    "colab-2026-08-tpu": "3.13",
    "kaggle-base-2026-05-gpu": "3.12",
}
# No kernel has these in memory when a notebook starts, and neither JAX nor its plugins need them.
# (Older versions of KerasHub import TensorFlow; it pins kagglesdk, TensorFlow pins h5py, and
# OpenAI's client wants a new httpx2.)
MAY_BE_REPLACED = {"keras", "keras-hub", "kagglesdk", "h5py", "httpx2", "httpcore2"}


def normalised(name: str) -> str:
    """A package's name as indexes compare it: Jinja2 → jinja2, tf_keras → tf-keras."""
    return re.sub(r"[-_.]+", "-", name).lower()


def preinstalled(platform: str) -> dict[str, str]:
    """Versions by normalised name."""
    lines = (HERE / "lists" / f"{platform}.txt").read_text("utf-8").splitlines()
    pins = (line.split("==") for line in lines if line)
    return {normalised(name): version for name, version in pins}


def replaced(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """What an installation changed of what was there: name -> "old → new"."""
    return {
        name: f"{before[name]} → {version}"
        for name, version in after.items()
        if name in before and before[name] != version
    }
