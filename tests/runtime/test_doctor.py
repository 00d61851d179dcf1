"""The doctor: each fault of a machine is one sentence that says what to type."""

import collections
import shutil

import pytest

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import doctor, machine


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A function that makes a command of that name, which prints a card."""

    def install(line: str, status: int = 0) -> None:
        command = tmp_path / "nvidia-smi"
        command.write_text(f"#!/bin/sh\necho '{line}'\nexit {status}\n")
        command.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    return install


@pytest.fixture
def installed(monkeypatch):
    """Versions of packages that the doctor finds, instead of this environment's."""
    versions = {"jax": "0.7.2", "jaxlib": "0.7.2"}
    monkeypatch.setattr(doctor, "_version", versions.get)
    monkeypatch.setattr(doctor, "_DISK_NEEDED", 0)
    return versions


@pytest.mark.parametrize(
    "line, extra",
    [
        ("Tesla T4, 550.54.15, 7.5", "cuda12"),
        ("Tesla T4, 580.82.07, 7.5", "cuda13"),
        ("Tesla P100-PCIE-16GB, 580.82.07, 6.0", "cuda12"),
    ],
)
def test_a_card_without_the_cuda_part_of_jax_is_named_with_the_extra(
    line, extra, nvidia_smi, installed, capsys
):
    nvidia_smi(line)
    runtime.check_machine()
    printed = capsys.readouterr().out
    assert line.split(",")[0] in printed and f'"jax[{extra}]==0.7.2"' in printed
    assert printed.count("\n") == 1


def test_a_driver_that_leaves_a_field_out_is_no_traceback(nvidia_smi):
    nvidia_smi("GRID T4-4C, 580.82.07, [N/A]")
    assert machine.nvidia_card() == machine.NvidiaCard("GRID T4-4C", "cuda12")


def test_a_plugin_of_another_version_is_told_from_a_missing_one(nvidia_smi, installed, capsys):
    nvidia_smi("Tesla T4, 550.54.15, 7.5")
    installed |= {"jaxlib": "0.10.2", "jax-cuda12-plugin": "0.7.2"}
    runtime.check_machine()
    printed = capsys.readouterr().out
    assert "jax-cuda12-plugin 0.7.2 needs jaxlib 0.7.2" in printed
    assert '"jax[cuda12]==0.10.2"' in printed


def test_a_card_that_was_switched_off_is_no_missing_package(
    nvidia_smi, installed, monkeypatch, capsys
):
    nvidia_smi("Tesla T4, 550.54.15, 7.5")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    runtime.check_machine()
    printed = capsys.readouterr().out
    assert "unset it" in printed and "pip" not in printed


def test_a_driver_that_fails_and_a_machine_without_one_have_no_card(nvidia_smi):
    assert machine.nvidia_card() is None
    nvidia_smi("NVIDIA-SMI has failed", status=9)
    assert machine.nvidia_card() is None


def test_a_tpu_is_told_from_other_devices_of_its_maker(tmp_path):
    for name, vendor, kind in (
        ("network", "0x1ae0", "0x020000"),
        ("disk", "0x1ae0", "0x010802"),
        ("card", "0x10de", "0x030200"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    assert not machine.has_tpu(str(tmp_path))
    (tmp_path / "network" / "class").write_text("0x120000\n")
    assert machine.has_tpu(str(tmp_path))


def test_tensorflow_on_the_tpu_is_named(installed, monkeypatch, capsys):
    def refused():
        raise RuntimeError("Unable to initialize backend 'tpu'\nand a trace")

    monkeypatch.setattr(doctor, "accelerator", refused)
    monkeypatch.setattr(doctor, "has_tpu", lambda: True)
    monkeypatch.setitem(doctor.sys.modules, "tensorflow", doctor)
    runtime.check_machine()
    assert "TensorFlow is loaded" in capsys.readouterr().out
    assert runtime.describe()["accelerator"] is None


def test_too_little_disk_is_a_fault_and_a_good_machine_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "nvidia_card", lambda: None)
    monkeypatch.setattr(doctor, "has_tpu", lambda: False)
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 20 * 2**30))
    runtime.check_machine()
    printed = capsys.readouterr().out
    assert printed.startswith("The machine is fine") and printed.count("\n") == 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2**30))
    runtime.check_machine()
    printed = capsys.readouterr().out
    assert printed.count("Only 1.0 GiB") == 2 and "GEMMA_KO_CACHE" in printed
