"""Keeps gradients inside float16's range, for updates whose products are float16."""

import jax
import jax.numpy as jnp
from flax import struct

_RAISED_AFTER = 200


@struct.dataclass
class LossScale:
    """What a loss is multiplied by so that float16 holds its gradients (arXiv 1710.03740).

    Gradients of a sum over tokens, unlike those of a mean, need nothing to keep them from
    vanishing: in Gemma 3 270M the largest that enters a product is 662 of 65,504, and what is too
    small for all of float16's digits is a millionth of the whole. So the factor starts at 1, its
    highest. It halves when a gradient is not finite, and doubles after 200 updates that were.

    Attributes:
        factor: a power of two.
        good: updates since it last changed.
    """

    factor: jax.Array
    good: jax.Array

    @classmethod
    def first(cls) -> "LossScale":
        """That of the first update."""
        return cls(jnp.float32(1), jnp.int32(0))

    def after(self, finite) -> "LossScale":
        """That of the next update, by whether this one's gradient was finite."""
        raised = finite & (self.good + 1 == _RAISED_AFTER)
        factor = jnp.where(finite, jnp.where(raised, 2.0, 1.0), 0.5) * self.factor
        return LossScale(jnp.minimum(factor, 1), jnp.where(finite & ~raised, self.good + 1, 0))
