"""Memory of the distillation loss and its gradient at Gemma's size, by the compiler's analysis."""

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import project
from gemma_ko_lib.training.distillation import distillation_loss
from tests.benchmarks.loss_memory import compare

STUDENT_WIDTH, TEACHER_WIDTH = 640, 1_152


def _plain(student, student_embedding, teacher, teacher_embedding, targets, weights):
    log_p = jax.nn.log_softmax(project(student, student_embedding, 30.0))
    wanted = jax.nn.softmax(project(teacher, teacher_embedding, 30.0))
    return jnp.sum(-jnp.sum(wanted * log_p, -1) * weights)


def _chunked(*arguments):
    return distillation_loss(*arguments, student_soft_cap=30.0, teacher_soft_cap=30.0)


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    widths = STUDENT_WIDTH, TEACHER_WIDTH
    return compare("distillation and gradient", _plain, _chunked, *widths)
