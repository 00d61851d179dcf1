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


def _temporary_bytes(loss, shapes) -> int:
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def compare(what: str, plain, chunked, *widths: int) -> list[tuple[str, str]]:
    """Rows of (what, figure) for a loss in two forms.

    Args:
        what: the temporaries of what.
        plain: a loss of hidden states and embedding for each width, targets and weights, all
            logits at once.
        chunked: the same loss, chunk by chunk.
        widths: d_model of each model that takes part.
    """
    floats = [shape for d in widths for shape in ((1, TOKENS, d), (VOCABULARY, d))]
    shapes = [jax.ShapeDtypeStruct(shape, "float32") for shape in floats]
    shapes += [jax.ShapeDtypeStruct((1, TOKENS), kind) for kind in ("int32", "float32")]
    whole, parts = _temporary_bytes(plain, shapes), _temporary_bytes(chunked, shapes)
    size = f"{VOCABULARY:,} words × {TOKENS:,} tokens, d {' from '.join(map(str, widths))}"
    return [
        (f"temporaries of {what}, {size}: plain", f"{whole / 2**30:.2f} GiB"),
        ("  chunked (ours)", f"{parts / 2**30:.2f} GiB"),
        ("  ours / plain (goal ≤ 0.10)", f"{parts / whole:.3f}"),
    ]


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    return compare("loss and gradient", _plain, _chunked, D_MODEL)
