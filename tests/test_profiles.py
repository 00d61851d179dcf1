"""Profiles: the sizes of a lesson, by name or by what the machine has."""

import pytest

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.runtime import Accelerator, UserError


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Accelerator("gpu", "Tesla T4", 2, None), "gpu"),
        (Accelerator("tpu", "TPU v5 lite", 8, None), "tpu"),
    ],
)
def test_auto_takes_the_profile_of_the_device_and_says_so(device, expected, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "accelerator", lambda: device)
    assert profiles.get("auto").name == expected
    assert f"Profile '{expected}': {device.count} × {device.name}" in capsys.readouterr().out


def test_an_unknown_profile_lists_the_known_and_the_nearest():
    with pytest.raises(UserError, match="No profile 'b200'.*smoke, cpu, gpu, tpu"):
        profiles.get("b200")
    with pytest.raises(UserError, match="Did you mean smoke"):
        profiles.get("smok")
