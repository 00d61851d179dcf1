"""Memory of the distillation loss and its gradient at Gemma's size, by the compiler's analysis."""

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import project
from gemma_ko_lib.training.distillation import distillation_loss

VOCABULARY, TOKENS, STUDENT_WIDTH, TEACHER_WIDTH = 256_000, 2_048, 640, 1_152


def _plain(student, student_embedding, teacher, teacher_embedding, targets, weights):
    log_p = jax.nn.log_softmax(project(student, student_embedding, 30.0))
    wanted = jax.nn.softmax(project(teacher, teacher_embedding, 30.0))
    return jnp.sum(-jnp.sum(wanted * log_p, -1) * weights)


def _chunked(*arguments):
    return distillation_loss(*arguments, student_soft_cap=30.0, teacher_soft_cap=30.0)


def _temporary_bytes(loss) -> int:
    shapes = [
        jax.ShapeDtypeStruct(shape, kind)
        for shape, kind in (
            ((1, TOKENS, STUDENT_WIDTH), "float32"),
            ((VOCABULARY, STUDENT_WIDTH), "float32"),
            ((1, TOKENS, TEACHER_WIDTH), "float32"),
            ((VOCABULARY, TEACHER_WIDTH), "float32"),
            ((1, TOKENS), "int32"),
            ((1, TOKENS), "float32"),
        )
    ]
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    plain, chunked = _temporary_bytes(_plain), _temporary_bytes(_chunked)
    return [
        (
            f"temporaries of distillation and gradient, {VOCABULARY:,} words × {TOKENS:,} tokens, "
            f"d {TEACHER_WIDTH} to {STUDENT_WIDTH}: plain",
            f"{plain / 2**30:.2f} GiB",
        ),
        ("  chunked (ours)", f"{chunked / 2**30:.2f} GiB"),
        ("  ours / plain (goal ≤ 0.10)", f"{chunked / plain:.3f}"),
    ]
