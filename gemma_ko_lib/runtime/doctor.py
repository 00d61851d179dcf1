"""What `gemma-ko doctor` reports of this machine, and what is wrong with it."""

import dataclasses
import os
import shutil
import sys
from importlib import metadata

from gemma_ko_lib.runtime.credentials import CREDENTIAL_NAMES, find_credentials
from gemma_ko_lib.runtime.errors import UserError, nearest_existing
from gemma_ko_lib.runtime.machine import (
    Accelerator,
    accelerator,
    choose_dtype,
    has_tpu,
    nvidia_card,
    platform,
    total_memory_bytes,
)
from gemma_ko_lib.runtime.storage import cache_dir

_PACKAGES = (
    "gemma-ko jax jaxlib flax keras keras-hub tensorflow-text optax grain orbax-checkpoint".split()
)
_CUDA_PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin")
_DISK_NEEDED = 5 * 2**30  # the real 270M: 0.3 GB downloaded, 1 GB converted, 3 GB a checkpoint


def describe() -> dict:
    """Everything `gemma-ko doctor` prints: versions, device, dtype and why, faults, credentials.

    Credentials are given by name only. Where JAX does not start, `accelerator` and `dtype` are
    None, and `faults` says why.
    """
    device, faults = _examine()
    credentials = {}
    for service in CREDENTIAL_NAMES:
        try:
            found = find_credentials(service)
        except UserError as error:  # what the doctor is asked for
            found, faults = {}, [*faults, str(error)]
        credentials[service] = {name: its.source for name, its in found.items()}
    dtype = choose_dtype(device) if device else None
    return {
        "platform": platform(),
        "python": sys.version.split()[0],
        "packages": package_versions(),
        "accelerator": dataclasses.asdict(device) if device else None,
        "dtype": dtype and dtype.policy,
        "dtype_reason": dtype and dtype.reason,
        "faults": faults,
        "memory_bytes": total_memory_bytes(),
        "disk_free_bytes": shutil.disk_usage(os.getcwd()).free,
        "cache_dir": str(cache_dir()),
        "credentials": credentials,
    }


def package_versions(*more: str) -> dict[str, str | None]:
    """Versions of the packages that decide a result; None for one that is not installed.

    Args:
        more: other packages to name.
    """
    return {package: _version(package) for package in (*_PACKAGES, *more)}


def check_machine() -> None:
    """Print a sentence for each fault of this machine, with what to do; one line if all is well.

    Every notebook calls it after its installation.
    """
    device, faults = _examine()
    for fault in faults:
        print(f"! {fault}")
    if not faults:
        free = shutil.disk_usage(os.getcwd()).free / 2**30
        print(
            f"The machine is fine: JAX {_version('jax')} on {device.count} × {device.name}, "
            f"{free:.0f} GiB of disk free."
        )


def _examine() -> tuple[Accelerator | None, list[str]]:
    """What JAX computes on (None if it does not start), and all faults."""
    try:
        device, refusal = accelerator(), None
    except RuntimeError as error:  # a plugin that is installed and fails
        device, refusal = None, str(error).partition("\n")[0]
    kind = device.kind if device else None
    faults = [*_unused_gpu(kind), *_unused_tpu(kind)]
    if refusal and not faults:
        faults = [f"JAX does not start: {refusal}"]
    return device, [*faults, *_little_disk()]


def _unused_gpu(kind: str | None) -> list[str]:
    if kind in ("gpu", "tpu") or not (card := nvidia_card()):
        return []
    unused = f"JAX does not use this machine's {card.name}"
    if chosen := os.environ.get("JAX_PLATFORMS"):
        return [f"{unused}, for JAX_PLATFORMS={chosen} is set: unset it and restart Python."]
    jaxlib = _version("jaxlib")
    plugins = {name: found for name in _CUDA_PLUGINS if (found := _version(name))}
    if not plugins:
        return [
            f"{unused}, for JAX's CUDA part is missing: install this package's extra "
            f'"{card.extra}", or pip install "jax[{card.extra}]=={jaxlib}", then restart Python.'
        ]
    if jaxlib not in plugins.values():
        name, found = next(iter(plugins.items()))
        extra = name.removeprefix("jax-").removesuffix("-plugin")
        return [
            f"{unused}, for {name} {found} needs jaxlib {found}, and {jaxlib} is installed: "
            f'pip install "jax[{extra}]=={jaxlib}", then restart Python.'
        ]
    return [
        f"{unused}, though its CUDA part is installed: read JAX's warning above; mostly the "
        "driver is too old for it, or another process holds the card's memory (nvidia-smi)."
    ]


def _unused_tpu(kind: str | None) -> list[str]:
    if kind == "tpu" or not has_tpu():
        return []
    unused = "JAX does not use this machine's TPU"
    if "tensorflow" in sys.modules:
        return [
            f"{unused}, for TensorFlow is loaded and may hold it: restart Python and run this "
            "before anything that imports TensorFlow."
        ]
    if not _version("libtpu"):
        return [
            f"{unused}, for libtpu is missing: "
            f'pip install "jax[tpu]=={_version("jax")}", then restart Python.'
        ]
    return [
        f"{unused}: another process holds it (end other notebooks' sessions), or libtpu "
        f"{_version('libtpu')} is not the one of jax {_version('jax')} "
        f'(pip install "jax[tpu]=={_version("jax")}").'
    ]


def _little_disk() -> list[str]:
    faults = []
    for use, folder in (("results", os.getcwd()), ("model weights", cache_dir())):
        folder = nearest_existing(folder)
        free = shutil.disk_usage(folder).free
        if free < _DISK_NEEDED:
            faults.append(
                f"Only {free / 2**30:.1f} GiB of disk are free for {use} in {folder}, and the real "
                f"Gemma needs {_DISK_NEEDED / 2**30:.0f}: delete something there, or "
                + ("start from another folder." if use == "results" else "set GEMMA_KO_CACHE.")
            )
    return faults


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
