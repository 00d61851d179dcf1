"""LOMO and AdaLomo: full-parameter training in little more memory than the weights.

The forward pass keeps the input of each block. The backward pass goes from block to block and
applies a block's gradient in place as soon as it is there, so that no two blocks' gradients
exist together (LOMO, arXiv 2306.09782; AdaLomo, arXiv 2310.10195).
"""

import jax
import jax.numpy as jnp
import optax

from gemma_ko_lib.models import Decoder
from gemma_ko_lib.models.sharding import BLOCKS, EMBEDDING, traced_on
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training.fused_backward import backward, forward, sum_of_squares
from gemma_ko_lib.training.loop import TrainState, Update, state_places

# AdaLomo's constants: β2 = 1 − t^_DECAY_POWER; floors under g² and under RMS(weights).
_DECAY_POWER, _SQUARE_FLOOR, _RMS_FLOOR = -0.8, 1e-30, 1e-3


def make_lomo_update(
    decoder: Decoder,
    schedule: optax.Schedule,
    *,
    adaptive: bool,
    clip_norm: float | None = None,
    mesh=None,
) -> Update:
    """Build the jitted update of LOMO or AdaLomo for the loss of pre-training.

    Args:
        decoder: the forward pass; all its weights are trained.
        schedule: learning rate by updates done; AdaLomo's is relative to RMS(weights).
        adaptive: AdaLomo; else LOMO, whose updates are those of plain SGD.
        clip_norm: the whole gradient is scaled down to this norm. It takes a second backward
            pass: the norm is known only when all gradients have been seen, and let go.
        mesh: the mesh the weights are on. It holds each weight in its place: left to itself, the
            compiler may move small ones, and the next update would be compiled again.

    Returns:
        An update as from `make_update`, for a state as from `lomo_state`.
    """

    def update(state, batch, frozen=None):
        if frozen:
            raise ValueError(f"LOMO trains every weight; frozen ones were given: {list(frozen)}.")
        kept = forward(decoder, state.params, _only_micro_batch(batch))
        params, scale = state.params, jnp.float32(1)
        if clip_norm is not None:
            params, _, squares = backward(decoder, kept, params, {}, _Look())
            scale = jnp.minimum(1, clip_norm / jnp.sqrt(squares))

        def clip(gradient):
            return gradient.astype(jnp.float32) * scale

        seed = jax.random.fold_in(jax.random.key(0), state.step)

        def write(new, old, name, place):
            if old.dtype != jnp.bfloat16:
                return new.astype(old.dtype)
            key = jax.random.fold_in(seed, sorted(params).index(name))
            return round_stochastically(new, jax.random.fold_in(key, place))

        rate = schedule(state.step)
        decay = 1 - (state.step + 1.0) ** _DECAY_POWER
        rule = _AdaLomo(clip, write, rate, decay) if adaptive else _Sgd(clip, write, rate)
        params, optimizer, squares = backward(decoder, kept, params, state.optimizer, rule)
        figures = {"loss": kept.loss, "gradient_norm": jnp.sqrt(squares), "tokens": kept.tokens}
        new_state = TrainState(state.step + 1, params, optimizer)
        if mesh is not None:
            new_state = jax.lax.with_sharding_constraint(new_state, state_places(new_state, mesh))
        return new_state, figures

    return jax.jit(traced_on(mesh, update), donate_argnums=0)


def round_stochastically(values, key):
    """float32 to bfloat16, up or down with the odds that make the mean exact.

    bfloat16 keeps 8 bits: an update below 1/512 of its weight is rounded away, every time. Here
    it is taken with the probability that it is large, so that it counts on average.
    """
    bits = jax.lax.bitcast_convert_type(values, jnp.uint32)
    noise = jax.random.bits(key, values.shape, jnp.uint16).astype(jnp.uint32)
    # The lower half of a float32 is what bfloat16 cuts off: noise carries into what stays.
    rounded = ((bits + noise) >> 16).astype(jnp.uint16)
    rounded = jax.lax.bitcast_convert_type(rounded, jnp.bfloat16)
    return jnp.where(jnp.isfinite(values), rounded, values.astype(jnp.bfloat16))


def _only_micro_batch(batch: dict) -> dict:
    count, rows = batch["token_ids"].shape[:2]
    if count > 1:
        raise UserError(
            f"LOMO applies a gradient as soon as it is there, so {count} micro-batches cannot add "
            f"theirs up. Set accumulation to 1, with batch_rows {count * rows} if that fits and a "
            "lower learning rate if not; or train with AdamW or LoRA."
        )
    return {name: x[0] for name, x in batch.items()}


# --- state ---


def lomo_state(params: dict, adaptive: bool) -> TrainState:
    """Step 0. LOMO keeps nothing; AdaLomo two means of squared gradients for each matrix.

    Means have the weight's axes, with length 1 where they are taken: "row" has one number for
    each output, "column" one for each input. A vector keeps a mean for each entry, "full".
    """
    optimizer = {name: _zero_moments(name, x.shape) for name, x in params.items()}
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer if adaptive else {})


def _zero_moments(name: str, shape: tuple[int, ...]) -> dict:
    first = int(name.startswith(BLOCKS))
    axes = range(first, len(shape))
    if len(axes) == 1:
        return {"full": jnp.zeros(shape)}
    # Query, key and value: [heads, d_model, head_dim]; output: [heads, head_dim, d_model].
    if "attention_output" in name:
        inputs = axes[:2]
    elif name == EMBEDDING or len(axes) == 3:
        inputs = axes[1:2]
    else:
        inputs = axes[:1]
    return {
        "row": jnp.zeros([1 if i in inputs else n for i, n in enumerate(shape)]),
        "column": jnp.zeros([n if i in inputs or i < first else 1 for i, n in enumerate(shape)]),
    }


# --- what is done with a gradient ---


class _Look:
    """Nothing: for a backward pass that only sums squares.

    (`_Sgd` that writes back what was there would take a second embedding: a pass that carries it
    through a loop copies what the next pass reads.)
    """

    def visit(self, name, weight, gradient, moments, place):
        return weight, moments

    def visit_embedding(self, embedding, moments, gradient):
        def look(start, words, squares):
            part = jax.lax.dynamic_slice_in_dim(embedding, start, words)
            return squares + sum_of_squares(gradient.of(part, start))

        squares = gradient.over_parts(len(embedding), look, jnp.float32(0))
        return embedding, moments, squares


class _Sgd:
    """LOMO: p ← p − rate · g."""

    def __init__(self, clip, write, rate):
        self._clip, self._write, self._rate = clip, write, rate

    def visit(self, name, weight, gradient, moments, place):
        new = weight.astype(jnp.float32) - self._rate * self._clip(gradient)
        return self._write(new, weight, name, place), moments

    def visit_embedding(self, embedding, moments, gradient):
        def change(start, words, carry):
            embedding, squares = carry
            part = jax.lax.dynamic_slice_in_dim(embedding, start, words)
            found = gradient.of(part, start)
            new, _ = self.visit(EMBEDDING, part, found, None, start)
            embedding = jax.lax.dynamic_update_slice_in_dim(embedding, new, start, 0)
            return embedding, squares + sum_of_squares(found)

        carry = embedding, jnp.float32(0)
        embedding, squares = gradient.over_parts(len(embedding), change, carry)
        return embedding, moments, squares


class _AdaLomo:
    """p ← p − rate · max(1e-3, RMS(p)) · u / max(1, RMS(u)), u = g / √v (arXiv 2310.10195).

    v is the running mean of g², for a matrix factored into row · column / mean(row) as in
    Adafactor.
    """

    def __init__(self, clip, write, rate, decay):
        self._clip, self._write, self._rate, self._decay = clip, write, rate, decay

    def _moved(self, moment, squares):
        axes = [i for i, n in enumerate(moment.shape) if n == 1]
        mean = jnp.mean(squares, axes, keepdims=True)
        return self._decay * moment + (1 - self._decay) * mean

    def _step(self, weight):
        return self._rate * jnp.maximum(_RMS_FLOOR, _rms(weight.astype(jnp.float32)))

    def visit(self, name, weight, gradient, moments, place):
        gradient = self._clip(gradient)
        squares = jnp.square(gradient) + _SQUARE_FLOOR
        moments = {kind: self._moved(moment, squares) for kind, moment in moments.items()}
        u = gradient * _inverse_root(moments)
        new = weight.astype(jnp.float32) - self._step(weight) / jnp.maximum(1, _rms(u)) * u
        return self._write(new, weight, name, place), moments

    def visit_embedding(self, embedding, moments, gradient):
        """Two passes over the vocabulary: the means of g² and RMS(u), then the update."""
        size, step = embedding.size, self._step(embedding)

        def measure(start, words, carry):
            row, column, weighted, squares = carry
            part = jax.lax.dynamic_slice_in_dim(embedding, start, words)
            found = gradient.of(part, start)
            square = jnp.square(self._clip(found))
            rows = jax.lax.dynamic_slice_in_dim(row, start, words)
            rows = self._moved(rows, square + _SQUARE_FLOOR)
            row = jax.lax.dynamic_update_slice_in_dim(row, rows, start, 0)
            column += jnp.sum(square + _SQUARE_FLOOR, 0, keepdims=True)
            weighted += jnp.sum(square / rows, 0, keepdims=True)
            return row, column, weighted, squares + sum_of_squares(found)

        nothing = jnp.zeros_like(moments["column"])
        carry = moments["row"], nothing, nothing, jnp.float32(0)
        row, column, weighted, squares = gradient.over_parts(len(embedding), measure, carry)
        column = self._moved(moments["column"], column / len(embedding))
        # Σ u² = mean(row) · Σ g² / (row · column), summed over rows in the first pass.
        rms = jnp.sqrt(jnp.mean(row) * jnp.sum(weighted / column) / size)
        step /= jnp.maximum(1, rms)
        row_root, column_root = jax.lax.rsqrt(row / jnp.mean(row)), jax.lax.rsqrt(column)

        def change(start, words, embedding):
            part = jax.lax.dynamic_slice_in_dim(embedding, start, words)
            u = self._clip(gradient.of(part, start)) * column_root
            u *= jax.lax.dynamic_slice_in_dim(row_root, start, words)
            new = self._write(part.astype(jnp.float32) - step * u, part, EMBEDDING, start)
            return jax.lax.dynamic_update_slice_in_dim(embedding, new, start, 0)

        embedding = gradient.over_parts(len(embedding), change, embedding)
        return embedding, {"row": row, "column": column}, squares


def _inverse_root(moments: dict):
    """1/√v. Both factors by themselves: their product underflows where a word is never seen."""
    if "full" in moments:
        return jax.lax.rsqrt(moments["full"])
    row = moments["row"]
    return jax.lax.rsqrt(row / jnp.mean(row)) * jax.lax.rsqrt(moments["column"])


def _rms(x):
    return jnp.sqrt(jnp.mean(jnp.square(x)))
