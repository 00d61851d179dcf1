"""Writes a model as the folder that transformers, vLLM and llama.cpp's converter read."""

import json
from pathlib import Path

import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models.belonging import WEIGHTS, check_finite
from gemma_ko_lib.models.decoder import unstack
from gemma_ko_lib.models.layouts import (
    KINDS,
    PERIOD,
    SETTINGS,
    context_length,
    foreign_names,
    generation,
    layer_types,
    query_scalar,
    to_rows,
)
from gemma_ko_lib.models.model import Model, save_tensors
from gemma_ko_lib.serving.folders import check_room, new_folder
from gemma_ko_lib.tokenization.conversations import CHAT_TEMPLATE, END, START
from gemma_ko_lib.tokenization.tokenizer_json import write_tokenizer_json

SHARD_BYTES = 2_000_000_000  # of a shard's matrices there are two copies in memory
_GENERATING = ("bos_token_id", "eos_token_id", "pad_token_id")
_ARCHITECTURES = {1: "GemmaForCausalLM", 2: "Gemma2ForCausalLM", 3: "Gemma3ForCausalLM"}


def export_transformers(
    model: Model,
    path: str | Path,
    shard_bytes: int = SHARD_BYTES,
    chat: bool = True,
    card: str = "",
) -> Path:
    """Write a model as a transformers folder; it appears when it is whole.

    It holds config.json, generation_config.json, model.safetensors (or shards with an index),
    tokenizer.json and tokenizer.model, which give the same ids, tokenizer_config.json,
    chat_template.jinja where the vocabulary has turn tokens, README.md and NOTICE.

    Args:
        model: Gemma 1, 2 or 3; adapters are merged before (`models.merge`).
        path: of the folder, which must not hold anything yet.
        shard_bytes: most bytes of one file of weights.
        chat: whether the turn template goes in.
        card: text of README.md; none is written without.

    Returns:
        The path.

    Raises:
        UserError: the folder holds something; a model that transformers would compute otherwise;
            weights that are not finite; or not enough room on the disk.

    Example:
        >>> from gemma_ko_lib import models
        >>> folder = export_transformers(models.load("nano"), "nano-hf")
        >>> json.loads((folder / "config.json").read_text())["architectures"]
        ['Gemma2ForCausalLM']
    """
    number = generation(model.kind, model.config, model.name)
    weights = unstack(model.params)
    check_finite(weights, model.name)
    names = foreign_names("transformers", number, model.config["num_layers"])
    check_room(Path(path), sum(weights[name].nbytes for name in names))
    dtype = weights["token_embedding/embeddings"].dtype.name
    with new_folder(path) as folder:
        _write_weights(folder, weights, names, shard_bytes)
        model.tokenizer.save(folder / "tokenizer.model")
        write_tokenizer_json(model.tokenizer, folder / "tokenizer.json")
        stops, template = [model.tokenizer.eos_id], ""
        vocabulary = model.tokenizer.vocabulary
        if {START, END} <= set(vocabulary):
            stops.append(vocabulary.index(END))
            template = CHAT_TEMPLATE if chat else ""
        config = transformers_config(model, number, stops, dtype)
        for name, content in {
            "README.md": card,
            "NOTICE": model.notice and model.notice + "\n",
            "chat_template.jinja": template,
            "tokenizer_config.json": _tokenizer_config(model, number),
            "generation_config.json": {name: config[name] for name in _GENERATING},
            "config.json": config,
        }.items():
            if isinstance(content, dict):
                content = json.dumps(content, indent=1, ensure_ascii=False)
            if content:
                (folder / name).write_text(content, "utf-8")
    return Path(path)


def _write_weights(
    folder: Path, weights: dict[str, np.ndarray], names: dict[str, str], shard_bytes: int
) -> None:
    """Write model.safetensors, or model-00001-of-0000N.safetensors and their index."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name in sorted(names, key=names.get):
        size = weights[name].nbytes
        if filled and filled + size > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    places = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else WEIGHTS
        save_tensors(
            {names[name]: np.ascontiguousarray(to_rows(name, weights[name])) for name in shard},
            folder / file,
            {"format": "pt"},
        )
        places |= {names[name]: file for name in shard}
    if len(shards) > 1:
        total = sum(weights[name].nbytes for name in names)
        index = {"metadata": {"total_size": total}, "weight_map": places}
        runtime.write_json(folder / f"{WEIGHTS}.index.json", index)


def transformers_config(model: Model, number: int, stops: list[int], dtype: str) -> dict:
    """config.json of a model.

    Args:
        model: what is written.
        number: which Gemma, from `layouts.generation`.
        stops: tokens that end a text or a turn.
        dtype: of the weights.
    """
    config = model.config
    found = {
        "architectures": [_ARCHITECTURES[number]],
        "model_type": KINDS[number].transformers,
        **{names.transformers: config[names.keras] for names in SETTINGS if names.keras in config},
        "rms_norm_eps": config.get("layer_norm_epsilon", 1e-6),
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": context_length(number, config),
        "bos_token_id": model.tokenizer.bos_id,
        "eos_token_id": stops,
        "pad_token_id": model.tokenizer.pad_id,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "dtype": dtype,
    }
    if number < 3:
        found["intermediate_size"] //= 2  # KerasHub counts both branches
        found["rope_theta"] = 10_000.0
        found["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0}
    if number == 1:
        found.pop("sliding_window", None)
    else:
        found["query_pre_attn_scalar"] = query_scalar(config)
        found["layer_types"] = layer_types(number, config["num_layers"])
        for cap in ("attn_logit_softcapping", "final_logit_softcapping"):
            found[cap] = None if found.get(cap) is None else float(found[cap])
    if number == 3:
        factor = float(config.get("global_rope_scaling_factor", 1.0))
        everywhere = {"rope_type": "default", "rope_theta": 1_000_000.0}
        if factor != 1.0:
            everywhere |= {"rope_type": "linear", "factor": factor}
        found["rope_parameters"] = {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": everywhere,
        }
        found["sliding_window_pattern"] = PERIOD[3]
    return dict(sorted(found.items()))


def _tokenizer_config(model: Model, number: int) -> dict:
    vocabulary = model.tokenizer.vocabulary
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    special = [START, END, "<pad>", "<eos>", "<bos>", "<unk>"]
    return {
        # llama.cpp's converter learns here that turns begin and end with control tokens.
        "added_tokens_decoder": {
            str(index): {"content": piece, "special": True, **plain}
            for index, piece in enumerate(vocabulary)
            if piece in special
        },
        "tokenizer_class": "GemmaTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": vocabulary[model.tokenizer.bos_id],
        "eos_token": vocabulary[model.tokenizer.eos_id],
        "pad_token": vocabulary[model.tokenizer.pad_id],
        "unk_token": vocabulary[model.tokenizer.unk_id],
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_length(number, model.config),
    }
