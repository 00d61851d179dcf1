"""AdamW with warm-up and cosine decay, counted in updates, never in micro-batches."""

import jax
import jax.numpy as jnp
import optax


def learning_rate_schedule(peak: float, steps: int, warmup_steps: int) -> optax.Schedule:
    """Linear warm-up to `peak`, then cosine down to a tenth of it.

    Args:
        peak: highest learning rate.
        steps: updates of the whole run; gradient accumulation does not count.
        warmup_steps: updates until the peak.
    """
    return optax.warmup_cosine_decay_schedule(
        0.0, peak, min(warmup_steps, steps - 1), max(steps, 2), peak * 0.1
    )


def adamw(
    schedule: optax.Schedule,
    clip_norm: float | None = 1.0,
    weight_decay: float = 0.01,
    rates: dict[str, float] | None = None,
) -> optax.GradientTransformation:
    """Global-norm clipping, then AdamW; norm scales are not decayed.

    Args:
        schedule: learning rate by updates done, or a constant.
        clip_norm: of the whole gradient; None for no clipping.
        weight_decay: times the learning rate.
        rates: weights, by name, with a learning rate of their own: its factor.
    """
    steps = [_clip_by_global_norm(clip_norm)] if clip_norm else []
    steps.append(
        optax.adamw(
            schedule,
            b2=0.95,
            weight_decay=weight_decay,
            mask=lambda params: {name: not name.endswith("scale") for name in params},
        )
    )
    if rates:
        steps.append(
            optax.stateless(
                lambda updates, _: {n: x * rates.get(n, 1.0) for n, x in updates.items()}
            )
        )
    return optax.chain(*steps)


def _clip_by_global_norm(largest: float) -> optax.GradientTransformation:
    """As optax's, but by one product, which compilers do not store: optax divides each element."""

    def clip(gradient, params):
        factor = jnp.minimum(1, largest / optax.tree.norm(gradient))
        return jax.tree.map(lambda g: g * factor.astype(g.dtype), gradient)

    return optax.stateless(clip)
