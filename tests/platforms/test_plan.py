"""pip, asked on a platform for the course's requirements, replaces nothing that is in use there.

The environments have every package of the platform's list, by name and version alone.
"""

import json
import subprocess
import sys
import tomllib
import venv

import pytest

from tests.platforms.lists import (
    HERE,
    MAY_BE_REPLACED,
    PLATFORMS,
    normalised,
    preinstalled,
    replaced,
)

PROJECT = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
# The CPU's list is the GPU's without CUDA; the TPU's plan looks at all of TensorFlow.
PLAN_SLOWLY = ("colab-2026-08-cpu", "colab-2026-08-tpu")
MARKED = [
    pytest.param(name, marks=pytest.mark.slow if name in PLAN_SLOWLY else ()) for name in PLATFORMS
]


@pytest.fixture
def plan(tmp_path):
    """A function: what pip would install there, by name."""

    def ask(platform: str, requirements: list[str]) -> dict[str, str]:
        venv.create(tmp_path / "env", symlinks=True)
        packages = next((tmp_path / "env").glob("lib/python*/site-packages"))
        for name, version in preinstalled(platform).items():
            info = packages / f"{name.replace('-', '_')}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            (info / "INSTALLER").write_text("pip\n")
        pip = [sys.executable, "-m", "pip", "--python", str(tmp_path / "env/bin/python")]
        command = [*pip, "install", "--dry-run", "--quiet", "--report", "-", *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        items = (item["metadata"] for item in json.loads(done.stdout)["install"])
        return {normalised(item["name"]): item["version"] for item in items}

    return ask


@pytest.mark.parametrize("platform", MARKED)
def test_nothing_that_a_kernel_holds_is_replaced(platform, plan):
    # What the install cells bring. ([real] brings data alone.)
    serving = PROJECT["optional-dependencies"]["serve"]
    planned = plan(platform, [*PROJECT["dependencies"], *serving])
    assert planned["keras-hub"].startswith("0.32.")
    found = replaced(preinstalled(platform), planned)
    assert {name: change for name, change in found.items() if name not in MAY_BE_REPLACED} == {}


def test_a_bound_above_the_platforms_version_is_seen(plan):
    platform = "colab-2026-08-cpu"
    planned = plan(platform, ["orjson>3.12"])
    assert set(replaced(preinstalled(platform), planned)) == {"orjson"}
