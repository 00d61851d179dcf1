"""Reads a Gemma out of a transformers folder: config.json, safetensors, tokenizer.model."""

from pathlib import Path

import numpy as np

from gemma_ko_lib.models import layouts
from gemma_ko_lib.models.belonging import TOKENIZER, WEIGHTS, read_notice, read_tensors, readable
from gemma_ko_lib.runtime import UserError, read_json_object
from gemma_ko_lib.tokenization.tokenizer import read_proto

_WITHOUT = "is a transformers folder without {file}: copy it there"
_NUMBERS = {kind.transformers: number for number, kind in layouts.KINDS.items()}


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder holds a model's config.json as transformers writes it."""
    try:
        return "model_type" in read_json_object(folder / "config.json")
    except (OSError, ValueError):
        return False


def read_transformers_shape(folder: Path) -> tuple[int, str, dict]:
    """Which Gemma a folder holds, its KerasHub backbone class and arguments.

    Raises:
        UserError: another kind of model, or a setting that is missing or cannot be.
    """
    path = folder / "config.json"
    said = read_json_object(path)
    model_type = said["model_type"]
    if not isinstance(model_type, str) or model_type not in _NUMBERS:
        raise UserError(
            f"{path}: model_type is {model_type!r:.80}; text models of the kinds "
            f"{', '.join(_NUMBERS)} can be read."
        )
    number = _NUMBERS[model_type]
    found = {
        one.keras: said[one.transformers] for one in layouts.SETTINGS if one.transformers in said
    }
    kind, config = layouts.config_of(number, found, _rotation(said, number, str(path)), str(path))
    if number > 1:
        by_head, by_width = config["head_dim"], config["hidden_dim"] // config["num_query_heads"]
        scalar = said.get("query_pre_attn_scalar", by_head)
        if scalar not in (by_head, by_width):
            raise UserError(
                f"{path}: query_pre_attn_scalar is {scalar!r:.80}; a Gemma of this shape has "
                f"{by_head} or {by_width}."
            )
        if scalar != by_head:
            config["query_head_dim_normalize"] = False
    _check_what_all_have(said, number, config["num_layers"], str(path))
    return number, kind, config


def _rotation(said: dict, number: int, where: str) -> tuple:
    """How the positions of global layers are rotated, in the words of transformers 4 or 5."""
    found = said.get("rope_parameters") or {}
    if isinstance(found, dict) and number == 3:
        found = found.get("full_attention")
    found = found or said.get("rope_scaling") or {}
    if not isinstance(found, dict):
        raise UserError(f"{where}: the scaling of the positions is {found!r:.80}, not an object.")
    kind = found.get("rope_type", found.get("type", "default"))
    base = found.get("rope_theta", said.get("rope_theta"))
    return kind, found.get("factor", 1.0), base


def _check_what_all_have(said: dict, number: int, layers: int, where: str) -> None:
    """See that what is not read out of a file is as in every Gemma of its number.

    Raises:
        UserError: the weights were made for something that this library does not compute.
    """
    wanted = {"hidden_activation": "gelu_pytorch_tanh", "use_bidirectional_attention": False}
    if number > 1:
        wanted["layer_types"] = layouts.layer_types(number, layers)
    if number == 3:
        wanted |= {"rope_local_base_freq": 1e4, "sliding_window_pattern": layouts.PERIOD[3]}
    for key, value in wanted.items():
        if said.get(key) not in (None, value):
            raise UserError(
                f"{where}: {key} is {said[key]!r:.80}, and {value!r:.80} in every Gemma {number} "
                "that can be read."
            )


def read_transformers(folder: Path) -> tuple[str, dict, dict[str, np.ndarray], bytes, str]:
    """A model out of a transformers folder.

    Returns:
        KerasHub backbone class, its arguments, weights by KerasHub's names in the number format
        that they are stored in, the SentencePiece model, and the licence notice or "".

    Raises:
        UserError: another kind of model; a file that is missing or damaged; weights that are not
            those of the configuration.
    """
    number, kind, config = read_transformers_shape(folder)
    names = layouts.foreign_names("transformers", number, config["num_layers"])
    with readable(folder, f"{_WITHOUT} from the Gemma that this model was made of."):
        proto = read_proto(folder / TOKENIZER)
    found: dict[str, np.ndarray] = {}
    with readable(folder, f"{_WITHOUT} too."):
        for file in _files(folder):
            found |= read_tensors(file)
        notice = read_notice(folder)
    head, embedding = found.pop("lm_head.weight", None), found.get("model.embed_tokens.weight")
    if not (head is None or embedding is None or np.array_equal(head, embedding)):
        raise UserError(
            f"{folder}: lm_head.weight is another matrix than the embeddings. A Gemma has one for "
            "both, and this model would answer otherwise with it."
        )
    if found.keys() != set(names.values()):
        odd = sorted(found.keys() ^ set(names.values()))
        raise UserError(
            f"{folder}: the weights are not those of config.json: {odd[0]} and "
            f"{len(odd) - 1} others are there and not wanted, or wanted and not there."
        )
    try:
        weights = {
            ours: layouts.from_rows(ours, found.pop(theirs), config["head_dim"])
            for ours, theirs in names.items()
        }
    except (ValueError, IndexError) as error:
        raise UserError(f"{folder}: a matrix does not fit config.json ({error}).") from None
    return kind, config, weights, proto, notice


def _files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / WEIGHTS]
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict):
        raise ValueError(f"{index.name} has no weight_map")
    return [folder / Path(str(name)).name for name in sorted(set(places.values()))]
