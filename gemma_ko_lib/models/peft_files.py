"""Adapters as the PEFT library reads them: `adapter_config.json`, `adapter_model.safetensors`.

Adapters of a run come in; a folder goes out that `peft.PeftModel.from_pretrained` puts on the
untouched base in transformers.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models import kernels
from gemma_ko_lib.models.adapters import Lora
from gemma_ko_lib.models.decoder import unstack
from gemma_ko_lib.models.loading import write_tensors

# In the order of `kernels.PROJECTIONS`.
_MODULES = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)
_MODULE_OF = dict(zip(kernels.PROJECTIONS, _MODULES, strict=True))


def save_adapter(
    folder: str | Path, adapters: dict, lora: Lora, base: str, start: dict | None = None
) -> None:
    """Write adapters in PEFT's layout.

    OLoRA has taken its start off the base, and PEFT adds to the base as it was released. What
    it needs is the difference, A·B − A₀·B₀: a product of matrices of twice the rank.

    Args:
        folder: gets the two files; `adapter_config.json` comes last.
        adapters: trained, from `add_adapters`.
        lora: what they were made with.
        base: the model they belong to.
        start: OLoRA's adapters before training; None for LoRA.
    """
    rank, alpha = lora.rank, lora.alpha
    if start is not None:
        adapters = {name: _with_start(name, x, start[name]) for name, x in adapters.items()}
        rank, alpha = 2 * rank, 2 * alpha  # α/r stays
    tensors, modules = {}, set()
    for name, matrix in unstack(adapters).items():
        block, projection, part = kernels.split(name)
        module = _MODULE_OF[projection]
        layer = block.removeprefix("decoder_block_")
        path = f"base_model.model.model.layers.{layer}.{module}"
        # torch keeps [out, in]: A is [rank, in], B [out, rank].
        tensors[f"{path}.{part.replace('lora_a', 'lora_A').replace('lora_b', 'lora_B')}.weight"] = (
            np.ascontiguousarray(matrix.T)
        )
        modules.add(module.rpartition(".")[2])
    folder = Path(folder)
    write_tensors(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted(modules),
    }
    with runtime.whole_file(folder / "adapter_config.json") as file:
        json.dump(config, file, indent=1)


def _with_start(name: str, trained, start):
    if name.endswith("lora_a"):
        return jnp.concatenate([trained, start], axis=-1)
    return jnp.concatenate([trained, -start], axis=-2)
