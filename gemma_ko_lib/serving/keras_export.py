"""Writes a model as a KerasHub preset, which KerasHub and vLLM on TPU read."""

from pathlib import Path

from gemma_ko_lib.models.layouts import context_length, generation
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.serving.folders import check_room, new_folder


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
    with new_folder(path) as folder:
        preprocessor = preprocessor_class(
            tokenizer_class(proto=model.tokenizer.proto), sequence_length=length
        )
        task_class(model.keras_backbone(), preprocessor).save_to_preset(str(folder))
        for name, text in {"README.md": card, "NOTICE": model.notice}.items():
            if text:
                (folder / name).write_text(text + "\n", "utf-8")
    return Path(path)
