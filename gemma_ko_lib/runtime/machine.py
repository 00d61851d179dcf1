"""The machine: the notebook's host, the accelerator, memory, and the dtype to train in."""

import contextlib
import dataclasses
import os
import re
import resource
import subprocess
import sys
from pathlib import Path


def platform() -> str:
    """Name the notebook host: "colab", "kaggle" or "plain" (laptop, server, CI)."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    return "plain"


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """What JAX computes on.

    Attributes:
        kind: "cpu", "gpu" or "tpu".
        name: the device's own name, e.g. "Tesla T4", "TPU v5 lite".
        count: devices of the run, those of other hosts included.
        memory_bytes: memory of one device; of the machine for a CPU.
    """

    kind: str
    name: str
    count: int
    memory_bytes: int | None


def accelerator() -> Accelerator:
    """Ask JAX what it computes on (starts the JAX backend)."""
    import jax

    device = jax.local_devices()[0]  # another host's cannot be asked for its memory
    if device.platform == "cpu":
        return Accelerator("cpu", cpu_name(), jax.device_count(), total_memory_bytes())
    stats = device.memory_stats() or {}
    kind = "gpu" if device.platform in ("gpu", "cuda", "rocm") else device.platform
    return Accelerator(kind, device.device_kind, jax.device_count(), stats.get("bytes_limit"))


@dataclasses.dataclass(frozen=True)
class NvidiaCard:
    """An NVIDIA card as its driver describes it, whether JAX uses it or not.

    Attributes:
        name: e.g. "Tesla T4".
        extra: the extra of this package that brings JAX for it, "cuda12" or "cuda13".
    """

    name: str
    extra: str


def nvidia_card() -> NvidiaCard | None:
    """The first NVIDIA card of this machine, or None. Asks the driver, not JAX."""
    query = "--query-gpu=name,driver_version,compute_cap"
    try:
        found = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = found.stdout.partition("\n")[0].split(", ")
    if found.returncode or len(fields) != 3:
        return None
    name, driver, capability = fields
    # CUDA 13 starts at driver 580 and compute capability 7.5.
    try:
        newer = int(driver.partition(".")[0]) >= 580 and float(capability) >= 7.5
    except ValueError:  # "[N/A]"
        newer = False
    return NvidiaCard(name, "cuda13" if newer else "cuda12")


def has_tpu(pci_devices: str = "/sys/bus/pci/devices") -> bool:
    """Whether a TPU is plugged in: a PCI device of Google's that is no disk and no network card."""
    for vendor in Path(pci_devices).glob("*/vendor"):
        kind = (vendor.parent / "class").read_text()
        if vendor.read_text().strip() == "0x1ae0" and not kind.startswith(("0x01", "0x02")):
            return True
    return False


def cpu_name() -> str:
    """Name the processor and count its cores."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    return f"CPU ({os.cpu_count()} cores)"


def total_memory_bytes() -> int | None:
    """Bytes of main memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def peak_memory_bytes() -> int:
    """Largest resident size this process has had, in bytes."""
    if peak := high_water_mark("self"):
        return peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # starts from the parent's figure
    return peak if sys.platform == "darwin" else peak * 1024


def high_water_mark(process: int | str) -> int | None:
    """Largest resident size of a process in bytes, as Linux keeps it (VmHWM).

    Args:
        process: its id, or "self".

    Returns:
        None where the system does not tell, and of a process that has died.
    """
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
            return int(found[1]) * 1024
    return None


@dataclasses.dataclass(frozen=True)
class DtypeChoice:
    """A Keras dtype policy and why it was taken."""

    policy: str
    reason: str


def choose_dtype(device: Accelerator) -> DtypeChoice:
    """Pick the number format to train in: a Keras dtype policy, with the reason in words."""
    name = device.name.lower()
    if device.kind == "tpu":
        return DtypeChoice(
            "mixed_bfloat16", "TPUs multiply in bfloat16; master weights stay in float32"
        )
    if device.kind == "gpu":
        # Volta's and Turing's tensor cores know float16 only. Gemma's residual stream passes its
        # 65,504 and stays in float32; nothing that is multiplied comes near (`models.kernels`).
        if any(card in name for card in ("t4", "v100", "rtx 20", "titan v", "titan rtx")):
            return DtypeChoice(
                "mixed_float16",
                f"{device.name} has tensor cores for float16, not for bfloat16: products are "
                "float16, all else float32 (checked against float32 on a CPU; not timed on such "
                "a card yet)",
            )
        if any(old in name for old in ("p100", "k80", "gtx")):
            return DtypeChoice(
                "float32", f"{device.name} has no tensor cores, and float32 is exact"
            )
        return DtypeChoice(
            "mixed_bfloat16",
            f"{device.name} has bfloat16 tensor cores; master weights stay in float32",
        )
    return DtypeChoice("float32", "CPUs gain nothing from bfloat16 here, and float32 is exact")
