"""Writes a model as a KerasHub preset, which KerasHub and vLLM on TPU read."""

import contextlib
import sys
from pathlib import Path
from unittest import mock

from gemma_ko_lib.models.layouts import context_length, generation
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.serving.folders import check_room, new_folder

_PICTURE = {"<img>", "<start_of_image>", "<end_of_image>"}


def export_keras(model: Model, path: str | Path, card: str = "") -> Path:
    """Write a model as the folder of a KerasHub preset; it appears when it is whole.

    Args:
        model: any that this library loads; adapters are merged before (`models.merge`).
        path: of the folder, which must not hold anything yet.
        card: text of README.md; none is written without.

    Returns:
        The path.

    Raises:
        UserError: the folder holds something, or there is not enough room on the disk.
    """
    from gemma_ko_lib.models.keras_hub import keras_hub

    check_room(Path(path), sum(value.nbytes for value in model.params.values()))
    family = model.kind.removesuffix("Backbone")
    classes = (
        getattr(keras_hub.models, f"{family}{part}")
        for part in ("Tokenizer", "CausalLMPreprocessor", "CausalLM")
    )
    tokenizer_class, preprocessor_class, task_class = classes
    length = min(1024, context_length(generation(model.kind, model.config, model.name), {}))
    settings = {}
    if family == "Gemma3":  # a cut vocabulary need not have the pieces around a picture
        settings["has_vision_tokens"] = _PICTURE.issubset(model.tokenizer.vocabulary)
    with new_folder(path) as folder, _without_tensorflow(preprocessor_class):
        preprocessor = preprocessor_class(
            tokenizer_class(proto=model.tokenizer.proto, **settings), sequence_length=length
        )
        task = task_class(backbone=model.keras_backbone(), preprocessor=preprocessor)
        task.save_to_preset(str(folder))
        for name, text in {"README.md": card, "NOTICE": model.notice}.items():
            if text:
                (folder / name).write_text(text + "\n", "utf-8")
    return Path(path)


def _without_tensorflow(preprocessor_class):
    """Gemma 3's preprocessor asks for TensorFlow when it is made; to be written down it needs none.

    `models.keras_hub` hides TensorFlow, which would take a TPU from JAX.
    """
    module = sys.modules[preprocessor_class.__module__]
    if not hasattr(module, "assert_tf_installed"):
        return contextlib.nullcontext()
    return mock.patch.object(module, "assert_tf_installed", lambda name: None)
