"""Profiles: the sizes of a lesson, by name or by what the machine has."""

import pytest

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.runtime import Accelerator, UserError


def test_auto_takes_the_profile_of_the_device_and_says_so(monkeypatch, capsys):
    for device, expected in (
        (Accelerator("gpu", "Tesla T4", 2, None), "t4"),
        (Accelerator("gpu", "NVIDIA L4", 1, None), "l4"),
        (Accelerator("tpu", "TPU v5 lite", 8, None), "v5e-8"),
        (Accelerator("tpu", "TPU v5 lite", 1, None), "v5e-1"),
    ):
        monkeypatch.setattr(runtime, "accelerator", lambda device=device: device)
        assert profiles.get("auto").name == expected
        assert f"Profile '{expected}'" in capsys.readouterr().out


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(UserError, match="No profile 'b200'.*smoke, cpu, t4"):
        profiles.get("b200")
