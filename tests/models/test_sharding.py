"""Every weight of every shape has a rule, and one without is an error."""

import math

import jax
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AbstractMesh, NamedSharding

from gemma_ko_lib import models
from gemma_ko_lib.from_scratch import recurrent_gemma
from gemma_ko_lib.models.sharding import _spec
from tests.conftest import SameKey

_KIND, _GEMMA_2B = models.CONFIGS["gemma_2b_en"]
SHAPES = {name: config for name, config in models.CONFIGS.items() if name != "nano"} | {
    "paligemma, language part": (_KIND, {**_GEMMA_2B, "vocabulary_size": 257_152})
}
RECURRENT = {
    "recurrentgemma_2b": recurrent_gemma.RecurrentGemmaConfig(),
    "recurrentgemma_9b": recurrent_gemma.RecurrentGemmaConfig(
        d_model=4096, num_layers=38, ffn=12288, num_heads=16, lru_width=4096
    ),
}


def _weights(name: str) -> dict:
    if name in SHAPES:
        return models.build_decoder(*SHAPES[name], "float32").shapes()
    model = nnx.eval_shape(lambda: recurrent_gemma.RecurrentGemma(RECURRENT[name], SameKey()))
    leaves = nnx.to_flat_state(nnx.state(model))
    return {recurrent_gemma.published_name(path): leaf for path, leaf in leaves}


@pytest.mark.parametrize("name", [*SHAPES, *RECURRENT])
def test_eight_devices_hold_an_eighth_each(name):
    weights = _weights(name)
    total = sum(math.prod(weight.shape) for weight in weights.values())
    for sizes in ((8, 1), (4, 2), (2, 4)):
        mesh = AbstractMesh(sizes, ("fsdp", "tensor"))
        held = 0
        for weight, shape in weights.items():
            spec = _spec(weight, shape.shape, mesh)
            held += math.prod(NamedSharding(mesh, spec).shard_shape(shape.shape))
        # Norms are whole everywhere, and heads that "tensor" does not divide are to it.
        assert total / 8 <= held < total / 8 * 1.1, sizes


def test_an_axis_that_does_not_divide_stays_whole():
    mesh = AbstractMesh((1, 4), ("fsdp", "tensor"))
    spec = _spec("blocks/attention/key/kernel", (18, 1, 2048, 256), mesh)
    assert spec[1] is None


def test_a_parameter_without_a_rule_is_an_error():
    mesh = models.make_mesh()
    with pytest.raises(ValueError, match="router/kernel"):
        models.shardings({"blocks/router/kernel": np.zeros((2, 3, 4))}, mesh)


def test_a_mesh_must_use_all_devices():
    with pytest.raises(ValueError, match="devices"):
        models.make_mesh(fsdp=3 * jax.device_count(), tensor=2)
