"""A model folder: what its files are called, and whether they belong together and are sound."""

import hashlib
import json
from pathlib import Path

import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models.configs import check_config
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer

FORMAT = "gemma-ko model 1"
MODEL, WEIGHTS, TOKENIZER = "model.json", "model.safetensors", "tokenizer.model"
_SPARE_ROWS = 1024  # embeddings may be padded to a round number of rows
_AT_ONCE = 1 << 20


def unreadable(folder: Path, error: OSError) -> UserError:
    """What it means that a file of a model folder cannot be opened."""
    # safetensors raises FileNotFoundError without the file's name.
    file = Path(str(error.filename or WEIGHTS)).name
    if isinstance(error, FileNotFoundError):
        return UserError(
            f"{folder} is not a finished model folder: {file} is missing. If it is a stopped "
            "training run, finish it with --resume."
        )
    return UserError(f"Cannot read {folder / file}: {error.strerror or error}.")


def read_description(folder: Path) -> tuple[str, dict, dict | None]:
    """Backbone, its arguments, and the digests of the other files, out of a model.json."""
    path = folder / MODEL
    try:
        description = runtime.read_json_object(path)
    except ValueError as error:
        raise UserError(f"{path} {error}; make or copy the folder again.") from None
    except OSError as error:
        raise unreadable(folder, error) from None
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
