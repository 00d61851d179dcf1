"""Time to trace and compile a Gemma 2 2B train step: blocks by scan against unrolled.

Both are AdamW on the loss of pre-training, with each block rematerialised; unrolled, the
blocks follow each other in the program and each has weights of its own. On shapes: no weight
is allocated, nothing runs.
"""

import functools
import time

import jax

from gemma_ko_lib.models import CONFIGS, Decoder, build_decoder
from gemma_ko_lib.models.decoder import of_blocks
from gemma_ko_lib.models.sharding import BLOCKS
from gemma_ko_lib.training import chunked_cross_entropy, make_update, next_token_loss
from gemma_ko_lib.training.loop import first_state
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule

MODEL, ROWS, LENGTH = "gemma2_2b_en", 1, 256


def _unrolled(decoder: Decoder):
    """`next_token_loss` without the scan, and the shapes of its weights, "3@blocks/…"."""

    def loss_sum(params, batch):
        x = decoder.embed(params, batch["token_ids"])
        for layer in range(len(decoder.blocks)):

            @jax.checkpoint
            def run(x, weights, layer=layer):
                return decoder.run_block(layer, weights, x, batch["segment_ids"])

            x = run(x, of_blocks(_part(params, f"{layer}@")))
        loss = chunked_cross_entropy(
            decoder.normalize(params, x),
            params["token_embedding/embeddings"],
            batch["targets"],
            batch["loss_weights"],
            soft_cap=decoder.soft_cap,
        )
        return loss, batch["loss_weights"].sum()

    shapes = {}
    for name, x in decoder.shapes().items():
        if name.startswith(BLOCKS):
            one = jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
            shapes |= {f"{layer}@{name}": one for layer in range(x.shape[0])}
        else:
            shapes[name] = x
    return loss_sum, shapes


def _part(params: dict, start: str) -> dict:
    return {n.removeprefix(start): w for n, w in params.items() if n.startswith(start)}


def _seconds(loss_sum, params: dict) -> float:
    optimizer = adamw(learning_rate_schedule(1e-5, 1000, 100))
    state = jax.eval_shape(functools.partial(first_state, optimizer=optimizer), params)
    whole = dict.fromkeys(("token_ids", "segment_ids", "targets"), "int32")
    batch = {
        name: jax.ShapeDtypeStruct((1, ROWS, LENGTH), kind)
        for name, kind in {**whole, "loss_weights": "float32"}.items()
    }
    began = time.perf_counter()
    make_update(loss_sum, optimizer).lower(state, batch).compile()
    return time.perf_counter() - began


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    jax.config.update("jax_enable_compilation_cache", False)
    # The first program of a process also starts the compiler; neither of the two shall pay that.
    first = build_decoder(*CONFIGS["nano"], "float32")
    _seconds(next_token_loss(first, rematerialise=True), first.shapes())
    decoder = build_decoder(*CONFIGS[MODEL], "float32")
    scanned = _seconds(next_token_loss(decoder, rematerialise=True), decoder.shapes())
    unrolled = _seconds(*_unrolled(decoder))
    return [
        (
            f"trace and compile a step of {MODEL}, {ROWS} × {LENGTH} tokens: unrolled",
            f"{unrolled:.1f} s",
        ),
        ("  scanned (ours)", f"{scanned:.1f} s"),
        ("  ours / unrolled (goal ≤ 0.20)", f"{scanned / unrolled:.3f}"),
    ]
