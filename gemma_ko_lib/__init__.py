"""Gemma-Ko: put a language on an open model, one measured step at a time.

The stages, in the order data flows: `corpus` (raw files to clean documents),
`tokenization` (documents to token shards), `models` (Gemma weights), `training`
and `evaluation`. `runtime` and `profiles` serve all of them; `course`, `cli` and
`plotting` sit on top.

Importing the package chooses JAX as Keras' backend and loads nothing heavy:
stages arrive when they are first touched.
"""

import importlib
import os
import sys
import warnings

__version__ = "0.1.0"

_SUBMODULES = frozenset(
    "corpus tokenization models training evaluation serving runtime profiles course plotting "
    "cli".split()
)


def _choose_jax_backend() -> None:
    """Make Keras use JAX, or say clearly that it is too late to.

    Keras reads `KERAS_BACKEND` once, when it is first imported.

    Raises:
        RuntimeError: Keras is already imported with another backend.
    """
    keras = sys.modules.get("keras")
    running = keras.config.backend() if hasattr(keras, "config") else None
    if running not in (None, "jax"):
        raise RuntimeError(
            f"Keras is already running on the '{running}' backend, and Gemma-Ko needs JAX. "
            "Restart the session (Colab: Runtime > Restart session) and import gemma_ko_lib "
            "before keras, or set KERAS_BACKEND=jax first."
        )
    os.environ["KERAS_BACKEND"] = "jax"


_choose_jax_backend()
# Whichever of datatrove, kagglehub and KerasHub a notebook touches first brings a part of tqdm
# that asks for ipywidgets. No bar of theirs is drawn here, so there is nothing to install.
warnings.filterwarnings("ignore", message="IProgress not found")


def __getattr__(name: str):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})
