"""Tunix' side of `lora_step`: run by an interpreter that has google-tunix, one turn a line.

`PYTHON lora_step_tunix.py SETTING` takes the shape and sizes as JSON; each line on stdin asks for
one turn of updates, answered by "done".
"""

import json
import sys

import jax.numpy as jnp
import numpy as np
import optax
import qwix
from flax import nnx
from tunix.models.gemma import model as gemma
from tunix.sft import peft_trainer, utils


def _model(shape: dict, rank: int):
    kinds = (gemma.AttentionType.LOCAL_SLIDING, gemma.AttentionType.GLOBAL)
    config = gemma.ModelConfig(
        num_layers=shape["num_layers"],
        num_embed=shape["vocabulary_size"],
        embed_dim=shape["hidden_dim"],
        hidden_dim=shape["intermediate_dim"] // 2,
        num_heads=shape["num_query_heads"],
        head_dim=shape["head_dim"],
        num_kv_heads=shape["num_key_value_heads"],
        final_logit_softcap=float(shape["final_logit_soft_cap"]),
        use_post_attn_norm=True,
        use_post_ffw_norm=True,
        attention_types=kinds * (shape["num_layers"] // 2),
        attn_logits_soft_cap=float(shape["attention_logit_soft_cap"]),
        sliding_window_size=shape["sliding_window_size"],
    )
    model = gemma.Gemma(config, rngs=nnx.Rngs(0))
    layers = ".*q_einsum|.*kv_einsum|.*attn_vec_einsum|.*gate_proj|.*up_proj|.*down_proj"
    provider = qwix.LoraProvider(module_path=layers, rank=rank, alpha=float(rank))
    return qwix.apply_lora_to_model(model, provider, **model.get_model_input(), rngs=nnx.Rngs(0))


def _model_input(example) -> dict:
    real = example.input_mask
    return {
        "input_tokens": example.input_tokens,
        "input_mask": real,
        "positions": utils.build_positions_from_mask(real),
        "attention_mask": utils.make_causal_attn_mask(real),
    }


def main() -> None:
    """Answer turns until stdin ends."""
    setting = json.loads(sys.argv[1])
    rows, length = setting["rows"], setting["length"]
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-4))
    config = peft_trainer.TrainingConfig(eval_every_n_steps=1_000_000)
    trainer = peft_trainer.PeftTrainer(_model(setting["shape"], setting["rank"]), optimizer, config)
    trainer = trainer.with_gen_model_input_fn(_model_input)
    trainer.is_managed_externally = True  # so that `train` can be called again
    generator = np.random.default_rng(0)
    high = setting["shape"]["vocabulary_size"]
    batches = [
        peft_trainer.TrainingInput(
            input_tokens=jnp.asarray(generator.integers(3, high, (rows, length)), "int32"),
            input_mask=jnp.ones((rows, length), bool),
        )
        for _ in range(setting["steps"])
    ]
    for _ in sys.stdin:
        trainer.train(batches)
        print("done", flush=True)


if __name__ == "__main__":
    main()
