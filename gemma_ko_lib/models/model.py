"""A model: its forward pass, its weights and its tokenizer, made of parts or read from a folder.

A model folder holds `model.json`, `model.safetensors` (KerasHub's weight names),
`tokenizer.model` and, for Google's weights, `NOTICE`. It is what a finished run leaves behind
and what the conversion of the GGUF package is cached as.
"""

import dataclasses
import re
from pathlib import Path

import jax
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models import decoder as decoders
from gemma_ko_lib.models.belonging import (
    FORMAT,
    MODEL,
    NOTICE,
    TOKENIZER,
    UNFINISHED,
    WEIGHTS,
    check_belong_together,
    check_finite,
    check_vocabulary,
    read_description,
    read_notice,
    read_tensors,
    readable,
)
from gemma_ko_lib.models.configs import build_backbone, check_config
from gemma_ko_lib.models.sharding import BLOCKS, EMBEDDING
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer, read_proto


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
        digest: of the files that weights and tokenizer were read from; empty otherwise.
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
        """Write the model as a folder that `load` reads; `model.json` comes last.

        Raises:
            UserError: the disk is full or not writable; or weights that are not finite.
        """
        folder = Path(folder)
        weights = decoders.unstack(self.params)
        check_finite(weights, self.name)
        write_tensors(weights, folder / WEIGHTS)
        self.tokenizer.save(folder / TOKENIZER)
        if self.notice:
            runtime.write_whole(folder / NOTICE, self.notice + "\n")
        description = {
            "format": FORMAT,
            "backbone": self.kind,
            "config": self.config,
            "sha256": {name: runtime.sha256_of(folder / name) for name in (WEIGHTS, TOKENIZER)},
        }
        runtime.write_json(folder / MODEL, description)

    def params_at_hand(self, params: decoders.Params | None = None) -> decoders.Params:
        """Its weights, or others of its shape, where a program reads them again and again.

        Weights that were loaded are bound to no device, and those that were trained are. Each kind
        would have its program compiled, and what is bound to none may be sent to a GPU with each
        call. So they are on the first device; those of a mesh stay as they are.
        """
        params = params or self.params
        if any(isinstance(x, jax.Array) and len(x.devices()) > 1 for x in params.values()):
            return params
        return jax.device_put(params, jax.local_devices()[0])

    def keras_backbone(self):
        """A KerasHub backbone with the current weights in it, for KerasHub's own methods."""
        backbone = build_backbone(self.kind, self.config, self.decoder.dtype_policy)
        decoders.Decoder(backbone).write_weights(self.params)
        return backbone


# --- its folder ---


def write_tensors(
    weights: dict[str, np.ndarray], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write weights into a file that is whole or not there.

    Args:
        weights: by name.
        path: of the safetensors file.
        metadata: goes into its header.

    Raises:
        UserError: the disk is full or not writable.
    """
    with runtime.disk_errors(path), runtime.whole_path(path) as part:
        save_tensors(weights, part, metadata)


def save_tensors(
    weights: dict[str, np.ndarray], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write weights into a file of a folder that is itself whole or not there.

    Raises:
        OSError: the disk is full or not writable.
    """
    import safetensors.numpy

    path.touch()
    mode = path.stat().st_mode
    try:
        safetensors.numpy.save_file(weights, path, metadata)
    except safetensors.SafetensorError as error:
        raise OSError(0, str(error)) from error
    path.chmod(mode)  # its own are for their owner only


def read_folder(folder: Path, dtype: str, name: str) -> Model:
    """Read what `Model.save` wrote.

    Args:
        folder: of the model.
        dtype: Keras dtype policy.
        name: how to call it.

    Raises:
        UserError: the folder is damaged, or its parts do not belong together.
    """
    kind, config, sha256 = read_description(folder)
    with readable(folder, UNFINISHED):
        weights = read_tensors(folder / WEIGHTS)
        proto = read_proto(folder / TOKENIZER)
        digest = check_belong_together(folder, sha256)
        notice = read_notice(folder)
    tokenizer = SentencePieceTokenizer(proto, name)
    model = assemble(name, kind, config, weights, tokenizer, dtype, notice)
    return dataclasses.replace(model, digest=digest)


# --- its parts ---


def _build(kind: str, config: dict, dtype: str, weights: dict, name: str) -> decoders.Decoder:
    """The decoder of a configuration, when it is that of some weights, by KerasHub's names."""
    # Before anything is built: what it costs follows from the weights, not from the numbers.
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    blocks = {match[1] for key in shapes if (match := re.match(r"decoder_block_(\d+)/", key))}
    embedding = shapes.get(EMBEDDING)
    said = config["vocabulary_size"], config["hidden_dim"]
    if config["num_layers"] != len(blocks) or embedding != said:
        raise UserError(
            f"{name}: the configuration says {config['num_layers']} layers and embeddings of "
            f"{said}; the weights have {len(blocks)} and {embedding}."
        )
    decoder = decoders.build_decoder(kind, config, dtype, name)
    expected = {
        one: spec.shape[1:] if key.startswith(BLOCKS) else spec.shape
        for key, spec in decoder.shapes().items()
        for one in decoders.names_in_files(key, len(decoder.blocks))
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
        weights: arrays by KerasHub's names; they are taken out of the dict.

    Raises:
        UserError: the weights are not those of the configuration, or are not finite; or the
            tokenizer has another vocabulary.
    """
    check_config(kind, config, name)
    decoder = _build(kind, config, dtype, weights, name)
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
    params = decoders.Decoder(backbone).read_weights()
    # Not the decoder of this backbone, which would keep the weights in memory a second time.
    decoder = decoders.build_decoder(kind, config, dtype, name)
    return Model(name, kind, config, decoder, params, tokenizer)
