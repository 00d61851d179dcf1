"""Writes a model as one GGUF file, for llama.cpp and what is built on it (Ollama, LM Studio).

Everything that llama.cpp asks for is inside: the vocabulary with scores and types, all embedding
rows, the turn template and the tokens that end a text or a turn. Tensors are written one at a time.
"""

import math
from pathlib import Path

import gguf
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models.belonging import check_finite
from gemma_ko_lib.models.decoder import unstack
from gemma_ko_lib.models.layouts import (
    KINDS,
    LARGEST_LAYERS,
    SETTINGS,
    context_length,
    foreign_names,
    generation,
    to_rows,
)
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import llama_quantizer
from gemma_ko_lib.serving.folders import check_room, known
from gemma_ko_lib.tokenization.conversations import CHAT_TEMPLATE, END, START
from gemma_ko_lib.tokenization.tokenizer import SPACE_MARK

_T, _F = gguf.GGMLQuantizationType, gguf.LlamaFileType
TYPES = {
    "f32": (_T.F32, _F.ALL_F32),
    "f16": (_T.F16, _F.MOSTLY_F16),
    "bf16": (_T.BF16, _F.MOSTLY_BF16),
    "q8_0": (_T.Q8_0, _F.MOSTLY_Q8_0),
    "q6_k": (_T.Q6_K, _F.MOSTLY_Q6_K),
    "q5_k_m": (_T.Q5_K, _F.MOSTLY_Q5_K_M),
    "q5_0": (_T.Q5_0, _F.MOSTLY_Q5_0),
    "q4_k_m": (_T.Q4_K, _F.MOSTLY_Q4_K_M),
    "q4_0": (_T.Q4_0, _F.MOSTLY_Q4_0),
}
_STORED = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
_EMBEDDING = "token_embd.weight"


def export_gguf(
    model: Model,
    path: str | Path,
    kind: str | None = None,
    chat: bool = True,
    importance: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a model as a GGUF file; it appears under its name when it is whole.

    Args:
        model: Gemma 1, 2 or 3; adapters are merged before (`models.merge`).
        path: of the file.
        kind: one of `TYPES`; by default the number format that the weights have. Norms are
            float32 always. With q5_0 and q4_0 the embeddings, which are the output layer too, are
            q8_0; a matrix whose rows are no multiple of 32 is float16. q6_k, q5_k_m and q4_k_m
            are llama.cpp's mixtures, see `llama_quantizer`.
        chat: whether the turn template goes in; a server then takes the model for one that chats.
        importance: of the columns of each kernel, from `models.importance`; blocks of four to six
            bits round with it.

    Returns:
        The path.

    Raises:
        UserError: an unknown type; a model that llama.cpp would compute otherwise; weights that
            are not finite; not enough room on the disk; or a K-quant or importance without the
            extra `serve`.

    Example:
        >>> from gemma_ko_lib import models
        >>> path = export_gguf(models.load("nano"), "nano-q8_0.gguf", "q8_0")
        >>> path.stat().st_size < 2e6
        True
    """
    path = Path(path)
    weights = unstack(model.params)
    kind = kind or _STORED[weights["token_embedding/embeddings"].dtype.name]
    kind = known("type", kind.lower(), TYPES)
    number = generation(model.kind, model.config, model.name)
    _check_scaling(number, model)
    check_finite(weights, model.name)
    arch = KINDS[number].gguf
    layers = model.config["num_layers"]
    names = foreign_names("gguf", number, layers)
    shapes = {name: to_rows(name, weights[name]).shape for name in names}
    stored = {name: stored_as(names[name], shapes[name], kind, layers) for name in names}
    sizes = {name: _bytes(shapes[name], stored[name]) for name in names}
    check_room(path.parent, sum(sizes.values()))

    writer = gguf.GGUFWriter(None, arch)
    _add_settings(writer, arch, number, model, kind)
    _add_tokenizer(writer, model, chat)
    for name, its_type in stored.items():
        shape, size = shapes[name], sizes[name]
        writer.add_tensor_info(names[name], shape, np.dtype("float32"), size, its_type)
    with runtime.disk_errors(path), runtime.whole_path(path) as part:
        writer.write_header_to_file(part)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, its_type in stored.items():
            rows = np.ascontiguousarray(to_rows(name, weights[name]), np.float32)
            if name.endswith("/scale"):
                rows = rows + 1
            weighed = importance.get(name) if importance else None
            writer.write_tensor_data(_quantize(rows, its_type, weighed))
        writer.close()
    return path


def _check_scaling(number: int, model: Model) -> None:
    normal = model.config.get("query_head_dim_normalize", True)
    if normal == (model.config["num_layers"] == LARGEST_LAYERS.get(number)):
        raise UserError(
            f"{model.name}: llama.cpp scales queries by √(hidden_dim/heads) in a Gemma {number} of "
            f"{LARGEST_LAYERS.get(number)} layers and by √head_dim in all others; this model does "
            "not. Export it with --format hf."
        )


def stored_as(
    gguf_name: str, shape: tuple[int, ...], kind: str, layers: int
) -> gguf.GGMLQuantizationType:
    """The type that a tensor gets in a file of a kind.

    Args:
        gguf_name: its name there.
        shape: [out, in], or that of a norm.
        kind: one of `TYPES`.
        layers: of the model.
    """
    wanted = TYPES[kind][0]
    if len(shape) == 1:
        return _T.F32
    if wanted in llama_quantizer.FALLBACKS and llama_quantizer.deserves_more(gguf_name, layers):
        wanted = _T.Q6_K
    if gguf_name == _EMBEDDING and wanted in (_T.Q4_0, _T.Q5_0):
        wanted = _T.Q8_0
    while shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0]:
        wanted = llama_quantizer.FALLBACKS.get(wanted, _T.F16)
    return wanted


def _quantize(rows: np.ndarray, its_type: gguf.GGMLQuantizationType, importance) -> np.ndarray:
    weighed = importance if its_type in llama_quantizer.WEIGHED else None
    if weighed is not None or its_type in llama_quantizer.FALLBACKS:
        return llama_quantizer.quantize(rows, its_type, weighed)
    return gguf.quantize(rows, its_type)


def _bytes(shape: tuple[int, ...], its_type: gguf.GGMLQuantizationType) -> int:
    block, size = gguf.GGML_QUANT_SIZES[its_type]
    return math.prod(shape) // block * size


def _add_settings(writer, arch: str, number: int, model: Model, kind: str) -> None:
    config = model.config
    writer.add_type("model")
    writer.add_name(Path(model.name).name)
    if model.notice:
        writer.add_license("gemma")
    writer.add_languages(["ko", "en"])
    writer.add_file_type(TYPES[kind][1])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(context_length(number, config))
    for names in SETTINGS[1:]:
        value = config.get(names.keras, 1e-6 if names.keras == "layer_norm_epsilon" else None)
        if value is None or (names.keras == "sliding_window_size" and number == 1):
            continue
        if names.keras == "intermediate_dim" and number < 3:
            value //= 2  # KerasHub counts both branches
        add = writer.add_float32 if names.keras.endswith(("cap", "epsilon")) else writer.add_uint32
        add(f"{arch}.{names.gguf}", value)
    writer.add_value_length(config["head_dim"])
    if number == 3:
        writer.add_rope_freq_base(1e6)
        if (factor := config.get("global_rope_scaling_factor", 1.0)) != 1.0:
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(factor)


def _add_tokenizer(writer, model: Model, chat: bool) -> None:
    pieces = list(model.tokenizer.model_proto().pieces)
    # llama.cpp looks for user-defined pieces, as runs of spaces, in the plain text.
    plain = gguf.TokenType.USER_DEFINED
    vocabulary = [p.piece.replace(SPACE_MARK, " ") if p.type == plain else p.piece for p in pieces]
    # llama.cpp finds turns by control tokens only; SentencePiece has them as ordinary symbols.
    types = [
        gguf.TokenType.CONTROL if piece.piece in (START, END) else piece.type for piece in pieces
    ]
    spare = range(len(pieces), model.config["vocabulary_size"])
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*vocabulary, *(f"[PAD{i}]" for i in spare)])
    writer.add_token_scores([*(piece.score for piece in pieces), *(-1e4 for _ in spare)])
    writer.add_token_types([*types, *(gguf.TokenType.UNUSED for _ in spare)])
    writer.add_bos_token_id(model.tokenizer.bos_id)
    writer.add_eos_token_id(model.tokenizer.eos_id)
    writer.add_pad_token_id(model.tokenizer.pad_id)
    writer.add_unk_token_id(model.tokenizer.unk_id)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    if {START, END} <= set(vocabulary):
        writer.add_eot_token_id(vocabulary.index(END))
        if chat:
            writer.add_chat_template(CHAT_TEMPLATE)
