"""Gemma in the words of other programs: names of settings and weights, and how matrices lie.

KerasHub keeps kernels as [heads, d_model, head_dim] or [in, out]; transformers and GGUF as
[out, in]. A norm's weight is `scale` in KerasHub and transformers, 1 + scale in GGUF.
"""

import re
from typing import NamedTuple

import numpy as np

from gemma_ko_lib.models.configs import CONFIGS, SIZES, check_config, check_rotation
from gemma_ko_lib.runtime import UserError


class Names(NamedTuple):
    """One thing by the names that three programs give it."""

    keras: str
    transformers: str
    gguf: str


# Which Gemma -> a preset of that kind, and what other programs call the kind.
KINDS = {
    1: Names("gemma_2b_en", "gemma", "gemma"),
    2: Names("gemma2_2b_en", "gemma2", "gemma2"),
    3: Names("gemma3_270m", "gemma3_text", "gemma3"),
}
SETTINGS = (
    Names("vocabulary_size", "vocab_size", "vocab_size"),
    Names("num_layers", "num_hidden_layers", "block_count"),
    Names("num_query_heads", "num_attention_heads", "attention.head_count"),
    Names("num_key_value_heads", "num_key_value_heads", "attention.head_count_kv"),
    Names("hidden_dim", "hidden_size", "embedding_length"),
    Names("intermediate_dim", "intermediate_size", "feed_forward_length"),
    Names("head_dim", "head_dim", "attention.key_length"),
    Names("layer_norm_epsilon", "rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    Names("sliding_window_size", "sliding_window", "attention.sliding_window"),
    Names("attention_logit_soft_cap", "attn_logit_softcapping", "attn_logit_softcapping"),
    Names("final_logit_soft_cap", "final_logit_softcapping", "final_logit_softcapping"),
)

# Of Gemma 2 and 3; who writes them into a Gemma 1's file all the same does not compute with them.
_NOT_GEMMA1 = {"sliding_window_size", "attention_logit_soft_cap", "final_logit_soft_cap"}

_WHOLE = (
    Names("token_embedding/embeddings", "model.embed_tokens.weight", "token_embd.weight"),
    Names("final_normalization/scale", "model.norm.weight", "output_norm.weight"),
)
IN_BLOCK = (
    Names("pre_attention_norm/scale", "input_layernorm", "attn_norm"),
    Names("attention/query/kernel", "self_attn.q_proj", "attn_q"),
    Names("attention/key/kernel", "self_attn.k_proj", "attn_k"),
    Names("attention/value/kernel", "self_attn.v_proj", "attn_v"),
    Names("attention/query_norm/scale", "self_attn.q_norm", "attn_q_norm"),
    Names("attention/key_norm/scale", "self_attn.k_norm", "attn_k_norm"),
    Names("attention/attention_output/kernel", "self_attn.o_proj", "attn_output"),
    Names("post_attention_norm/scale", "post_attention_layernorm", "post_attention_norm"),
    Names("pre_ffw_norm/scale", "pre_feedforward_layernorm", "ffn_norm"),
    Names("ffw_gating/kernel", "mlp.gate_proj", "ffn_gate"),
    Names("ffw_gating_2/kernel", "mlp.up_proj", "ffn_up"),
    Names("ffw_linear/kernel", "mlp.down_proj", "ffn_down"),
    Names("post_ffw_norm/scale", "post_feedforward_layernorm", "post_ffw_norm"),
)
# In Gemma 1 the norm before the feed-forward part is the one "after attention".
_GEMMA1 = {"pre_ffw_norm/scale": "post_attention_layernorm"}

# Layers of which one in so many attends to everything; queries of the last size of each are
# scaled by 1/√(d_model/heads), and llama.cpp knows these by their number of layers.
PERIOD = {2: 2, 3: 6}
LARGEST_LAYERS = {2: 46, 3: 62}


def config_of(number: int, found: dict, rotation: tuple, where: str) -> tuple[str, dict]:
    """KerasHub's backbone class and its arguments, by what another program's file says.

    Args:
        number: which Gemma.
        found: settings by KerasHub's names; others are as in all of that Gemma.
        rotation: of the positions of global layers: kind, factor and base, see `check_rotation`.
        where: for the message.

    Raises:
        UserError: a setting that is missing, or that no Gemma has.
    """
    kind, config = CONFIGS[KINDS[number].keras]
    config = {key: value for key, value in config.items() if key not in SIZES} | found
    if number == 1:
        config = {key: value for key, value in config.items() if key not in _NOT_GEMMA1}
    check_config(kind, config, where)
    factor = check_rotation(number, *rotation, where)
    if number < 3:
        config["intermediate_dim"] *= 2  # KerasHub counts both branches
    else:
        config["global_rope_scaling_factor"] = factor
    return kind, config


def generation(kind: str, config: dict, name: str) -> int:
    """Which Gemma a configuration is one of: 1, 2 or 3.

    Args:
        kind: KerasHub backbone class.
        config: its arguments.
        name: for the message.

    Raises:
        UserError: none of them; no other program would compute what this model does.
    """
    number = 3 if kind == "Gemma3Backbone" else 2 if config.get("use_post_ffw_norm") else 1
    later = number > 1
    wanted = {
        "use_post_ffw_norm": (False, later),
        "use_post_attention_norm": (False, later),
        "use_sliding_window_attention": (False, later),
        "use_bidirectional_attention": (False, False),
        "is_embedding_model": (False, False),
        "local_rope_scaling_factor": (1.0, 1.0),
    }
    if number == 1:
        wanted |= {"final_logit_soft_cap": (None, None), "query_head_dim_normalize": (True, True)}
    if number == 3:
        wanted["use_query_key_norm"] = (True, True)
    if number != 2:
        wanted["attention_logit_soft_cap"] = (None, None)
    for key, (default, value) in wanted.items():
        if config.get(key, default) != value:
            raise UserError(
                f"{name} is no Gemma 1, 2 or 3: its {key} is {config.get(key, default)!r}. Only "
                "these can be written for other programs."
            )
    return number


def context_length(number: int, config: dict) -> int:
    """Tokens that a Gemma was made to read.

    Args:
        number: from `generation`.
        config: KerasHub's arguments.
    """
    if number < 3:
        return 8192
    return 32768 if config.get("global_rope_scaling_factor", 1.0) == 1.0 else 131072


def layer_types(number: int, layers: int) -> list[str]:
    """What each layer attends to, as transformers has it: its window, or everything.

    Args:
        number: from `generation`, 2 or 3.
        layers: how many.
    """
    return [
        "sliding_attention" if (layer + 1) % PERIOD[number] else "full_attention"
        for layer in range(layers)
    ]


def query_scalar(config: dict) -> int:
    """Queries are multiplied by 1/√ of this."""
    if config.get("query_head_dim_normalize", True):
        return config["head_dim"]
    return config["hidden_dim"] // config["num_query_heads"]


def foreign_names(program: str, number: int, layers: int) -> dict[str, str]:
    """KerasHub's name of every weight, and another program's.

    Args:
        program: "transformers" or "gguf".
        number: from `generation`.
        layers: blocks of the model.
    """
    names = {one.keras: getattr(one, program) for one in _WHOLE}
    prefix = "model.layers" if program == "transformers" else "blk"
    for layer in range(layers):
        for one in IN_BLOCK:
            inside = getattr(one, program)
            if number == 1 and one.keras.startswith("post_"):
                continue
            if number < 3 and re.search("(query|key)_norm", one.keras):
                continue
            if number == 1 and program == "transformers":
                inside = _GEMMA1.get(one.keras, inside)
            names[f"decoder_block_{layer}/{one.keras}"] = f"{prefix}.{layer}.{inside}.weight"
    return names


def to_rows(name: str, array: np.ndarray) -> np.ndarray:
    """A weight as other programs keep it: matrices [out, in].

    Args:
        name: KerasHub's.
        array: in KerasHub's layout.
    """
    if array.ndim == 3 and not name.endswith("attention_output/kernel"):
        return array.transpose(0, 2, 1).reshape(-1, array.shape[1])
    if name.endswith("/kernel"):
        return array.reshape(-1, array.shape[-1]).T
    return array


def from_rows(name: str, array: np.ndarray, head_dim: int) -> np.ndarray:
    """The inverse of `to_rows`.

    Args:
        name: KerasHub's.
        array: [out, in], or what is no matrix.
        head_dim: width of an attention head.

    Raises:
        ValueError: the matrix cannot be cut into heads of that width.
    """
    if name.endswith(("query/kernel", "key/kernel", "value/kernel")):
        return array.reshape(-1, head_dim, array.shape[-1]).transpose(0, 2, 1)
    if name.endswith("attention_output/kernel"):
        return array.T.reshape(-1, head_dim, array.shape[0])
    return array.T if name.endswith("/kernel") else array
