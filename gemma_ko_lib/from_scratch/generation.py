"""Text generation for the from-scratch Gemma: prompts in, new token ids out.

One compiled loop with a KV cache: greedy, or drawn with temperature from the nucleus (top-p, arXiv
1904.09751). A batch may hold prompts of different lengths; a row that met a stop token is done.

Written in notebooks/02_gemma2_attention.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gemma_ko_lib.from_scratch.gemma import prefill, step


def choose(logits, key, temperature=0.0, top_p=1.0):
    """The next token of each row, from logits [batch, vocab]."""
    if temperature == 0:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    logits = logits / temperature
    if top_p < 1:
        ordered = jnp.sort(logits, axis=-1, descending=True)
        share = jax.nn.softmax(ordered, axis=-1)
        kept = jnp.cumsum(share, axis=-1) - share < top_p
        least = jnp.min(jnp.where(kept, ordered, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits >= least, logits, -jnp.inf)
    return jax.random.categorical(key, logits).astype(jnp.int32)


@functools.partial(jax.jit, static_argnums=(0, 5, 6, 7))
def decode(graph, weights, tokens, lengths, key, max_new_tokens, stop_ids, sample):
    """New tokens [batch, max_new_tokens], and how many a row has with its stop."""
    model = nnx.merge(graph, weights)

    def going_on(state):
        return (state[0] < max_new_tokens) & jnp.any(state[4] == state[0])

    def one_more(state):
        n, token, caches, new, counts = state
        logits, caches = step(model, token, lengths + n - 1, caches)
        alive = (counts == n) & ~jnp.isin(token, jnp.array(stop_ids, jnp.int32))
        token = sample(logits, jax.random.fold_in(key, n))
        return n + 1, token, caches, new.at[:, n].set(token), counts + alive

    logits, caches = prefill(model, tokens, lengths, tokens.shape[1] + max_new_tokens)
    token = sample(logits, jax.random.fold_in(key, 0))
    new = jnp.zeros((len(token), max_new_tokens), jnp.int32).at[:, 0].set(token)
    state = (1, token, caches, new, jnp.ones_like(token))
    return jax.lax.while_loop(going_on, one_more, state)[3:]


def padded_prompts(prompts):
    """Prompts as one array, padded on the right, and their lengths."""
    if not all(prompts):
        raise ValueError(f"Prompt {[bool(p) for p in prompts].index(False)} is empty.")
    lengths = np.array([len(prompt) for prompt in prompts], "int32")
    tokens = np.zeros((len(prompts), -(-lengths.max() // 64) * 64), "int32")
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = prompt
    return tokens, lengths


@functools.cache
def _sampler(temperature, top_p):
    # The same function for the same settings, so that nothing compiles twice.
    return functools.partial(choose, temperature=temperature, top_p=top_p)


def generate(
    model, prompts, max_new_tokens, *, stop_ids=(), temperature=0.0, top_p=1.0, seed=0
):
    """New token ids for each prompt (token ids, BOS included), without the stop token.

    Raises:
        ValueError: a prompt is empty, so there is nothing to continue.
    """
    inputs = *padded_prompts(prompts), jax.random.key(seed)
    settings = max_new_tokens, tuple(stop_ids), _sampler(temperature, top_p)
    new, counts = decode(*nnx.split(model), *inputs, *settings)
    cut = zip(np.asarray(new), np.asarray(counts), strict=True)
    rows = [row[:count].tolist() for row, count in cut]
    return [row[:-1] if row[-1] in stop_ids else row for row in rows]
