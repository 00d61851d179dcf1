"""The shapes of the Gemma family, as data.

Names are KerasHub's preset names. `intermediate_dim` is KerasHub's: for Gemma 1 and 2
it counts both GeGLU branches, for Gemma 3 one. Sources: the Gemma reports (arXiv
2403.08295, 2408.00118, 2503.19786) and KerasHub's presets 0.32.
"""

import functools
import inspect
import re

from gemma_ko_lib.runtime import UserError, did_you_mean

# What a model of the family must say of itself; the rest follows from which Gemma it is.
SIZES = (
    "vocabulary_size",
    "num_layers",
    "num_query_heads",
    "num_key_value_heads",
    "hidden_dim",
    "intermediate_dim",
    "head_dim",
)
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
_GEMMA3_SMALL = {"sliding_window_size": 512, **_GEMMA3}
_GEMMA3_LARGE = {"sliding_window_size": 1024, "global_rope_scaling_factor": 8.0, **_GEMMA3}
_VAULT = {"sliding_window_size": 512, "use_sliding_window_attention": True}
_MOST_LAYERS = 1000  # before anything is made for each of them
# Gemma 2 and 3 27B scale their queries by 1/√(d_model/heads), all others by 1/√head_dim.
_BY_WIDTH = {"query_head_dim_normalize": False}


def _gemma(*sizes: int, **rest) -> tuple[str, dict]:
    return "GemmaBackbone", {**dict(zip(SIZES, sizes, strict=True)), **rest}


def _gemma3(*sizes: int, **rest) -> tuple[str, dict]:
    return "Gemma3Backbone", {**dict(zip(SIZES, sizes, strict=True)), **rest}


# name -> (KerasHub backbone class, its arguments); the numbers are `SIZES`
CONFIGS: dict[str, tuple[str, dict]] = {
    # A Gemma 2 in miniature: everything of the architecture, seconds per lesson.
    "nano": _gemma(4096, 4, 4, 2, 128, 1024, 32, sliding_window_size=64, **_GEMMA2),
    "gemma_2b_en": _gemma(256000, 18, 8, 1, 2048, 32768, 256),
    "gemma_7b_en": _gemma(256000, 28, 16, 16, 3072, 49152, 256),
    "gemma2_2b_en": _gemma(256000, 26, 8, 4, 2304, 18432, 256, **_GEMMA2),
    "gemma2_9b_en": _gemma(256000, 42, 16, 8, 3584, 28672, 256, **_GEMMA2),
    "gemma2_27b_en": _gemma(256000, 46, 32, 16, 4608, 73728, 128, **_BY_WIDTH, **_GEMMA2),
    "gemma3_270m": _gemma3(262144, 18, 4, 1, 640, 2048, 256, **_GEMMA3_SMALL),
    "gemma3_1b": _gemma3(262144, 26, 4, 1, 1152, 6912, 256, **_GEMMA3_SMALL),
    "vault_gemma_1b_en": _gemma(256000, 26, 4, 4, 1152, 13824, 256, **_VAULT),
    "gemma3_4b_text": _gemma3(262144, 34, 8, 4, 2560, 10240, 256, **_GEMMA3_LARGE),
    "gemma3_12b_text": _gemma3(262144, 48, 16, 8, 3840, 15360, 256, **_GEMMA3_LARGE),
    "gemma3_27b_text": _gemma3(262144, 62, 32, 16, 5376, 21504, 128, **_BY_WIDTH, **_GEMMA3_LARGE),
}


@functools.cache
def loadable_presets() -> dict[str, str]:
    """KerasHub's text presets that have a shape of `CONFIGS`, with the name of that shape.

    A preset has the shape of its base: the same class and number of parameters.
    """
    from gemma_ko_lib.models.keras_hub import keras_hub

    found = {name: name for name in CONFIGS}
    for kind in ("GemmaBackbone", "Gemma3Backbone"):
        presets = getattr(keras_hub.models, kind).presets
        sizes = {name: about["metadata"]["params"] for name, about in presets.items()}
        shapes = {sizes[name]: name for name in CONFIGS if name in sizes}
        found |= {name: shapes[size] for name, size in sizes.items() if size in shapes}
    return found


def preset_name(name: str) -> str:
    """KerasHub's name of a preset, from how people write it: google/gemma-2-2b-it, gemma2_2b.

    Raises:
        UserError: unknown; the nearest names are given.
    """
    known = loadable_presets()
    for candidate in (name, f"{name}_en", *_other_spellings(name)):
        if candidate in known:
            return candidate
    owner, _, last = name.lower().rpartition("/")
    if owner and "gemma" not in last:
        raise UserError(f"There is no folder {name}, and no preset has such a name.")
    hint = did_you_mean(last, known, cutoff=0.5, most=3)
    raise UserError(f"No model '{name}'.{hint} There are: {', '.join(sorted(known))}.")


def _other_spellings(name: str):
    """The Hugging Face hub's names as KerasHub's: gemma-2-2b-it -> gemma2_instruct_2b_en."""
    plain = name.lower().rpartition("/")[2].replace("-", "_")
    match = re.fullmatch(r"gemma_?(1\.1_|[23]_)?(\d+m|\d+b)(_pt|_it)?(_text|_en)?", plain)
    if match:
        generation, size, kind, _ = match.groups()
        head = {None: "gemma", "1.1_": "gemma_1.1", "2_": "gemma2", "3_": "gemma3"}[generation]
        instruct = "instruct_" if kind == "_it" else ""
        yield from (f"{head}_{instruct}{size}{end}" for end in ("_en", "_text", ""))
    yield plain


def shape_of(name: str) -> tuple[str, dict]:
    """(KerasHub backbone class, its arguments) of a preset.

    Raises:
        UserError: unknown name.
    """
    return CONFIGS[loadable_presets()[preset_name(name)]]


def check_config(kind: str, config: dict, where: str) -> None:
    """See that a configuration out of a file is one of a Gemma.

    Args:
        kind: KerasHub backbone class.
        config: its arguments.
        where: for the message.

    Raises:
        UserError: another class, an argument that it does not have, one that is missing, a
            size that is no positive number, or more layers than any Gemma.
    """
    from gemma_ko_lib.models.keras_hub import keras_hub

    kinds = ("GemmaBackbone", "Gemma3Backbone")
    if kind not in kinds:
        raise UserError(f"{where}: the backbone is {kind!r:.80}; known are {', '.join(kinds)}.")
    known = inspect.signature(getattr(keras_hub.models, kind).__init__).parameters
    known = set(known) - {"self", "kwargs", "dtype", "vision_encoder"}
    for key, value in config.items():
        if key not in known:
            raise UserError(f"{where}: {kind} has no setting {key!r:.80}.")
        number = isinstance(value, bool | int | float) and abs(value) < 2**31
        if not number and value is not None:
            raise UserError(f"{where}: {key} is {value!r:.80}, not a number that it can be.")
    for key in SIZES:
        value = config.get(key)
        if type(value) is not int or value < 1:
            raise UserError(f"{where}: {key} is {value!r:.80}; it must be a whole number from 1.")
    if config["num_layers"] > _MOST_LAYERS:
        raise UserError(f"{where}: num_layers is {config['num_layers']:,}; no Gemma has so many.")
    if config["num_query_heads"] % config["num_key_value_heads"]:
        raise UserError(
            f"{where}: {config['num_query_heads']} query heads cannot share "
            f"{config['num_key_value_heads']} key and value heads evenly."
        )


def check_rotation(number: int, kind, factor, base, where: str) -> float:
    """See that the positions of global layers, out of a file, are rotated as in a Gemma.

    Args:
        number: which Gemma.
        kind: how positions are scaled.
        factor: by which they are divided.
        base: of the wavelengths; None where the file does not say it.
        where: for the message.

    Returns:
        The factor.

    Raises:
        UserError: the weights were trained with a rotation that this library does not compute.
    """
    if kind not in ("none", "default", "linear"):
        raise UserError(f"{where}: positions are scaled by {kind!r:.80}; only linear can be read.")
    if not isinstance(factor, int | float) or not 0 < factor < 2**31:
        raise UserError(f"{where}: the factor of the positions is {factor!r:.80}, not a number.")
    if number < 3 and factor != 1:
        raise UserError(f"{where}: positions are divided by {factor:g}; in Gemma 3 alone they are.")
    wanted = 1e6 if number == 3 else 1e4
    if base not in (None, wanted):
        raise UserError(
            f"{where}: the base of the positions is {base!r:.80}; it is {wanted:,.0f} in every "
            f"Gemma {number} that can be read."
        )
    return float(factor)


def build_backbone(kind: str, config: dict, dtype: str | None = None):
    """Make a KerasHub backbone whose variables have shapes but no memory behind them.

    Keras draws random weights as it builds; under `jax.eval_shape` they are only traced. The
    backbone computes nothing until weights are assigned, or run through `Decoder`.

    Args:
        kind: "GemmaBackbone" or "Gemma3Backbone".
        config: its arguments.
        dtype: Keras dtype policy, e.g. "float32" or "mixed_bfloat16". In "mixed_float16" and
            "float16" only products are float16.
    """
    import jax

    from gemma_ko_lib.models.keras_hub import dtype_policy, keras_hub

    policy = dtype_policy(dtype)
    built = []

    def build():
        built.append(getattr(keras_hub.models, kind)(**config, dtype=policy))
        return [variable.value for variable in built[0].variables]

    jax.eval_shape(build)
    return built[0]
