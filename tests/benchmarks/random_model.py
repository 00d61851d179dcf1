"""A model of a known shape in random weights: time does not depend on their values."""

import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import models


def random_model(name: str, tokenizer=None, **changes) -> models.Model:
    """A model in float32.

    Args:
        name: of its shape.
        tokenizer: of the model, where it needs one.
        changes: of the shape: vocabulary_size, …
    """
    kind, config = models.CONFIGS[name]
    config = {**config, **changes}
    decoder = models.build_decoder(kind, config, "float32")
    generator = np.random.default_rng(0)
    params = {
        name: jnp.asarray(0.02 * generator.standard_normal(spec.shape, "float32"))
        for name, spec in decoder.shapes().items()
    }
    return models.Model(name, kind, config, decoder, params, tokenizer)
