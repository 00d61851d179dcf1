"""The machine: its host, and the dtype that suits its accelerator."""

import pytest

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import Accelerator, machine


@pytest.mark.parametrize(
    "kind, name, policy, reason",
    [
        ("gpu", "Tesla T4", "mixed_float16", "not timed"),
        ("gpu", "Tesla V100-SXM2-16GB", "mixed_float16", "tensor cores for float16"),
        ("gpu", "Tesla P100-PCIE-16GB", "float32", "no tensor cores"),
        ("gpu", "NVIDIA L4", "mixed_bfloat16", "tensor cores"),
        ("gpu", "NVIDIA A100-SXM4-40GB", "mixed_bfloat16", "tensor cores"),
        ("tpu", "TPU v5 lite", "mixed_bfloat16", "TPUs multiply in bfloat16"),
        ("cpu", "any", "float32", "exact"),
    ],
)
def test_the_dtype_follows_the_device_and_says_why(kind, name, policy, reason):
    choice = runtime.choose_dtype(Accelerator(kind, name, 1, None))
    assert choice.policy == policy and reason in choice.reason


@pytest.mark.parametrize(
    "variable, expected",
    [("KAGGLE_KERNEL_RUN_TYPE", "kaggle"), ("COLAB_RELEASE_TAG", "colab"), (None, "plain")],
)
def test_the_platform_is_told_by_its_marks(variable, expected, monkeypatch):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    assert runtime.platform() == expected


def test_a_system_that_keeps_no_peak_is_asked_otherwise(monkeypatch, tmp_path):
    assert runtime.peak_memory_bytes() > 10**6
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t1 kB\n")  # as of a sandbox
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / "status")
    assert machine.high_water_mark("self") is None
    assert runtime.peak_memory_bytes() > 10**6
