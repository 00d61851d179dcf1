"""KerasHub, imported without TensorFlow.

KerasHub imports TensorFlow and tensorflow-text when they are installed, for its text
pipelines. Training here needs neither, the import costs ten seconds, and TensorFlow
takes hold of a TPU that JAX then cannot have. They are therefore hidden for the
length of this one import; the tokenizer lesson can still import them afterwards.
So are others that Keras imports for its own metrics, wrappers and drawings, which the course does
not use: together they cost as long as the rest.
"""

import contextlib
import sys

_HIDDEN = "tensorflow tensorflow_text sklearn rouge_score matplotlib".split()


@contextlib.contextmanager
def _hidden():
    absent = [name for name in _HIDDEN if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _hidden():
    import keras
    import keras_hub
    from keras.src.utils.module_utils import tensorflow

    # Keras would import it to write down the first configuration.
    tensorflow.available  # noqa: B018

__all__ = ["dtype_policy", "keras", "keras_hub"]


class Float16Products(keras.DTypePolicy):
    """Products in float16, everything between them in float32.

    Under Keras' own policies of these names the residual stream is float16 too, which ends at
    65,504; that of Gemma 3 270M reaches 100,000. "mixed_float16" keeps weights in float32,
    "float16" in float16.
    """

    product_dtype = "float16"

    @property
    def compute_dtype(self):
        """Of all but products."""
        return "float32"


def dtype_policy(name: str | None):
    """The Keras dtype policy that models are built with under a name."""
    return Float16Products(name) if name in ("float16", "mixed_float16") else name
