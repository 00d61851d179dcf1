"""`load(name)`: nano, Gemma 3 270M, a KerasHub preset, a run's folder, or an exported model."""

import dataclasses
import math
import re
import sys
import tempfile
from pathlib import Path

import jax

from gemma_ko_lib import runtime
from gemma_ko_lib.models import decoder as decoders
from gemma_ko_lib.models.belonging import MODEL, read_description
from gemma_ko_lib.models.configs import CONFIGS, preset_name, shape_of
from gemma_ko_lib.models.gguf_weights import (
    GEMMA_NOTICE,
    convert_package,
    read_gguf,
    read_gguf_shape,
)
from gemma_ko_lib.models.model import Model, assemble, read_folder
from gemma_ko_lib.models.transformers_folder import (
    is_transformers_folder,
    read_transformers,
    read_transformers_shape,
)
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer
from gemma_ko_lib.tokenization.tokenizer_files import open_gguf


def load(name: str | Path, dtype: str | None = None) -> Model:
    """Load a model with its tokenizer; weights stay in host memory until they are placed.

    Args:
        name: "nano"; "gemma3_270m"; a KerasHub preset such as "gemma2_2b_en"; a model folder; a
            transformers folder with a tokenizer.model; or a GGUF file.
        dtype: Keras dtype policy; by default the one `runtime.choose_dtype` picks.

    Raises:
        UserError: unknown name, damaged folder, or no licence consent or credentials.

    Example:
        >>> model = load("nano")
        >>> model.tokenizer.decode(*model.tokenizer.encode(["안녕, Gemma"]))
        '안녕, Gemma'
    """
    dtype = dtype or runtime.choose_dtype(runtime.accelerator()).policy
    folder = Path(name).expanduser()
    if str(name) == "nano":
        return read_folder(runtime.samples_dir() / "nano", dtype, "nano")
    if folder.is_dir():
        if is_transformers_folder(folder):
            files = [folder / "config.json", folder / "tokenizer.model"]
            files += sorted(folder.glob("*.safetensors"))
            return _from_files(files, str(name), dtype, *read_transformers(folder))
        return read_folder(folder, dtype, str(name))
    if folder.suffix == ".gguf":
        return _from_files([folder], str(name), dtype, *read_gguf(folder))
    return _load_preset(preset_name(str(name)), dtype)


def read_shape(name: str | Path) -> tuple[str, str, dict]:
    """A model's own name, KerasHub backbone class and its arguments, without its weights.

    Args:
        name: as for `load`; or a preset with its vocabulary cut to so many pieces, as
            gemma2_2b:32k, which is a shape only.

    Raises:
        UserError: unknown name, a damaged folder, or no number of pieces.
    """
    folder = Path(name).expanduser()
    if folder.is_dir() and str(name) != "nano":
        if is_transformers_folder(folder):
            return str(name), *read_transformers_shape(folder)[1:]
        return str(name), *read_description(folder)[:2]
    if folder.suffix == ".gguf":
        return str(name), *read_gguf_shape(open_gguf(folder), folder)[1:]
    whole, cut, pieces = str(name).partition(":")
    preset = preset_name(whole)
    kind, config = shape_of(preset)
    if not cut:
        return preset, kind, config
    number = re.fullmatch(r"([1-9]\d{0,5})(k?)", pieces.lower())
    size = int(number[1]) * (1024 if number[2] else 1) if number else 0
    if not 0 < size <= config["vocabulary_size"]:
        raise UserError(
            f"'{name}': behind the colon stands how many pieces the vocabulary is cut to, as "
            f"{preset}:32k, at most {config['vocabulary_size']:,}."
        )
    return f"{preset}:{size}", kind, {**config, "vocabulary_size": size}


def parameter_count(name: str | Path) -> int:
    """Number of parameters of a model, without allocating its weights.

    Args:
        name: as for `read_shape`.

    Raises:
        UserError: as there.

    Example:
        >>> parameter_count("gemma3_270m")
        268098176
    """
    _, kind, config = read_shape(name)
    shapes = decoders.build_decoder(kind, config, "float32").shapes()
    return sum(math.prod(x.shape) for x in shapes.values())


def _from_files(files: list[Path], *parts) -> Model:
    """A model of parts that were read from files, by which a resumed run knows it again."""
    return dataclasses.replace(_assembled(*parts), digest=runtime.digest_of(files))


def _assembled(
    name: str, dtype: str, kind: str, config: dict, weights: dict, proto: bytes, notice: str = ""
) -> Model:
    tokenizer = SentencePieceTokenizer(proto, name)
    return assemble(name, kind, config, weights, tokenizer, dtype, notice)


# --- Google's weights ---


def _load_preset(name: str, dtype: str) -> Model:
    cached = runtime.cache_dir() / "models" / name
    if (cached / "model.json").is_file():
        print(GEMMA_NOTICE)
        return read_folder(cached, dtype, name)
    if runtime.export_credentials("kaggle"):
        return _from_keras_hub(name, dtype)
    if name == "gemma3_270m":
        return _from_gguf_package(cached, dtype)
    if runtime.platform() == "kaggle":  # a notebook there is logged in
        return _from_keras_hub(name, dtype)
    raise UserError(
        f"{name} needs a Kaggle account that has accepted its licence: open {_page(name)}, accept "
        "it, generate a token under Settings > API, and set KAGGLE_API_TOKEN to it (Colab: key "
        "icon). gemma3_270m is the one preset that works without (extra 'real')."
    )


def _page(name: str) -> str:
    """Where Kaggle shows a preset's licence: each family has a page of its own."""
    from gemma_ko_lib.models.keras_hub import keras_hub

    handle = getattr(keras_hub.models, shape_of(name)[0]).presets[name]["kaggle_handle"]
    owner, model = handle.removeprefix("kaggle://").split("/")[:2]
    return f"https://www.kaggle.com/models/{owner}/{model}"


def _from_gguf_package(cached: Path, dtype: str) -> Model:
    print(f"{GEMMA_NOTICE}\nConverting the GGUF package once (about a minute) into {cached}")
    weights, proto, terms = convert_package()
    name = "gemma3_270m"
    # In float32, whatever is asked for now: later loads, of any format, read these weights.
    model = _assembled(name, "float32", *CONFIGS[name], weights, proto, GEMMA_NOTICE)
    try:
        _keep(model, terms, cached)
    except UserError as error:  # it can be used all the same
        why = re.split(r" \(|\. Give ", str(error))[0]  # without a remedy that is not one here
        print(
            f"The converted model is not kept, and will be converted again: {why}. GEMMA_KO_CACHE "
            "in the environment names another folder for it.",
            file=sys.stderr,
        )
        weights = decoders.unstack(model.params)
        return _assembled(name, dtype, *CONFIGS[name], weights, proto, GEMMA_NOTICE)
    del model
    return read_folder(cached, dtype, name)  # with the digest by which a resumed run knows it


def _keep(model: Model, terms: str, cached: Path) -> None:
    """Put a converted model into the cache; several processes may do it at the same time.

    Each writes a folder of its own and moves its files when they are whole, `model.json` last. All
    make the same bytes.
    """
    with runtime.disk_errors(cached):
        cached.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".converted-", dir=cached.parent) as scratch:
            runtime.write_whole(Path(scratch) / "GEMMA_TERMS.html", terms)
            model.save(scratch)
            for path in sorted(Path(scratch).iterdir(), key=lambda path: path.name == MODEL):
                path.replace(cached / path.name)


def _from_keras_hub(name: str, dtype: str) -> Model:
    from gemma_ko_lib.models.keras_hub import dtype_policy, keras_hub

    print(GEMMA_NOTICE)
    kind, _ = shape_of(name)
    backbone_class = getattr(keras_hub.models, kind)
    tokenizer_class = getattr(keras_hub.models, kind.replace("Backbone", "Tokenizer"))
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            backbone = backbone_class.from_preset(name, dtype=dtype_policy(dtype))
        proto = tokenizer_class.from_preset(name).proto
    except Exception as error:  # kagglehub and Keras raise a dozen types for a refused download
        raise UserError(
            f"The preset {name} could not be downloaded ({type(error).__name__}: {error}). Accept "
            f"the licence at {_page(name)} with the Kaggle account that you use here, and check "
            "the network."
        ) from error
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if key not in ("name", "trainable", "dtype", "vision_encoder")
    }
    tokenizer = SentencePieceTokenizer(proto, name)
    params = decoders.Decoder(backbone).read_weights()
    # Not the decoder of this backbone, which would keep the weights in memory a second time.
    decoder = decoders.build_decoder(kind, config, dtype, name)
    return Model(name, kind, config, decoder, params, tokenizer, GEMMA_NOTICE)
