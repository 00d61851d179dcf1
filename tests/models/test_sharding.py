"""Every weight of every shape has a rule, and one without is an error."""

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from gemma_ko_lib import models
from gemma_ko_lib.models.sharding import _spec


@pytest.mark.parametrize("name", [n for n in models.CONFIGS if n != "nano"])
def test_every_matrix_of_a_gemma_is_split_over_eight_devices(name):
    decoder = models.Decoder(models.build_backbone(*models.CONFIGS[name], "float32"))
    mesh = AbstractMesh((8, 1), ("fsdp", "tensor"))
    for weight, shape in decoder.shapes().items():
        split = any(axis == "fsdp" for axis in _spec(weight, shape.shape, mesh))
        assert split == (not weight.endswith("scale")), weight


def test_an_axis_that_does_not_divide_stays_whole():
    mesh = AbstractMesh((1, 4), ("fsdp", "tensor"))
    spec = _spec("group_0/attention/key/kernel", (18, 1, 2048, 256), mesh)
    assert spec[1] is None


def test_a_parameter_without_a_rule_is_an_error():
    mesh = models.make_mesh()
    with pytest.raises(ValueError, match="router/kernel"):
        models.shardings({"group_0/router/kernel": np.zeros((2, 3, 4))}, mesh)


def test_a_mesh_must_use_all_devices():
    with pytest.raises(ValueError, match="devices"):
        models.make_mesh(fsdp=3 * jax.device_count(), tensor=2)
