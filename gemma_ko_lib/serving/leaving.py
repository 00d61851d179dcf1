"""A run leaves for another program, in one of four formats: what `gemma-ko export` does."""

from collections.abc import Sequence
from pathlib import Path

import jax

from gemma_ko_lib import runtime
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.models.importance import column_importance
from gemma_ko_lib.models.loading import load
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.models.peft_files import CONFIG, as_plain_lora, load_adapters, save_adapters
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving.folders import known, new_folder
from gemma_ko_lib.serving.gguf_export import TYPES, export_gguf
from gemma_ko_lib.serving.keras_export import export_keras
from gemma_ko_lib.serving.llama_quantizer import WEIGHED
from gemma_ko_lib.serving.model_card import CARD_BEGINS, read_noted, write_card
from gemma_ko_lib.serving.transformers_export import export_transformers

FORMATS = ("hf", "gguf", "keras", "peft")
_GGUF_TYPE = "q8_0"


def export(
    source: str,
    folder: str | Path,
    format: str = "hf",
    kind: str | None = None,
    importance: Sequence[str] = (),
) -> Path:
    """Write a finished run, or any model that `models.load` knows, for other programs.

    Args:
        source: the run's folder, or a model's name.
        folder: where to; a GGUF file is put beside what is there, the others want it empty.
        format: one of `FORMATS`. "peft" writes the adapter alone, for the untouched base.
        kind: number format of a GGUF file, one of `TYPES`; q8_0 by default.
        importance: files of text on which the rounding errors of a GGUF should be small.

    Returns:
        What was written: the folder, or the GGUF file.

    Raises:
        UserError: an unknown format or type; a type or importance for a format that does not take
            it; a run that is not finished; a run without adapters; a README.md that is not an
            export's in the folder of a GGUF file; see the formats' own functions.
    """
    known("format", format, FORMATS)
    if kind and format != "gguf":
        raise UserError(
            f"A type is one of a GGUF file, and {format} would not have it: give --format gguf "
            "too, or leave --type out."
        )
    kind = known("type", (kind or _GGUF_TYPE).lower(), TYPES)
    if importance and (format != "gguf" or TYPES[kind][0] not in WEIGHED):
        takes = ", ".join(name for name, (its_type, _) in TYPES.items() if its_type in WEIGHED)
        raise UserError(
            f"Importance changes nothing in {kind if format == 'gguf' else format}: give "
            f"--format gguf and one of these types: {takes}."
        )
    run, folder = Path(source), Path(folder)
    if format == "peft":
        return _export_adapters(run, folder)
    model = load(source, _stored_dtype(run))
    if format == "hf":
        card = write_card(model, run, folder, format)
        return export_transformers(model, folder, chat=_chats(source), card=card)
    if format == "keras":
        return export_keras(model, folder, write_card(model, run, folder, format))
    path = folder / f"{run.resolve().name.removesuffix('.gguf')}-{kind}.gguf"
    if path.exists():
        raise UserError(f"{path} is there already; give another folder with -o.")
    texts = {
        "README.md": write_card(model, run, folder, format, path.name),
        "Modelfile": f"FROM ./{path.name}\n",
        "NOTICE": model.notice,
    }
    for file, begins in zip(texts, (CARD_BEGINS, "FROM ./", model.notice), strict=True):
        if texts[file] and not _may_be_replaced(folder / file, begins):
            raise UserError(
                f"{folder / file} is there, and of no export, which writes its own; give another "
                "folder with -o."
            )
    columns = None
    if importance:
        columns = column_importance(model, [its.text for its in read_documents(importance)])
    export_gguf(model, path, kind, chat=_chats(source), importance=columns)
    for file, text in texts.items():
        if text:
            runtime.write_whole(folder / file, text)
    return path


def _may_be_replaced(path: Path, begins: str) -> bool:
    """Whether a file is not there, or begins as an export's does."""
    try:
        return path.read_text("utf-8").startswith(begins)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, UnicodeDecodeError):
        return False


def _stored_dtype(run: Path) -> str:
    """What a run's weights are kept in: a bfloat16 model must not double its size on the way."""
    import safetensors

    if not (run / "model.safetensors").is_file():
        return "float32"
    try:
        with safetensors.safe_open(run / "model.safetensors", framework="numpy") as file:
            kept = {file.get_slice(key).get_dtype() for key in file.keys()}
    except safetensors.SafetensorError:
        return "float32"  # `load` says what is wrong
    return "bfloat16" if kept == {"BF16"} else "float32"


def _chats(source: str) -> bool:
    """Whether a model was trained to chat, here or at Google."""
    settings = read_noted(Path(source) / "config.json")
    base = str(settings.get("model", source)).lower()
    return settings.get("command") == "finetune" or any(
        word in base.replace("-", "_").split("_") for word in ("instruct", "it")
    )


def _export_adapters(run: Path, folder: Path) -> Path:
    if not (run / "adapter" / CONFIG).is_file():
        raise UserError(
            f"{run} holds no adapter/: only `gemma-ko finetune --method lora` or olora keeps one, "
            "and not with --train-embedding. "
            "Export the merged model with --format hf."
        )
    base_name = runtime.read_json_object(run / "adapter" / CONFIG)["base_model_name_or_path"]
    base: Model = load(base_name, "float32")
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        _, adapters, lora = load_adapters(run / "adapter", base.params)
        if lora.olora:
            adapters, lora = as_plain_lora(base.params, adapters, lora)
    with new_folder(folder) as part:
        save_adapters(part, adapters, lora, base_name)
        (part / "README.md").write_text(write_card(base, run, folder, "peft"), "utf-8")
    return folder
