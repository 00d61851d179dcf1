"""Memory of loss and gradient at Gemma's size, from the compiler's own analysis: no run needed."""

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import project
from gemma_ko_lib.training import chunked_cross_entropy

VOCABULARY, TOKENS, D_MODEL = 256_000, 2_048, 640


def _plain(hidden, embedding, targets, weights):
    log_p = jax.nn.log_softmax(project(hidden, embedding, 30.0))
    nll = -jnp.take_along_axis(log_p, targets[..., None], -1)[..., 0]
    return jnp.sum(nll * weights)


def _chunked(hidden, embedding, targets, weights):
    return chunked_cross_entropy(hidden, embedding, targets, weights, soft_cap=30.0)


def _temporary_bytes(loss) -> int:
    shapes = (
        jax.ShapeDtypeStruct((1, TOKENS, D_MODEL), "float32"),
        jax.ShapeDtypeStruct((VOCABULARY, D_MODEL), "float32"),
        jax.ShapeDtypeStruct((1, TOKENS), "int32"),
        jax.ShapeDtypeStruct((1, TOKENS), "float32"),
    )
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    plain, chunked = _temporary_bytes(_plain), _temporary_bytes(_chunked)
    return [
        (
            f"temporaries of loss and gradient, {VOCABULARY:,} words × {TOKENS:,} tokens, "
            f"d {D_MODEL}: plain",
            f"{plain / 2**30:.2f} GiB",
        ),
        ("  chunked (ours)", f"{chunked / 2**30:.2f} GiB"),
        ("  ours / plain (goal ≤ 0.10)", f"{chunked / plain:.3f}"),
    ]
