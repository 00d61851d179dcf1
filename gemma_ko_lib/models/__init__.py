"""Stage 3, models: Gemma weights in, a forward pass with its tokenizer out.

`load` gives a `Model` for nano, the real Gemma 3 270M, any KerasHub Gemma preset or a run's
folder; `parameter_count` counts without allocating; `mesh` and `place` put weights on devices.
"""

from gemma_ko_lib.models.configs import CONFIGS, build_backbone, parameter_count
from gemma_ko_lib.models.decoder import Decoder, project, stack, unstack
from gemma_ko_lib.models.expansion import expand_model
from gemma_ko_lib.models.loading import Model, assemble, load
from gemma_ko_lib.models.sharding import make_mesh, place, shardings

__all__ = [
    "CONFIGS",
    "Decoder",
    "Model",
    "assemble",
    "build_backbone",
    "expand_model",
    "load",
    "make_mesh",
    "parameter_count",
    "place",
    "project",
    "shardings",
    "stack",
    "unstack",
]
