"""Adapters as files that PEFT reads and writes: trained A and B by name, and how they were made.

A folder holds `adapter_model.safetensors` ("base_model.model.model.layers.3.self_attn.q_proj.
lora_A.weight" [rank, in], "… lora_B.weight" [out, rank]) and `adapter_config.json`. The base is
not in it. OLoRA's has the rank it was trained with: the loader takes the same start off the
untouched base again, as PEFT does for `init_lora_weights: olora`. Tools that do not know the
word need `as_plain_lora`, of twice the rank.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models import kernels
from gemma_ko_lib.models.adapters import Lora, add_adapters
from gemma_ko_lib.models.belonging import all_finite, read_tensors, readable
from gemma_ko_lib.models.layouts import IN_BLOCK
from gemma_ko_lib.models.model import write_tensors
from gemma_ko_lib.runtime import UserError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"

# Projections by the names that transformers gives them.
MODULES = {
    one.keras.removesuffix("/kernel"): one.transformers
    for one in IN_BLOCK
    if one.keras.endswith("/kernel")
}
_PARTS = {"lora_a": "lora_A.weight", "lora_b": "lora_B.weight"}
# Settings that change what A and B mean, with the value under which they mean what ours do.
_REQUIRED = {
    "peft_type": "LORA",
    "bias": "none",
    "use_rslora": False,
    "use_dora": False,
    "fan_in_fan_out": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "modules_to_save": None,
}


def save_adapters(
    folder: str | Path, adapters: dict, lora: Lora, base_model: str | None = None
) -> None:
    """Write adapters for PEFT and for `load_adapters`; the config comes last.

    Args:
        folder: where to.
        adapters: trained, in the decoder's layout.
        lora: what they were made with.
        base_model: the base's name on the hub or its folder, for who reads the config.

    Raises:
        UserError: the folder is not writable or the disk is full.
    """
    folder = Path(folder)
    tensors = {
        peft_name: np.ascontiguousarray(np.asarray(adapters[name][layer]).T)
        for name, layer, peft_name in _names(adapters)
    }
    write_tensors(tensors, folder / WEIGHTS, {"format": "pt"})
    targets = [p for p in kernels.PROJECTIONS if p.rpartition("/")[2] in lora.targets]
    config = {
        **_REQUIRED,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": [MODULES[p].partition(".")[2] for p in targets],
        "init_lora_weights": "olora" if lora.olora else True,
        "inference_mode": True,
    }
    # In ASCII: PEFT opens it in the system's code page, and a model's path may be Korean.
    runtime.write_whole(folder / CONFIG, json.dumps(config, indent=1))


def load_adapters(folder: str | Path, params: dict) -> tuple[dict, dict, Lora]:
    """Put stored adapters onto the base they were trained on.

    Args:
        folder: from `save_adapters` or PEFT.
        params: the untouched base, not quantised, in the decoder's layout.

    Returns:
        (frozen, adapters, their `Lora`), as from `add_adapters`.

    Raises:
        UserError: no such files, damaged ones, another method's, or another model's.
    """
    folder = Path(folder)
    config, tensors = _read(folder)
    lora = _lora_of(config, tensors, folder / CONFIG)
    frozen, expected = jax.eval_shape(lambda p: add_adapters(p, lora), params)
    names = list(_names(expected))
    wanted = {peft_name for _, _, peft_name in names}
    if wanted != tensors.keys():
        missing, strange = sorted(wanted - tensors.keys()), sorted(tensors.keys() - wanted)
        raise UserError(
            f"{folder / WEIGHTS} is not of this model: "
            + (f"{len(missing)} tensors are missing, first {missing[0]}. " if missing else "")
            + (f"{len(strange)} belong to no layer, first {strange[0]}. " if strange else "")
            + "Load the model that the adapters were trained on."
        )
    for name, _, peft_name in names:
        shape = expected[name].shape[:0:-1]
        if tensors[peft_name].shape != shape:
            raise UserError(
                f"{folder / WEIGHTS}: {peft_name} has shape {tensors[peft_name].shape}, this "
                f"model and rank {lora.rank} need {shape}. Load the model that the adapters were "
                "trained on."
            )
    frozen, _ = add_adapters(params, lora)
    layers: dict[str, list] = {}
    for name, _, peft_name in names:
        layers.setdefault(name, []).append(tensors[peft_name].T.astype("float32"))
    adapters = {name: jnp.asarray(np.stack(arrays)) for name, arrays in layers.items()}
    return frozen, adapters, lora


def as_plain_lora(params: dict, adapters: dict, lora: Lora) -> tuple[dict, Lora]:
    """OLoRA's adapters as LoRA on the untouched base, for tools that know only that.

    s·A·B − s·A₀·B₀ = s·[A A₀]·[B; −B₀]: the start that was taken off the base takes a second
    rank's worth of columns.

    Args:
        params: the untouched base.
        adapters: trained by OLoRA.
        lora: what they were made with.

    Returns:
        (adapters of twice the rank, their `Lora`).
    """
    _, start = add_adapters(params, lora)
    plain = {}
    for path, _ in kernels.projections_in(adapters):
        a, b = f"{path}/lora_a", f"{path}/lora_b"
        plain[a] = jnp.concatenate([adapters[a], start[a]], axis=-1)
        plain[b] = jnp.concatenate([adapters[b], -start[b]], axis=-2)
    return plain, Lora(2 * lora.rank, 2 * lora.alpha, lora.targets)


def _names(adapters: dict):
    """(our name, layer, PEFT's name) of every tensor of a file."""
    for name, weight in adapters.items():
        _, projection, part = kernels.split(name)
        for layer in range(weight.shape[0]):
            module = f"layers.{layer}.{MODULES[projection]}"
            yield name, layer, f"base_model.model.model.{module}.{_PARTS[part]}"


def _read(folder: Path) -> tuple[dict, dict]:
    with readable(folder, "holds no adapters: {file} is missing.", WEIGHTS):
        config = runtime.read_json_object(folder / CONFIG)
        tensors = read_tensors(folder / WEIGHTS)
    for key, value in tensors.items():
        if not all_finite(value):
            raise UserError(f"{folder / WEIGHTS}: {key} is not all finite numbers; copy it again.")
    return config, tensors


def _lora_of(config: dict, tensors: dict, path: Path) -> Lora:
    for key, value in _REQUIRED.items():
        if (found := config.get(key, value)) != value and (found or value):
            raise UserError(f"{path}: {key} is {found!r}; only {value!r} can be loaded.")
    init = config.get("init_lora_weights", True)
    if init not in (True, False, "gaussian", "olora"):
        raise UserError(f"{path}: init_lora_weights {init!r} changes the base in an unknown way.")
    modules = {name.rpartition(".lora_")[0].rpartition(".")[2] for name in tensors}
    targets = tuple(
        projection.rpartition("/")[2]
        for projection, module in MODULES.items()
        if module.partition(".")[2] in modules
    )
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        if not math.isfinite(alpha):
            raise ValueError(f"lora_alpha is {alpha}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: r and lora_alpha must be numbers ({error}).") from None
    return Lora(rank, alpha, targets, init == "olora")
