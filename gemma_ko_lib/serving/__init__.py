"""Stage 6, serving: a model leaves for other programs, and answers questions.

`export_transformers` and `export_gguf` write what transformers, vLLM, Ollama and llama.cpp read.
"""

import importlib

_MODULES = {
    "export_gguf": "gguf_export",
    "export_transformers": "transformers_export",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
