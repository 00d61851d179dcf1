"""KerasHub, imported without TensorFlow.

KerasHub imports TensorFlow and tensorflow-text when they are installed, for its text
pipelines. Training here needs neither, the import costs ten seconds, and TensorFlow
takes hold of a TPU that JAX then cannot have. They are therefore hidden for the
length of this one import; the tokenizer lesson can still import them afterwards.
"""

import contextlib
import sys

_HIDDEN = ("tensorflow", "tensorflow_text")


@contextlib.contextmanager
def _without_tensorflow():
    absent = [name for name in _HIDDEN if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _without_tensorflow():
    import keras
    import keras_hub

__all__ = ["keras", "keras_hub"]
