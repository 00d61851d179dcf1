"""What a model writes: prompts as token ids, or questions to a chat model.

The likeliest token, always. One compiled loop for each shape: lengths are rounded up, and rows to
1, 2, 4 or 8, so that few shapes are met.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models import kv_cache
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import Progress, UserError
from gemma_ko_lib.tokenization.conversations import END, Turn, control_id, encode_prompt

BATCH_ROWS = 8


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    params: dict | None = None,
    stop_ids: Sequence[int] = (),
    int8: bool = False,
    progress: bool = False,
) -> list[list[int]]:
    """Continue prompts.

    Args:
        model: as from `models.load`.
        prompts: token ids, the BOS included.
        max_new_tokens: at most so many for each.
        params: weights to use instead of the model's own.
        stop_ids: tokens that end a text; they are not part of it.
        int8: read weights and cache in int8, a quarter of float32's bytes, rounded.
        progress: show progress.

    Returns:
        New token ids of each prompt.

    Raises:
        UserError: an empty prompt, or no new token asked for.

    Example:
        >>> from gemma_ko_lib import models
        >>> model = models.load("nano")
        >>> prompt = [model.tokenizer.bos_id, *model.tokenizer.encode(["The library"])[0]]
        >>> (new,) = generate(model, [prompt], 8, stop_ids=[model.tokenizer.eos_id])
        >>> len(new) <= 8
        True
    """
    for number, prompt in enumerate(prompts):
        if not len(prompt):
            raise UserError(
                f"Prompt {number} is empty, not even a BOS; there is nothing to continue."
            )
    if max_new_tokens < 1:
        raise UserError(f"max_new_tokens is {max_new_tokens}; ask for at least one.")
    weights = kv_cache.lay_out(model.decoder, model.params_at_hand(params), int8)
    write = _writer(model.decoder)
    stops = np.array(sorted(stop_ids), np.int32)
    found: list[list[int]] = [[] for _ in prompts]
    # Rows of one batch are read up to the longest, so those of a length go together.
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    batches = -(-len(order) // BATCH_ROWS) or 1
    size = -(-len(order) // batches) or 1  # alike, so that they have as many rows
    rows = 1 << (size - 1).bit_length()
    with Progress(len(prompts), "Generating", "texts", quiet=not progress) as bar:
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            length = _rounded_up(max(len(prompts[i]) for i in batch))
            tokens = np.zeros((rows, length), np.int32)
            starts = np.full(rows, length, np.int32)  # of a row without a prompt
            for row, i in enumerate(batch):
                starts[row] = length - len(prompts[i])
                tokens[row, starts[row] :] = prompts[i]
            room = _rounded_up(max_new_tokens)
            new, counts = write(weights, tokens, starts, stops, max_new_tokens, room, int8)
            new, counts = (np.asarray(x)[: len(batch)] for x in (new, counts))
            for i, row, count in zip(batch, new, counts, strict=True):
                found[i] = row[:count].tolist()
            bar.update(len(batch))
    return found


class Answer(NamedTuple):
    """What a model said.

    Attributes:
        text: without control tokens.
        ended: whether it ended its turn; if not, the text was cut off.
    """

    text: str
    ended: bool


def answer(
    model: Model, questions: Sequence[str], max_new_tokens: int = 256, *, progress: bool = False
) -> list[Answer]:
    """Ask a chat model questions, each by itself.

    Args:
        model: as from `models.load`.
        questions: what the user says.
        max_new_tokens: where an answer that does not end is cut.
        progress: show progress.

    Raises:
        UserError: the model's tokenizer has no turn tokens.
    """
    asked = [(Turn("user", question),) for question in questions]
    return reply(model, asked, max_new_tokens, progress=progress)


def reply(
    model: Model,
    conversations: Sequence[Sequence[Turn]],
    max_new_tokens: int,
    *,
    progress: bool = False,
) -> list[Answer]:
    """Let a chat model say the next turn of conversations.

    Args:
        model: as from `models.load`.
        conversations: the turns so far of each, the last one the user's.
        max_new_tokens: where an answer that does not end is cut.
        progress: show progress.

    Raises:
        UserError: the model's tokenizer has no turn tokens.
    """
    tokenizer = model.tokenizer
    prompts = [encode_prompt(tokenizer, turns) for turns in conversations]
    stops = (control_id(tokenizer, END), tokenizer.eos_id)
    found = generate(model, prompts, max_new_tokens, stop_ids=stops, progress=progress)
    return [Answer(tokenizer.decode(ids).strip(), len(ids) < max_new_tokens) for ids in found]


def _rounded_up(length: int) -> int:
    """To a multiple of 64, and from 512 on of an eighth to a quarter of the length."""
    step = max(64, 1 << max(0, length.bit_length() - 3))
    return -(-length // step) * step


@functools.lru_cache(maxsize=8)
def _writer(decoder):
    @functools.partial(jax.jit, static_argnames=("room", "int8"))
    def write(weights, tokens, starts, stops, max_new_tokens, room: int, int8: bool):
        """New tokens [batch, room], and how many of a row come before a stop token."""
        rows, length = tokens.shape

        def add(n, logits, new, going_on, counts):
            token = jnp.argmax(logits, axis=-1).astype(jnp.int32)
            going_on &= ~jnp.isin(token, stops)
            new = jax.lax.dynamic_update_slice_in_dim(new, token[:, None], n, 1)
            return token, new, going_on, counts + going_on

        def more(state):
            n, _, (_, _, going_on, _) = state
            return (n < max_new_tokens) & jnp.any(going_on)

        def go_on(state):
            n, caches, (token, *written) = state
            place = length + n - 1
            logits, caches = kv_cache.step(decoder, weights, token, place, starts, caches)
            return n + 1, caches, add(n, logits, *written)

        capacity = length + room
        logits, caches = kv_cache.read_prompts(decoder, weights, tokens, starts, capacity, int8)
        nothing = jnp.zeros((rows, room), jnp.int32), starts < length, jnp.zeros(rows, int)
        state = 1, caches, add(0, logits, *nothing)
        _, _, (_, new, _, counts) = jax.lax.while_loop(more, go_on, state)
        return new, counts

    return write
