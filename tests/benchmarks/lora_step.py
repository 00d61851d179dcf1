"""Seconds of a LoRA step: ours, KerasHub's `fit` after `enable_lora`, and Tunix' PeftTrainer.

One Gemma 2 shape, float32, the same tokens, AdamW, adapters of one rank on query and value, which
is all that KerasHub can; ours also on all seven layers. The programs take turns on one machine,
so that its mood hits them alike. Tunix runs by the interpreter that `--tunix` names.
"""

import statistics

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import models
from gemma_ko_lib.models.adapters import TARGETS, Lora, add_adapters
from gemma_ko_lib.models.keras_hub import keras, keras_hub
from gemma_ko_lib.training.loop import first_state, make_update
from gemma_ko_lib.training.loss import next_token_loss
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from tests.benchmarks.peer import Peer, in_turns

SHAPE = {
    "vocabulary_size": 32_000,
    "num_layers": 8,
    "num_query_heads": 8,
    "num_key_value_heads": 4,
    "hidden_dim": 512,
    "intermediate_dim": 4096,
    "head_dim": 64,
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "attention_logit_soft_cap": 50,
    "final_logit_soft_cap": 30,
    "use_sliding_window_attention": True,
    "sliding_window_size": 4096,
}
ROWS, LENGTH, RANK = 2, 256, 16
STEPS, TURNS = 4, 5


def _weights(decoder) -> dict:
    generator = np.random.default_rng(0)
    return {
        name: generator.normal(0, 0.02, shape.shape).astype("float32")
        for name, shape in decoder.shapes().items()
    }


def _tokens() -> np.ndarray:
    generator = np.random.default_rng(0)
    shape = (STEPS * ROWS, LENGTH + 1)
    return generator.integers(3, SHAPE["vocabulary_size"], shape).astype("int32")


def _ours(decoder, weights, tokens, targets):
    """A function that does `STEPS` updates."""
    optimizer = adamw(learning_rate_schedule(1e-4, 100, 1))
    frozen, adapters = add_adapters(models.place(weights), Lora(RANK, RANK, targets))
    update = make_update(next_token_loss(decoder), optimizer)
    state = first_state(jax.tree.map(jnp.array, adapters), optimizer)
    weight = np.ones((1, ROWS, LENGTH), "float32")

    def steps() -> None:
        nonlocal state
        for rows in np.split(tokens, STEPS):
            batch = {"token_ids": rows[None, :, :-1], "targets": rows[None, :, 1:]}
            batch |= {"segment_ids": weight.astype("int32"), "loss_weights": weight}
            state, figures = update(state, batch, frozen)
            float(figures["loss"])

    return steps


def _keras_hub_fit(weights, tokens):
    """The same of KerasHub's `fit`."""
    backbone = keras_hub.models.GemmaBackbone(**SHAPE, dtype="float32")
    by_name = models.unstack(weights)
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    backbone.enable_lora(RANK)
    causal_lm = keras_hub.models.GemmaCausalLM(backbone=backbone, preprocessor=None)
    causal_lm.compile(
        optimizer=keras.optimizers.AdamW(1e-4, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x = {"token_ids": tokens[:, :-1], "padding_mask": np.ones_like(tokens[:, :-1])}

    def steps() -> None:
        causal_lm.fit(x, tokens[:, 1:], batch_size=ROWS, verbose=0)

    return steps


def measure(tunix: str | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); `tunix` is a Python interpreter that has google-tunix."""
    decoder = models.build_decoder("GemmaBackbone", SHAPE, "float32")
    weights, tokens = _weights(decoder), _tokens()
    runs = {
        "ours, query and value": _ours(decoder, weights, tokens, ("query", "value")),
        "KerasHub fit, query and value": _keras_hub_fit(weights, tokens),
        "ours, all seven layers": _ours(decoder, weights, tokens, TARGETS),
    }
    if tunix:
        setting = {"shape": SHAPE, "rows": ROWS, "length": LENGTH, "rank": RANK, "steps": STEPS}
        runs["Tunix PeftTrainer, all seven layers"] = Peer(tunix, "lora_step_tunix.py", setting)
    seconds = {name: taken / STEPS for name, taken in in_turns(runs, TURNS).items()}
    first = seconds["ours, query and value"]
    what = f"{SHAPE['num_layers']} layers, d {SHAPE['hidden_dim']}, {ROWS} × {LENGTH} tokens"
    rows = [(f"seconds of a LoRA step, rank {RANK}, {what}:", "")]
    for name, taken in seconds.items():
        rows.append((f"  {name}", f"{statistics.median(taken):.3f}"))
        rows.append(("    times ours (median of the turns)", f"{np.median(taken / first):.2f}"))
    return rows
