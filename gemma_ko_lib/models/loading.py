"""`load(name)`: nano, Gemma 3 270M, a KerasHub Gemma preset, a run's folder, or an exported model.

A model folder holds `model.json`, `model.safetensors` (KerasHub's weight names),
`tokenizer.model` and, for Google's weights, `NOTICE`. It is what a finished run leaves behind
and what the conversion of the GGUF package is cached as.
"""

import dataclasses
import json
import os
import re
from pathlib import Path

import jax
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models import decoder as decoders
from gemma_ko_lib.models.belonging import (
    FORMAT,
    MODEL,
    TOKENIZER,
    WEIGHTS,
    check_belong_together,
    check_finite,
    check_vocabulary,
    read_description,
    unreadable,
)
from gemma_ko_lib.models.configs import (
    CONFIGS,
    build_backbone,
    check_config,
    preset_name,
    shape_of,
)
from gemma_ko_lib.models.gguf_weights import (
    GEMMA_NOTICE,
    convert_package,
    read_gguf,
    read_gguf_shape,
)
from gemma_ko_lib.models.transformers_folder import (
    is_transformers_folder,
    read_transformers,
    read_transformers_shape,
)
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer, read_proto
from gemma_ko_lib.tokenization.tokenizer_files import open_gguf


@dataclasses.dataclass
class Model:
    """A Gemma: its forward pass, its weights, its tokenizer.

    Attributes:
        name: how it was asked for.
        kind: KerasHub backbone class.
        config: the backbone's arguments.
        decoder: the forward pass.
        params: weights in the decoder's layout.
        tokenizer: its SentencePiece tokenizer.
        notice: licence notice that travels with the weights; empty for our own.
        digest: of weights and tokenizer as they were loaded from a folder; empty otherwise.
    """

    name: str
    kind: str
    config: dict
    decoder: decoders.Decoder
    params: decoders.Params
    tokenizer: SentencePieceTokenizer
    notice: str = ""
    digest: str = ""

    def save(self, folder: str | Path) -> None:
        """Write the model as a folder that `load` reads; `model.json` comes last."""
        save_model(self, folder)

    def keras_backbone(self):
        """The KerasHub backbone with the current weights in it, for KerasHub's own methods."""
        self.decoder.write_weights(self.params)
        return self.decoder.backbone


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
        return _load_folder(runtime.samples_dir() / "nano", dtype, "nano")
    if folder.is_dir():
        if is_transformers_folder(folder):
            return _load_foreign(str(name), dtype, *read_transformers(folder))
        return _load_folder(folder, dtype, str(name))
    if folder.suffix == ".gguf":
        return _load_foreign(str(name), dtype, *read_gguf(folder))
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
    if folder.is_dir():
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


# --- folders ---


def save_model(model: Model, folder: str | Path) -> None:
    """See `Model.save`.

    Raises:
        UserError: the disk is full or not writable; or weights that are not finite.
    """
    folder = Path(folder)
    weights = decoders.unstack(model.params)
    check_finite(weights, model.name)
    write_tensors(weights, folder / WEIGHTS)
    model.tokenizer.save(folder / TOKENIZER)
    if model.notice:
        with runtime.whole_file(folder / "NOTICE") as file:
            file.write(model.notice + "\n")
    description = {
        "format": FORMAT,
        "backbone": model.kind,
        "config": model.config,
        "sha256": {name: runtime.sha256_of(folder / name) for name in (WEIGHTS, TOKENIZER)},
    }
    with runtime.whole_file(folder / MODEL) as file:
        json.dump(description, file, indent=1)


def write_tensors(
    weights: dict[str, np.ndarray], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Stream weights to disk under another name first: a torn file is never taken for whole.

    Args:
        weights: by name.
        path: of the safetensors file.
        metadata: goes into its header.

    Raises:
        UserError: the disk is full or not writable.
    """
    import safetensors.numpy

    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.numpy.save_file(weights, part, metadata)
        os.replace(part, path)
    except (OSError, safetensors.SafetensorError) as error:
        part.unlink(missing_ok=True)
        as_os_error = error if isinstance(error, OSError) else OSError(0, str(error))
        raise runtime.disk_error(path, as_os_error) from error


def _load_folder(folder: Path, dtype: str, name: str) -> Model:
    import safetensors

    kind, config, sha256 = read_description(folder)
    for path in (folder / WEIGHTS, folder / TOKENIZER):
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not a file; copy the folder again.")
    try:
        weights_file = safetensors.safe_open(folder / WEIGHTS, framework="numpy")
        proto = read_proto(folder / TOKENIZER)
        notice = folder / "NOTICE"
        notice = notice.read_text("utf-8").strip() if notice.is_file() else ""
        digest = check_belong_together(folder, sha256)
    except OSError as error:
        raise unreadable(folder, error) from None
    except (ValueError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder} holds a damaged file ({error}); make or copy it again."
        ) from None
    with weights_file as file:
        # Before anything is built: what it costs follows from the file, not from the numbers.
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
        decoder = _build(kind, config, dtype, shapes, name)
        try:
            weights = {key: file.get_tensor(key) for key in shapes}
        except (TypeError, safetensors.SafetensorError) as error:  # a kind of number numpy lacks
            raise UserError(f"{folder / WEIGHTS} cannot be read ({error}).") from None
    check_finite(weights, name)
    tokenizer = SentencePieceTokenizer(proto, name)
    check_vocabulary(config, tokenizer, name)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        params = decoders.stack(weights, decoder)
    return Model(name, kind, config, decoder, params, tokenizer, notice, digest)


def _load_foreign(
    name: str, dtype: str, kind: str, config: dict, weights: dict, proto: bytes, notice: str = ""
) -> Model:
    tokenizer = SentencePieceTokenizer(proto, name)
    return assemble(name, kind, config, weights, tokenizer, dtype, notice)


def _build(kind: str, config: dict, dtype: str, shapes: dict, name: str) -> decoders.Decoder:
    """The decoder of a configuration, when it is that of some weights.

    Args:
        shapes: of the weights, by KerasHub's names.
    """
    blocks = {match[1] for key in shapes if (match := re.match(r"decoder_block_(\d+)/", key))}
    embedding = shapes.get("token_embedding/embeddings")
    said = config["vocabulary_size"], config["hidden_dim"]
    if config["num_layers"] != len(blocks) or embedding != said:
        raise UserError(
            f"{name}: the configuration says {config['num_layers']} layers and embeddings of "
            f"{said}; the weights have {len(blocks)} and {embedding}."
        )
    try:
        decoder = decoders.Decoder(build_backbone(kind, config, dtype))
    except Exception as error:  # Keras and JAX raise a dozen types for impossible numbers
        raise UserError(
            f"{name}: no {kind} can be built of its configuration ({type(error).__name__}: "
            f"{str(error).splitlines()[0]:.200})."
        ) from error
    expected = {
        decoders.canonical_name(variable): tuple(variable.shape)
        for variables in decoder.variables_by_name().values()
        for variable in variables
    }
    for key in sorted(expected.keys() | shapes.keys()):
        found, wanted = shapes.get(key, "none"), expected.get(key, "none")
        if found != wanted:
            raise UserError(
                f"{name}: the weights do not fit the configuration, which says {wanted} for "
                f"{key}; the weights have {found}."
            )
    return decoder


def assemble(
    name: str,
    kind: str,
    config: dict,
    weights: dict[str, np.ndarray],
    tokenizer: SentencePieceTokenizer,
    dtype: str = "float32",
    notice: str = "",
) -> Model:
    """Make a model of its parts; no random weights are drawn on the way.

    Args:
        weights: arrays by KerasHub's names.

    Raises:
        UserError: the weights are not those of the configuration, or are not finite; or the
            tokenizer has another vocabulary.
    """
    check_config(kind, config, name)
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    decoder = _build(kind, config, dtype, shapes, name)
    check_finite(weights, name)
    check_vocabulary(config, tokenizer, name)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        params = decoders.stack(weights, decoder)
    return Model(name, kind, config, decoder, params, tokenizer, notice)


def random_model(
    name: str,
    kind: str,
    config: dict,
    tokenizer: SentencePieceTokenizer,
    seed: int,
    dtype: str = "float32",
) -> Model:
    """An untrained model with KerasHub's own initial weights.

    Args:
        name: how to call it.
        kind: KerasHub backbone class.
        config: the backbone's arguments.
        tokenizer: with as many pieces as the configuration has.
        seed: of the weights.
        dtype: Keras dtype policy.
    """
    from gemma_ko_lib.models.keras_hub import dtype_policy, keras_hub

    runtime.seed_everything(seed)
    backbone = getattr(keras_hub.models, kind)(**config, dtype=dtype_policy(dtype))
    decoder = decoders.Decoder(backbone)
    return Model(name, kind, config, decoder, decoder.read_weights(), tokenizer)


# --- Google's weights ---


def _load_preset(name: str, dtype: str) -> Model:
    cached = runtime.cache_dir() / "models" / name
    if (cached / "model.json").is_file():
        print(GEMMA_NOTICE)
        return _load_folder(cached, dtype, name)
    if runtime.export_credentials("kaggle"):
        return _from_keras_hub(name, dtype)
    if name == "gemma3_270m":
        return _from_gguf_package(cached, dtype)
    raise UserError(
        f"{name} needs a Kaggle account that has accepted Google's licence: open "
        "https://www.kaggle.com/models/google/gemma, accept it, create an API key under "
        "Settings > API, and set KAGGLE_USERNAME and KAGGLE_KEY (Colab: key icon; Kaggle: "
        "Add-ons > Secrets). gemma3_270m is the one preset that works without (extra 'real')."
    )


def _from_gguf_package(cached: Path, dtype: str) -> Model:
    print(f"{GEMMA_NOTICE}\nConverting the GGUF package once (about a minute) into {cached}")
    weights, proto, terms = convert_package()
    kind, config = CONFIGS["gemma3_270m"]
    tokenizer = SentencePieceTokenizer(proto, "gemma3_270m")
    model = assemble("gemma3_270m", kind, config, weights, tokenizer, dtype, GEMMA_NOTICE)
    cached.mkdir(parents=True, exist_ok=True)
    with runtime.whole_file(cached / "GEMMA_TERMS.html") as file:
        file.write(terms)
    model.save(cached)
    return model


def _from_keras_hub(name: str, dtype: str) -> Model:
    from gemma_ko_lib.models.keras_hub import dtype_policy, keras_hub

    print(GEMMA_NOTICE)
    models = keras_hub.models
    gemma3 = name in models.Gemma3Backbone.presets
    backbone_class, tokenizer_class = (
        (models.Gemma3Backbone, models.Gemma3Tokenizer)
        if gemma3
        else (models.GemmaBackbone, models.GemmaTokenizer)
    )
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            backbone = backbone_class.from_preset(name, dtype=dtype_policy(dtype))
        proto = tokenizer_class.from_preset(name).proto
    except Exception as error:  # kagglehub and Keras raise a dozen types for a refused download
        raise UserError(
            f"The preset {name} could not be downloaded ({type(error).__name__}: {error}). Accept "
            "the licence at https://www.kaggle.com/models/google/gemma with the account of your "
            "KAGGLE_USERNAME, and check the network."
        ) from error
    if getattr(backbone, "vision_encoder", None) is not None:
        raise UserError(f"{name} reads images; this course trains text models: use {name}_text.")
    decoder = decoders.Decoder(backbone)
    config = {
        key: value
        for key, value in backbone.get_config().items()
        if key not in ("name", "trainable", "dtype", "vision_encoder")
    }
    return Model(
        name,
        backbone_class.__name__,
        config,
        decoder,
        decoder.read_weights(),
        SentencePieceTokenizer(proto, name),
        GEMMA_NOTICE,
    )
