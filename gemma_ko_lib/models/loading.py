"""`load(name)`: nano, the real Gemma 3 270M, any KerasHub Gemma preset, or a run's folder.

A model folder holds `model.json`, `model.safetensors` (KerasHub's weight names),
`tokenizer.model` and, for Google's weights, `NOTICE`. It is what a finished run leaves behind
and what the conversion of the GGUF package is cached as.
"""

import dataclasses
import json
import os
from pathlib import Path

import jax
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models import decoder as decoders
from gemma_ko_lib.models.configs import CONFIGS, build_backbone
from gemma_ko_lib.models.gguf_weights import GEMMA_NOTICE, convert_package
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer


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
    """

    name: str
    kind: str
    config: dict
    decoder: decoders.Decoder
    params: decoders.Params
    tokenizer: SentencePieceTokenizer
    notice: str = ""

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
        name: "nano"; "gemma3_270m"; a KerasHub preset such as "gemma2_2b_en"; or a model folder.
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
    if str(name) in _preset_names():
        return _load_preset(str(name), dtype)
    if folder.is_dir():
        return _load_folder(folder, dtype, str(name))
    raise UserError(
        f"No model '{name}'. Known: nano, a folder with model.json and model.safetensors, or a "
        f"KerasHub preset: {', '.join(_preset_names())}."
    )


def _preset_names() -> list[str]:
    from gemma_ko_lib.models.keras_hub import keras_hub

    text_classes = (keras_hub.models.GemmaBackbone, keras_hub.models.Gemma3Backbone)
    names = {name for cls in text_classes for name in cls.presets}
    return sorted(names | (set(CONFIGS) - {"nano"}))


# --- folders ---


def save_model(model: Model, folder: str | Path) -> None:
    """See `Model.save`."""
    folder = Path(folder)
    write_tensors(decoders.unstack(model.params), folder / "model.safetensors")
    model.tokenizer.save(folder / "tokenizer.model")
    if model.notice:
        with runtime.whole_file(folder / "NOTICE") as file:
            file.write(model.notice + "\n")
    description = {"format": "gemma-ko model 1", "backbone": model.kind, "config": model.config}
    with runtime.whole_file(folder / "model.json") as file:
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

    try:
        description = json.loads((folder / "model.json").read_text("utf-8"))
        proto = (folder / "tokenizer.model").read_bytes()
        with safetensors.safe_open(folder / "model.safetensors", framework="numpy") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a finished model folder: {Path(str(error.filename)).name} is "
            "missing. If it is a stopped training run, finish it with pretrain --resume."
        ) from None
    except (ValueError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{folder} holds a damaged file ({error}); make or copy it again."
        ) from None
    notice = folder / "NOTICE"
    return assemble(
        name,
        description["backbone"],
        description["config"],
        weights,
        SentencePieceTokenizer(proto, name),
        dtype,
        notice.read_text("utf-8").strip() if notice.is_file() else "",
    )


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
        UserError: the weights are not those of the configuration.
    """
    decoder = decoders.Decoder(build_backbone(kind, config, dtype))
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        try:
            params = decoders.stack(weights, decoder)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"The weights of {name} do not fit its configuration: {error}"
            ) from None
    for key, shape in decoder.shapes().items():
        if params[key].shape != shape.shape:
            raise UserError(
                f"{name}: {key} has shape {params[key].shape}, "
                f"its configuration says {shape.shape}."
            )
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
    from gemma_ko_lib.models.keras_hub import keras_hub

    runtime.seed_everything(seed)
    decoder = decoders.Decoder(getattr(keras_hub.models, kind)(**config, dtype=dtype))
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
    from gemma_ko_lib.models.keras_hub import keras_hub

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
            backbone = backbone_class.from_preset(name, dtype=dtype)
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
