"""RecurrentGemma in Flax NNX: tokens and state in, logits and new state out.

A gated linear recurrence and local attention take turns, so that the state has one size at any
length. It computes what google-deepmind/recurrentgemma computes, and takes its weights by their
names (arXiv 2404.07839, 2402.19427).

Written in notebooks/03a_recurrent_gemma.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma1


@dataclasses.dataclass(frozen=True)
class RecurrentGemmaConfig:
    """Sizes of a RecurrentGemma; the defaults are the 2B model's."""

    vocab_size: int = 256_000
    d_model: int = 2560
    num_layers: int = 26
    ffn: int = 7680
    num_heads: int = 10  # of attention; they are the blocks of the gates, too
    lru_width: int = 2560
    window: int = 2048  # attention sees so many tokens before a token
    conv_width: int = 4
    soft_cap: float = 30.0
    pattern: str = "RRA"  # repeated: R is recurrent, A is local attention

    def is_attention(self, layer: int) -> bool:
        """Whether a block is local attention; the others are recurrent."""
        return self.pattern[layer % len(self.pattern)] == "A"


def scan_step_by_step(decay, inputs, state):
    """The same recurrence as a loop over the positions: `length` rounds."""

    def step(state, now):
        state = now[0] * state + now[1]
        return state, state

    over_time = (decay.swapaxes(0, 1), inputs.swapaxes(0, 1))
    return jax.lax.scan(step, state, over_time)[1].swapaxes(0, 1)


def scan_by_joining(decay, inputs, state):
    """All h_t = decay_t · h_{t-1} + inputs_t in about 2 · log2(length) rounds.

    Shapes: decay and inputs [batch, length, width], state [batch, width].
    """

    def join(first, second):
        (decay_1, input_1), (decay_2, input_2) = first, second
        return decay_1 * decay_2, decay_2 * input_1 + input_2

    inputs = inputs.at[:, 0].add(decay[:, 0] * state)
    return jax.lax.associative_scan(join, (decay, inputs), axis=1)[1]


def change_of_states(kept, cotangent):
    """Gradients of decay, inputs and state: the recurrence from the end back."""
    decay, state, states = kept
    following = jnp.pad(decay[:, 1:], ((0, 0), (0, 1), (0, 0)))
    reverse = following[:, ::-1], cotangent[:, ::-1], jnp.zeros_like(state)
    gradient = scan_by_joining(*reverse)[:, ::-1]
    before = jnp.concatenate([state[:, None], states[:, :-1]], axis=1)
    return gradient * before, gradient, decay[:, 0] * gradient[:, 0]


def _scan_with_gradient():
    def forward(decay, inputs, state):
        states = scan_by_joining(decay, inputs, state)
        return states, (decay, state, states)

    scan = jax.custom_vjp(scan_by_joining)
    scan.defvjp(forward, change_of_states)
    return scan


scan_in_parallel = _scan_with_gradient()


class BlockDiagonal(nnx.Module):
    """A linear layer in which head h of the input makes head h of the output."""

    def __init__(self, num_heads: int, width: int, rngs: nnx.Rngs):
        size = width // num_heads
        self.w = gemma1.weight(rngs, (num_heads, size, size), size)
        self.b = nnx.Param(jnp.zeros((num_heads, size)))

    def __call__(self, x):
        heads = x.reshape(*x.shape[:-1], *self.b.shape)
        heads = jnp.einsum("...hi,hij->...hj", heads, self.w[...]) + self.b[...]
        return heads.reshape(x.shape)


def start_between(key, width: int, low: float = 0.9, high: float = 0.999):
    """Λ with paces e^(−softplus(Λ)) between low and high, their squares uniform."""
    pace_2 = jax.random.uniform(key, (width,), minval=low**2, maxval=high**2)
    return jnp.log(jnp.expm1(-0.5 * jnp.log(pace_2)))


@jax.custom_jvp
def bounded_sqrt(x):
    """A square root whose slope stays below 1,000, where √x has an infinite one at 0.

    A gate that shuts makes 1 − a² vanish; without the bound one such position turns
    the whole gradient into NaN.
    """
    return jnp.sqrt(x)


@bounded_sqrt.defjvp
def _bounded_sqrt_jvp(primals, tangents):
    root = jnp.sqrt(primals[0])
    return root, tangents[0] * 0.5 / jnp.maximum(root, 0.5e-3)


class RGLRU(nnx.Module):
    """Real-gated linear recurrent unit (Griffin, arXiv 2402.19427, section 2.4)."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        self.a_param = nnx.Param(start_between(rngs.params(), config.lru_width))
        self.a_gate = BlockDiagonal(config.num_heads, config.lru_width, rngs)
        self.input_gate = BlockDiagonal(config.num_heads, config.lru_width, rngs)

    def __call__(self, x, starts, state):
        """States [batch, length, width], and the last one, which stays in float32."""
        states = scan_in_parallel(*decay_and_inputs(self, x, starts), state)
        return states.astype(x.dtype), states[:, -1]


def decay_and_inputs(lru: RGLRU, x, starts):
    """a_t and what is added at t; where a document starts nothing is kept."""
    log_a = -8 * nnx.sigmoid(lru.a_gate(x)) * nnx.softplus(lru.a_param[...])
    log_a, starts = log_a.astype("float32"), starts[..., None]
    scale = jnp.where(starts, 1, bounded_sqrt(-jnp.expm1(2 * log_a)))
    decay = jnp.where(starts, 0, jnp.exp(log_a))
    return decay, scale * nnx.sigmoid(lru.input_gate(x)) * x


def segments_of(positions):
    """Number the documents of each row; 0 is one that began before the row did."""
    return jnp.cumsum(positions == 0, axis=1)


class TemporalConv(nnx.Module):
    """Per channel a weighted sum of its last inputs, none from another document."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        shape = (config.conv_width, config.lru_width)
        self.w = nnx.Param(nnx.initializers.normal(0.05)(rngs.params(), shape))
        self.b = nnx.Param(jnp.zeros(config.lru_width))

    def __call__(self, x, segments, before):
        """`before` holds the inputs of segment 0 that came before x."""
        taps, length = self.w.shape[0], x.shape[1]
        inputs = jnp.concatenate([before.astype(x.dtype), x], axis=1)
        owners = jnp.pad(segments, ((0, 0), (taps - 1, 0)))
        total = self.b[...]
        for tap in range(taps):
            here = slice(tap, tap + length)
            same = (owners[:, here] == segments)[..., None]
            total = total + jnp.where(same, inputs[:, here], 0) * self.w[tap]
        same = (owners[:, length:] == segments[:, -1:])[..., None]
        return total, jnp.where(same, inputs[:, length:], 0)


class RecurrentBlock(nnx.Module):
    """GELU(W_y x) · RG-LRU(conv(W_x x)), then a linear layer."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        self.linear_y = nnx.Linear(config.d_model, config.lru_width, rngs=rngs)
        self.linear_x = nnx.Linear(config.d_model, config.lru_width, rngs=rngs)
        self.linear_out = nnx.Linear(config.lru_width, config.d_model, rngs=rngs)
        self.conv_1d = TemporalConv(config, rngs)
        self.rg_lru = RGLRU(config, rngs)

    def __call__(self, x, positions, state):
        gate = nnx.gelu(self.linear_y(x))
        segments = segments_of(positions)
        x, before = self.conv_1d(self.linear_x(x), segments, state["before"])
        x, hidden = self.rg_lru(x, positions == 0, state["hidden"])
        return self.linear_out(x * gate), {"before": before, "hidden": hidden}


def rope_on_half(x, positions):
    """Turn the first half of each head by its position; leave the second half.

    Shapes: x [batch, length, heads, head_dim], positions [batch, length].
    """
    turned, still = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([gemma1.rope(turned, positions), still], axis=-1)


def visible(positions, seen_positions, window: int):
    """Who attends to whom: bool [batch, queries, keys].

    The last keys are the queries' own; those before them come from the state, where
    −1 marks an empty place.
    """
    segments = segments_of(positions)
    kept = seen_positions.shape[1] - positions.shape[1]
    owners = jnp.pad(segments, ((0, 0), (kept, 0)))[:, None, :]
    distance = positions[:, :, None] - seen_positions[:, None, :]
    in_window = (distance >= 0) & (distance <= window)
    exists = (seen_positions >= 0)[:, None, :]
    return in_window & exists & (owners == segments[:, :, None])


def remember(state, new, window: int):
    """The state after the newest keys and values of the last document.

    Position p has place p mod window: a ring, in which nothing is ever moved.
    """
    if not state["keys"].shape[1]:
        return state  # a whole document, which nothing follows
    positions = new["positions"]
    segments = segments_of(positions)
    last = segments[:, -1:]
    wanted = (segments == last) & (positions > positions[:, -1:] - window)
    places = jnp.where(wanted, positions % window, window)  # outside: not written
    rows = jnp.arange(len(positions))[:, None]
    state = state | {"positions": jnp.where(last == 0, state["positions"], -1)}
    return {
        name: state[name].at[rows, places].set(new[name], mode="drop") for name in new
    }


def multi_query(query, keys, values, mask):
    """What query heads read by one key/value head, [batch, length, heads, size]."""
    scores = jnp.einsum("btnh,bsh->bnts", query, keys).astype("float32")
    scores = jnp.where(mask[:, None], scores / query.shape[-1] ** 0.5, -1e30)
    shares = nnx.softmax(scores).astype(query.dtype)
    return jnp.einsum("bnts,bsh->btnh", shares, values)


class LocalAttention(nnx.Module):
    """Multi-query attention to a token and the `window` tokens before it."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        d_model, head_dim = config.d_model, config.d_model // config.num_heads
        self.window, self.num_heads = config.window, config.num_heads
        self.proj_q = nnx.Linear(d_model, d_model, use_bias=False, rngs=rngs)
        self.proj_k = nnx.Linear(d_model, head_dim, use_bias=False, rngs=rngs)
        self.proj_v = nnx.Linear(d_model, head_dim, use_bias=False, rngs=rngs)
        self.proj_final = nnx.Linear(d_model, d_model, rngs=rngs)

    def __call__(self, x, positions, state):
        heads = (*x.shape[:2], self.num_heads, -1)
        query = rope_on_half(self.proj_q(x).reshape(heads), positions)
        key = rope_on_half(self.proj_k(x)[:, :, None], positions)[:, :, 0]
        new = {"positions": positions, "keys": key, "values": self.proj_v(x)}
        seen = {name: jnp.concatenate([state[name], new[name]], 1) for name in new}
        mask = visible(positions, seen["positions"], self.window)
        mixed = multi_query(query, seen["keys"], seen["values"], mask).reshape(x.shape)
        return self.proj_final(mixed), remember(state, new, self.window)


class TwoLinears(nnx.Module):
    """Two linear layers of one input, stacked as in the published files."""

    def __init__(self, d_in: int, d_out: int, rngs: nnx.Rngs):
        self.w = gemma1.weight(rngs, (2, d_in, d_out), d_in)
        self.b = nnx.Param(jnp.zeros((2, 1, 1, d_out)))

    def __call__(self, x):
        return jnp.einsum("btd,cdf->cbtf", x, self.w[...]) + self.b[...]


class GatedMLP(nnx.Module):
    """GeGLU with biases: down(GELU(x·W_0 + b_0) · (x·W_1 + b_1))."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        self.ffw_up = TwoLinears(config.d_model, config.ffn, rngs)
        self.ffw_down = nnx.Linear(config.ffn, config.d_model, rngs=rngs)

    def __call__(self, x):
        gate, up = self.ffw_up(x)
        return self.ffw_down(nnx.gelu(gate) * up)


class Block(nnx.Module):
    """Mix over time, then over channels; each on a normalised copy, added back."""

    def __init__(self, config: RecurrentGemmaConfig, layer: int, rngs: nnx.Rngs):
        self.temporal_pre_norm = gemma1.RMSNorm(config.d_model)
        self.is_attention = config.is_attention(layer)
        if self.is_attention:
            self.attention_block = LocalAttention(config, rngs)
        else:
            self.recurrent_block = RecurrentBlock(config, rngs)
        self.channel_pre_norm = gemma1.RMSNorm(config.d_model)
        self.mlp_block = GatedMLP(config, rngs)

    def __call__(self, x, positions, state):
        mix = self.attention_block if self.is_attention else self.recurrent_block
        mixed, state = mix(self.temporal_pre_norm(x), positions, state)
        x = x + mixed
        return x + self.mlp_block(self.channel_pre_norm(x)), state


class Embedder(nnx.Module):
    """Token vectors, and by the same table scores of the next token."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        shape, spread = (config.vocab_size, config.d_model), config.d_model**-0.5
        table = nnx.initializers.normal(spread)(rngs.params(), shape)
        self.input_embedding = nnx.Param(table)
        self.soft_cap = config.soft_cap

    def encode(self, tokens):
        """Rows times √d_model, rounded to bfloat16 as by Google (50.5 for 2,560)."""
        x = self.input_embedding[tokens]
        return x * jnp.sqrt(x.shape[-1]).astype("bfloat16").astype(x.dtype)

    def decode(self, x):
        """Scores of the next token, bent to stay between ± soft_cap."""
        scores = x @ self.input_embedding[...].T
        return self.soft_cap * jnp.tanh(scores / self.soft_cap)


def empty_state(config: RecurrentGemmaConfig, batch: int, keys: int | None = None):
    """What a model knows before the first token, a dict per block.

    Args:
        keys: places for keys in an attention block; the whole window when None.
    """
    keys = config.window if keys is None else keys
    head = (batch, keys, config.d_model // config.num_heads)

    def of(layer):
        if config.is_attention(layer):
            zeros = {name: jnp.zeros(head) for name in ("keys", "values")}
            return {"positions": jnp.full((batch, keys), -1)} | zeros
        before = jnp.zeros((batch, config.conv_width - 1, config.lru_width))
        return {"before": before, "hidden": jnp.zeros((batch, config.lru_width))}

    return [of(layer) for layer in range(config.num_layers)]


class RecurrentGemma(nnx.Module):
    """RecurrentGemma (arXiv 2404.07839), with the names of Google's weight files."""

    def __init__(self, config: RecurrentGemmaConfig, rngs: nnx.Rngs):
        self.config, self.embedder = config, Embedder(config, rngs)
        layers = range(config.num_layers)
        self.blocks = nnx.data([Block(config, layer, rngs) for layer in layers])
        self.final_norm = gemma1.RMSNorm(config.d_model)

    def __call__(self, tokens, positions, state=None):
        """Logits [batch, length, vocab], and the state to go on with.

        Position 0 starts a document; padding stands on the left, with position 0.
        """
        state = state or empty_state(self.config, len(tokens), keys=0)
        x, after = self.embedder.encode(tokens), []
        for block, before in zip(self.blocks, state, strict=True):
            x, now = block(x, positions, before)
            after.append(now)
        return self.embedder.decode(self.final_norm(x)), after


def published_name(path) -> str:
    """The checkpoint's name of the weight at, say, ("blocks", 0, "mlp_block", …)."""
    return "/".join(map(str, path)).replace("blocks/", "blocks.")
