"""`python -m tests.platforms [PLATFORM …] [--only 00 06] [--profile smoke]`: `make test-platforms`.

Builds each platform's environment from its list (needs uv, for the Pythons), runs the lessons in
the platform's own ipykernel with numpy and matplotlib imported before, as a kernel there has them,
and lets the first one's install cell install the course, without a restart; at last the tests of
several devices and hosts, with the platform's JAX. Fails when that replaces a package that a kernel
holds, or when a lesson or a test fails.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat

from tests.platforms.lists import (
    HERE,
    MAY_BE_REPLACED,
    PLATFORMS,
    normalised,
    preinstalled,
    replaced,
)

ROOT = HERE.parents[1]
WORK = ROOT / "build" / "platforms"
SEVERAL_DEVICES = "tests/training/test_distributed.py"


def main() -> int:
    """Try the platforms one after the other; the exit status is 1 if one has failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("platforms", nargs="*", choices=[[], *PLATFORMS], metavar="PLATFORM")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NN", help="these lessons")
    parser.add_argument("--profile", default="smoke")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", WORK, ROOT], check=True
    )
    wheel = max(WORK.glob("gemma_ko-*.whl"), key=lambda path: path.stat().st_mtime)
    # Read with the wheel: a checkout that changes in the hours that follow must not mix with it.
    lessons = {
        path.name: path.read_text("utf-8")
        for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
        if path.name.startswith(tuple(arguments.only))
    }
    # The GPU's list differs from the CPU's by CUDA alone: its plan is a test, nothing more.
    chosen = arguments.platforms or [name for name in PLATFORMS if name != "colab-2026-08-gpu"]
    fine = [_try(name, wheel, lessons, arguments.profile) for name in chosen]
    return int(not all(fine))


def _try(platform: str, wheel: Path, lessons: dict[str, str], profile: str) -> bool:
    """Whether all lessons ran on a platform and nothing in use was replaced. Prints both."""
    started = time.monotonic()
    python = _environment(platform)
    before = _installed(python)
    print(f"{platform}: {len(before)} packages, {time.monotonic() - started:.0f} s", flush=True)
    fine = True
    for number, (name, text) in enumerate(lessons.items()):
        started = time.monotonic()
        notebook = nbformat.reads(text, as_version=4)
        error = _run(notebook, name, python, wheel, profile)
        fine = fine and not error
        print(f"  {name}: {error or 'ran'}, {time.monotonic() - started:.0f} s", flush=True)
        if number == 0:
            after = _installed(python)
            found = replaced(before, after)
            print(
                f"  new: {', '.join(sorted(after.keys() - before.keys()))}; {_downloads(notebook)}"
            )
            print(f"  replaced: {', '.join(f'{name} {change}' for name, change in found.items())}")
            if held := found.keys() - MAY_BE_REPLACED:
                print(f"  FAILED: a kernel holds {', '.join(sorted(held))}")
                fine = False
    tested = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", SEVERAL_DEVICES],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    said = (tested.stdout or tested.stderr).strip().splitlines() or ["nothing said"]
    print(f"  {SEVERAL_DEVICES}: {said[-1]}", flush=True)
    return fine and tested.returncode == 0


def _environment(platform: str) -> Path:
    """The Python of a new environment with what the platform's kernels and the course touch."""
    folder = WORK / platform
    versions = preinstalled(platform)
    names = (normalised(line) for line in (HERE / "kernel.txt").read_text().splitlines())
    pins = [f"{name}=={versions[name]}" for name in names if name in versions]
    # The rest of the list holds what those bring with them to the platform's versions.
    constraints = WORK / f"{platform}.txt"
    constraints.write_text(
        "".join(f"{name}=={v}\n" for name, v in versions.items() if "+" not in v)
    )
    venv = ["uv", "venv", "--quiet", "--clear", "--python", PLATFORMS[platform], folder]
    subprocess.run(venv, check=True)
    python = folder / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--python", python, "-c", constraints]
    subprocess.run([*install, "pip", *pins], check=True)
    return python


def _installed(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    )
    return {normalised(item["name"]): item["version"] for item in json.loads(listed.stdout)}


def _run(notebook, name: str, python: Path, wheel: Path, profile: str) -> str | None:
    """Run a lesson outside the checkout, its install cell pointed at the wheel.

    Args:
        notebook: gets the outputs, and is written under its name.

    Returns:
        The error's last line or None.
    """
    specification = WORK / "kernels" / "platform"
    specification.mkdir(parents=True, exist_ok=True)
    kernel = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (specification / "kernel.json").write_text(
        json.dumps({"argv": kernel, "display_name": "platform", "language": "python"})
    )
    os.environ |= {"JUPYTER_PATH": str(WORK), "PYTHONPATH": ""}
    for cell in notebook.cells:
        cell.source = re.sub(r"@ git\+[^\"]+", f"@ {wheel.as_uri()}", cell.source)
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = re.sub(r"(PROFILE = ).*", rf'\1"{profile}"', cell.source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import numpy, matplotlib.pyplot"))
    folder = WORK / "lessons" / python.parts[-3]
    folder.mkdir(parents=True, exist_ok=True)
    client = nbclient.NotebookClient(
        notebook,
        kernel_name="platform",
        iopub_timeout=60,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
        error = None
    except (nbclient.exceptions.CellExecutionError, nbclient.exceptions.DeadKernelError) as failure:
        error = "FAILED: " + (str(failure).strip().splitlines() or ["no reason given"])[-1]
    nbformat.write(notebook, folder / name)
    return error


def _downloads(notebook) -> str:
    """What pip said it has taken, in megabytes, cached wheels included."""
    outputs = (
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    sizes = re.findall(r"\.whl(?:\.metadata)? \(([\d.]+) (kB|MB|GB)\)", "".join(outputs))
    units = {"kB": 1e-3, "MB": 1, "GB": 1e3}
    return f"{sum(float(size) * units[unit] for size, unit in sizes):.0f} MB of wheels"


if __name__ == "__main__":
    sys.exit(main())
