"""Seeds of the global random generators."""

import random


def seed_everything(seed: int) -> None:
    """Seed Python and NumPy (JAX keys are always passed explicitly).

    Keras draws the seeds of its initialisers from Python's generator. Its own
    `set_random_seed` would import TensorFlow.
    """
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)
