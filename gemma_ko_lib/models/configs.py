"""The shapes of the Gemma family, as data.

Names are KerasHub's preset names. `intermediate_dim` is KerasHub's: for Gemma 1 and 2
it counts both GeGLU branches, for Gemma 3 one. Sources: the Gemma reports (arXiv
2403.08295, 2408.00118, 2503.19786) and KerasHub's presets 0.32.
"""

import functools
import inspect

_GEMMA2 = {
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "attention_logit_soft_cap": 50,
    "final_logit_soft_cap": 30,
    "use_sliding_window_attention": True,
}
_GEMMA3 = {
    "image_size": None,
    "use_query_key_norm": True,
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "use_sliding_window_attention": True,
}


def _shape(vocabulary, layers, heads, kv_heads, d_model, ffn, head_dim, **rest) -> dict:
    return {
        "vocabulary_size": vocabulary,
        "num_layers": layers,
        "num_query_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_dim": d_model,
        "intermediate_dim": ffn,
        "head_dim": head_dim,
        **rest,
    }


# name -> (KerasHub backbone class, its arguments)
CONFIGS: dict[str, tuple[str, dict]] = {
    # A Gemma 2 in miniature: everything of the architecture, seconds per lesson.
    "nano": (
        "GemmaBackbone",
        _shape(4096, 4, 4, 2, 128, 1024, 32, sliding_window_size=64, **_GEMMA2),
    ),
    "gemma_2b_en": ("GemmaBackbone", _shape(256000, 18, 8, 1, 2048, 32768, 256)),
    "gemma_7b_en": ("GemmaBackbone", _shape(256000, 28, 16, 16, 3072, 49152, 256)),
    "gemma2_2b_en": ("GemmaBackbone", _shape(256000, 26, 8, 4, 2304, 18432, 256, **_GEMMA2)),
    "gemma2_9b_en": ("GemmaBackbone", _shape(256000, 42, 16, 8, 3584, 28672, 256, **_GEMMA2)),
    "gemma2_27b_en": (
        "GemmaBackbone",
        _shape(256000, 46, 32, 16, 4608, 73728, 128, query_head_dim_normalize=False, **_GEMMA2),
    ),
    "gemma3_270m": (
        "Gemma3Backbone",
        _shape(262144, 18, 4, 1, 640, 2048, 256, sliding_window_size=512, **_GEMMA3),
    ),
    "gemma3_1b": (
        "Gemma3Backbone",
        _shape(262144, 26, 4, 1, 1152, 6912, 256, sliding_window_size=512, **_GEMMA3),
    ),
    "gemma3_4b_text": (
        "Gemma3Backbone",
        _shape(
            262144,
            34,
            8,
            4,
            2560,
            10240,
            256,
            sliding_window_size=1024,
            global_rope_scaling_factor=8.0,
            **_GEMMA3,
        ),
    ),
}


_COUNTS = (
    "vocabulary_size",
    "num_layers",
    "num_query_heads",
    "num_key_value_heads",
    "hidden_dim",
    "intermediate_dim",
    "head_dim",
)


def check_config(kind: str, config: dict, where: str) -> None:
    """See that a configuration out of a file is one of a Gemma.

    Args:
        kind: KerasHub backbone class.
        config: its arguments.
        where: for the message.

    Raises:
        UserError: another class, an argument that it does not have, one that is missing, or a
            size that is no positive number.
    """
    from gemma_ko_lib.models.keras_hub import keras_hub
    from gemma_ko_lib.runtime import UserError

    kinds = ("GemmaBackbone", "Gemma3Backbone")
    if kind not in kinds:
        raise UserError(f"{where}: the backbone is {kind!r:.80}; known are {', '.join(kinds)}.")
    known = inspect.signature(getattr(keras_hub.models, kind).__init__).parameters
    known = set(known) - {"self", "kwargs", "dtype", "vision_encoder"}
    for key, value in config.items():
        if key not in known:
            raise UserError(f"{where}: {kind} has no setting {key!r:.80}.")
        if not isinstance(value, bool | int | float | None):
            raise UserError(f"{where}: {key} is {value!r:.80}, not a number.")
    for key in _COUNTS:
        value = config.get(key)
        if type(value) is not int or not 0 < value < 2**31:
            raise UserError(f"{where}: {key} is {value!r:.80}; it must be a whole number from 1.")
    if config["num_query_heads"] % config["num_key_value_heads"]:
        raise UserError(
            f"{where}: {config['num_query_heads']} query heads cannot share "
            f"{config['num_key_value_heads']} key and value heads evenly."
        )


def build_backbone(kind: str, config: dict, dtype: str | None = None):
    """Make a KerasHub backbone whose variables have shapes but no memory behind them.

    Keras draws random weights as it builds; under `jax.eval_shape` they are only traced. The
    backbone computes nothing until weights are assigned, or run through `Decoder`.

    Args:
        kind: "GemmaBackbone" or "Gemma3Backbone".
        config: its arguments.
        dtype: Keras dtype policy, e.g. "float32" or "mixed_bfloat16".
    """
    import jax

    from gemma_ko_lib.models.keras_hub import keras_hub

    built = []

    def build():
        built.append(getattr(keras_hub.models, kind)(**config, dtype=dtype))
        return [variable.value for variable in built[0].variables]

    jax.eval_shape(build)
    return built[0]


@functools.cache
def parameter_count(name: str) -> int:
    """Number of parameters of a model of `CONFIGS`, without allocating its weights.

    Raises:
        UserError: unknown name.
    """
    import math

    from gemma_ko_lib.runtime import UserError

    if name not in CONFIGS:
        raise UserError(f"No shape known for '{name}'. Known: {', '.join(CONFIGS)}.")
    backbone = build_backbone(*CONFIGS[name])
    return sum(math.prod(variable.shape) for variable in backbone.variables)
