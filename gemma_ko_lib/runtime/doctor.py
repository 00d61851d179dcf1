"""What `gemma-ko doctor` reports of this machine."""

import dataclasses
import os
import shutil
import sys

from gemma_ko_lib.runtime.credentials import CREDENTIAL_NAMES, find_credentials
from gemma_ko_lib.runtime.machine import accelerator, choose_dtype, platform, total_memory_bytes
from gemma_ko_lib.runtime.storage import cache_dir


def describe() -> dict:
    """Everything `gemma-ko doctor` prints: versions, device, dtype and why, credentials (names)."""
    from importlib import metadata

    device = accelerator()
    dtype = choose_dtype(device)
    versions = {}
    for package in "jax flax keras keras-hub tensorflow-text optax grain orbax-checkpoint".split():
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "platform": platform(),
        "python": sys.version.split()[0],
        "packages": versions,
        "accelerator": dataclasses.asdict(device),
        "dtype": dtype.policy,
        "dtype_reason": dtype.reason,
        "memory_bytes": total_memory_bytes(),
        "disk_free_bytes": shutil.disk_usage(os.getcwd()).free,
        "cache_dir": str(cache_dir()),
        "credentials": {
            service: {name: found.source for name, found in find_credentials(service).items()}
            for service in CREDENTIAL_NAMES
        },
    }
