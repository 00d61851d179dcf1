"""Time to trace and compile a Gemma 2 2B train step: blocks by scan against unrolled.

The unrolled model is KerasHub's own backbone; loss, optimiser and shapes are the same, and neither
rematerialises. On shapes: no weight is allocated, nothing runs.
"""

import time

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import CONFIGS, Decoder, build_backbone
from gemma_ko_lib.training import chunked_cross_entropy, make_update, next_token_loss
from gemma_ko_lib.training.loop import TrainState
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule

MODEL, ROWS, LENGTH = "gemma2_2b_en", 1, 256


def _unrolled_loss(backbone):
    """`next_token_loss` on the backbone itself, its variables named by path."""
    variables = backbone.trainable_variables
    embedding = "token_embedding/embeddings"

    def loss_sum(params, batch):
        inputs = {
            "token_ids": batch["token_ids"],
            "padding_mask": (batch["segment_ids"] > 0).astype("int32"),
        }
        values = [params[v.path] for v in variables]
        hidden, _ = backbone.stateless_call(values, [], inputs)
        loss = chunked_cross_entropy(
            hidden,
            params[embedding],
            batch["targets"],
            batch["loss_weights"],
            soft_cap=backbone.final_logit_soft_cap,
        )
        return loss, batch["loss_weights"].sum()

    return loss_sum


def _seconds(loss_sum, params: dict) -> float:
    optimizer = adamw(learning_rate_schedule(1e-5, 1000, 100))
    state = jax.eval_shape(
        lambda params: TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params)), params
    )
    kinds = {
        "token_ids": "int32",
        "segment_ids": "int32",
        "targets": "int32",
        "loss_weights": "float32",
    }
    batch = {n: jax.ShapeDtypeStruct((1, ROWS, LENGTH), kind) for n, kind in kinds.items()}
    began = time.perf_counter()
    make_update(loss_sum, optimizer).lower(state, batch).compile()
    return time.perf_counter() - began


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    jax.config.update("jax_enable_compilation_cache", False)
    backbone = build_backbone(*CONFIGS[MODEL], "float32")
    params = {v.path: jax.ShapeDtypeStruct(v.shape, v.dtype) for v in backbone.trainable_variables}
    unrolled = _seconds(_unrolled_loss(backbone), params)
    decoder = Decoder(build_backbone(*CONFIGS[MODEL], "float32"))
    scanned = _seconds(next_token_loss(decoder), decoder.shapes())
    return [
        (
            f"trace and compile a step of {MODEL}, {ROWS} × {LENGTH} tokens: unrolled",
            f"{unrolled:.1f} s",
        ),
        ("  scanned (ours)", f"{scanned:.1f} s"),
        ("  ours / unrolled (goal ≤ 0.20)", f"{scanned / unrolled:.3f}"),
    ]
