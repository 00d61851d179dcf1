"""A model folder: what its files are called, and whether they belong together and are sound."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models.configs import check_config
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer

FORMAT = "gemma-ko model 1"
MODEL, WEIGHTS, TOKENIZER = "model.json", "model.safetensors", "tokenizer.model"
NOTICE = "NOTICE"
UNFINISHED = (
    "is not a finished model folder: {file} is missing. If it is a stopped training run, finish it "
    "with --resume."
)
_SPARE_ROWS = 1024  # embeddings may be padded to a round number of rows
_AT_ONCE = 1 << 20


@contextlib.contextmanager
def readable(folder: Path, without: str, weights: str = WEIGHTS) -> Iterator[None]:
    """Within it, a file of a folder that is missing, damaged or not to be read is a `UserError`.

    Args:
        folder: in which all the files are.
        without: what a folder is without a file; {file} stands for its name.
        weights: the file of an error that names none, as safetensors raises them.

    Raises:
        UserError: a file could not be read.
    """
    import safetensors

    try:
        yield
    except OSError as error:
        file = Path(str(error.filename or weights)).name
        if isinstance(error, FileNotFoundError):
            raise UserError(f"{folder} {without.format(file=file)}") from None
        raise UserError(f"Cannot read {folder / file}: {error.strerror or error}.") from None
    except (ValueError, TypeError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder} holds a damaged file ({error!s:.200}); make or copy it again."
        ) from None


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file.

    Raises:
        ValueError: the path is no file, or numpy lacks its kind of numbers.
        OSError, TypeError, SafetensorError: it cannot be read, see `readable`.
    """
    import safetensors

    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is not a file")
    with safetensors.safe_open(path, framework="numpy") as file:
        try:
            return {key: file.get_tensor(key) for key in file.keys()}
        except AttributeError as error:  # 8-bit floats
            raise ValueError(f"{path.name} has numbers that are not read here: {error}") from None


def read_notice(folder: Path) -> str:
    """The licence notice of a folder, or "" where there is none."""
    path = folder / NOTICE
    return path.read_text("utf-8").strip() if path.is_file() else ""


def read_description(folder: Path) -> tuple[str, dict, dict | None]:
    """Backbone, its arguments, and the digests of the other files, out of a model.json."""
    path = folder / MODEL
    with readable(folder, UNFINISHED):
        try:
            description = runtime.read_json_object(path)
        except ValueError as error:
            raise UserError(f"{path} {error}; make or copy the folder again.") from None
    if description.get("format") != FORMAT:
        raise UserError(
            f"{path} does not describe a model of this version ({FORMAT}); its format is "
            f"{description.get('format')!r}."
        )
    kind, config = description.get("backbone"), description.get("config")
    sha256 = description.get("sha256")
    for name, value in (("config", config), ("sha256", sha256 or {})):
        if not isinstance(value, dict):
            raise UserError(f"{path}: '{name}' is {value!r:.80}, not an object.")
    check_config(kind, config, str(path))
    return kind, config, sha256


def check_belong_together(folder: Path, sha256: dict | None) -> str:
    """Compare weights and tokenizer with what was saved together.

    Returns:
        A digest of both. Folders of older versions do not say what belongs to them.
    """
    found = {name: runtime.sha256_of(folder / name) for name in (WEIGHTS, TOKENIZER)}
    for name, digest in (sha256 or found).items():
        if found.get(name) != digest:
            raise UserError(
                f"{folder / name} is not the file that {MODEL} was saved with (SHA-256): it was "
                "damaged, or comes from another model. Copy the whole folder again."
            )
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def check_finite(weights: dict[str, np.ndarray], name: str) -> None:
    """Refuse weights with a NaN or an infinity in them."""
    for key, value in weights.items():
        if not all_finite(value):
            raise UserError(
                f"The weights {key} of {name} are not all finite numbers: its training has failed, "
                "or the file is damaged. Take an earlier checkpoint or another copy."
            )


def all_finite(array: np.ndarray) -> bool:
    """Whether an array has no NaN and no infinity, seen with little memory."""
    flat = np.asarray(array).reshape(-1)
    return all(np.isfinite(flat[i : i + _AT_ONCE]).all() for i in range(0, flat.size, _AT_ONCE))


def check_vocabulary(config: dict, tokenizer: SentencePieceTokenizer, name: str) -> None:
    """Refuse a tokenizer with another number of pieces than there are embeddings."""
    rows, pieces = config["vocabulary_size"], len(tokenizer.vocabulary)
    if not rows - _SPARE_ROWS <= pieces <= rows:
        raise UserError(
            f"{name}: its tokenizer has {pieces:,} pieces and the model {rows:,} embedding rows: "
            "they do not belong together. Copy the tokenizer that was saved with the weights."
        )
