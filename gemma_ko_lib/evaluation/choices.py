"""Scores continuations: the log-likelihood that a model gives to each choice after a prompt.

Questions with four answers, few-shot examples before every question, minimal pairs: many texts
begin alike. They are laid into rows as a tree, depth first, so that a common beginning is stored
and computed once; a token sees its own ancestors only. Logits are computed only where a
continuation stands, so a long prompt costs none.
"""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models.decoder import TokenTree, project
from gemma_ko_lib.models.kernels import soft_capped
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import Progress, UserError
from gemma_ko_lib.tokenization.tokenizer import encode_documents
from gemma_ko_lib.training.loss import CHUNK_TOKENS

# Attention costs a row's length for each token; the rows of a batch make up for short ones. What
# all texts begin with, as examples, stands in every row again, and fills at most half of it.
ROW_TOKENS = 512
BATCH_ROWS = 4


@dataclasses.dataclass(frozen=True)
class Score:
    """A model's score of one continuation.

    Attributes:
        nats: its log-likelihood after the prompt, at most 0.
        tokens: how many it has.
        greedy: whether each of its tokens is the likeliest one.
    """

    nats: float
    tokens: int
    greedy: bool


def score_choices(
    model: Model,
    prompts: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    params: dict | None = None,
    progress: bool = False,
) -> list[list[Score]]:
    """Score the choices of each prompt.

    Prompt and choice are tokenized together, as in lm-evaluation-harness, so a choice usually
    starts with a space; one BOS stands before the prompt, which may be empty.

    Args:
        model: as from `models.load`.
        prompts: texts.
        choices: for each prompt, the texts that may follow it.
        params: weights to use instead of the model's own.
        progress: show progress.

    Raises:
        UserError: a choice without a token.

    Example:
        >>> from gemma_ko_lib import models
        >>> nano = models.load("nano")
        >>> ((right, wrong),) = score_choices(nano, ["She is"], [[" happy.", " happily."]])
        >>> right.nats > wrong.nats
        True
    """
    flat = [
        (prompt, choice) for prompt, its in zip(prompts, choices, strict=True) for choice in its
    ]
    pairs = encode_pairs(model.tokenizer, flat)
    found = iter(score_continuations(model, pairs, params=params, progress=progress))
    return [[next(found) for _ in its] for its in choices]


def encode_pairs(tokenizer, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    """Token ids of (prompt, continuation), with the BOS in front of the prompt.

    White space at the end of a prompt goes to the continuation, where tokenizers put it.
    """
    before = encode_documents(tokenizer, [prompt.rstrip() for prompt, _ in pairs])
    whole = encode_documents(tokenizer, [prompt + continuation for prompt, continuation in pairs])
    return [
        ([tokenizer.bos_id, *prompt], ids[len(prompt) :])
        for prompt, ids in zip(before, whole, strict=True)
    ]


def score_continuations(
    model: Model,
    pairs: Sequence[tuple[list[int], list[int]]],
    *,
    params: dict | None = None,
    progress: bool = False,
) -> list[Score]:
    """Score continuations given as token ids.

    Args:
        model: as from `models.load`.
        pairs: (ids before, with the BOS; ids of the continuation).
        params: weights to use instead of the model's own.
        progress: show progress.

    Raises:
        UserError: nothing before a continuation, or nothing in it.
    """
    for number, (before, continuation) in enumerate(pairs):
        if not before or not continuation:
            what = "continuation" if before else "prompt (not even a BOS)"
            raise UserError(f"Text {number} has an empty {what}; there is nothing to score.")
    rows = _plant([[*before, *continuation] for before, continuation in pairs])
    length = max((len(row.tokens) for row in rows), default=0)
    length = ROW_TOKENS if length <= ROW_TOKENS and len(rows) > 1 else -(-length // 64) * 64
    scores: list[Score | None] = [None] * len(pairs)
    score, params = _scorer(model.decoder), model.params_at_hand(params)
    with Progress(len(pairs), "Scoring", "texts", quiet=not progress) as bar:
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            for i, found in _score_rows(score, params, batch, length, pairs):
                scores[i] = found
            bar.update(sum(len(row.paths) for row in batch))
    return scores


@dataclasses.dataclass
class _Row:
    """A tree of texts, depth first.

    Attributes:
        tokens, positions, visible_until: of each node.
        paths: text -> the nodes of its tokens.
    """

    tokens: list[int] = dataclasses.field(default_factory=list)
    positions: list[int] = dataclasses.field(default_factory=list)
    visible_until: list[int] = dataclasses.field(default_factory=list)
    paths: dict[int, list[int]] = dataclasses.field(default_factory=dict)


def _plant(texts: list[list[int]]) -> list[_Row]:
    """Lay texts into rows, sorted, so that neighbours share the longest beginnings."""
    rows: list[_Row] = []
    row, path, previous = _Row(), [], []
    order = sorted(range(len(texts)), key=texts.__getitem__)
    limit = max(ROW_TOKENS, 2 * _common(texts[order[0]], texts[order[-1]])) if texts else 0
    for index in order:
        text = texts[index]
        shared = _common(previous, text)
        if not rows or len(row.tokens) + len(text) - shared > limit:
            row, path, shared = _Row(), [], 0
            rows.append(row)
        end, new = len(row.tokens), len(text) - shared
        for node in path[shared:]:
            row.visible_until[node] = end
        row.tokens += text[shared:]
        row.positions += range(shared, len(text))
        row.visible_until += [2**30] * new  # until another text leaves this branch
        path = [*path[:shared], *range(end, end + new)]
        row.paths[index] = path
        previous = text
    return rows


def _common(a: list[int], b: list[int]) -> int:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


def _score_rows(score, params, rows: list[_Row], length: int, pairs):
    """Yield (text, Score) for the texts in some rows."""
    shape = (BATCH_ROWS, length)
    tokens, segments, positions = (np.zeros(shape, np.int32) for _ in range(3))
    until = np.full(shape, 2**30, np.int32)
    scored = []  # of each token of a continuation: its text, the place that predicts it, its id
    for r, row in enumerate(rows):
        n = len(row.tokens)
        tokens[r, :n], segments[r, :n] = row.tokens, 1
        positions[r, :n], until[r, :n] = row.positions, row.visible_until
        for text, path in row.paths.items():
            before, continuation = pairs[text]
            predicting = path[len(before) - 1 : -1]
            for node, token in zip(predicting, continuation, strict=True):
                scored.append((text, r * length + node, token))
    owners, predicting, targets = np.array(scored).T
    places, asked = np.unique(predicting, return_inverse=True)  # many choices follow one token
    tree = TokenTree(positions, until)
    nats, greedy = score(params, tokens, segments, tree, *map(_padded, (places, asked, targets)))
    nats, greedy = np.asarray(nats, np.float64), np.asarray(greedy)
    for text in np.unique(owners).tolist():
        its = np.flatnonzero(owners == text)
        yield text, Score(float(nats[its].sum()), len(its), bool(greedy[its].all()))


def _padded(values: np.ndarray) -> np.ndarray:
    """Pad to the next power of two of chunks, so that few shapes are compiled."""
    chunks = -(-len(values) // CHUNK_TOKENS)
    size = CHUNK_TOKENS * (1 << (chunks - 1).bit_length())
    return np.pad(values.astype(np.int32), (0, size - len(values)))


@functools.lru_cache(maxsize=8)
def _scorer(decoder):
    """Hidden states have one shape for all batches, and are the dear part to compile."""

    @jax.jit
    def read(params, tokens, segments, tree):
        hidden = decoder.hidden(params, tokens, segments, tree=tree)
        return hidden.reshape(-1, hidden.shape[-1])

    @jax.jit
    def score(hidden, embedding, places, asked, targets):
        hidden, cap = hidden[places], decoder.soft_cap

        def predict(h):
            logits = project(h, embedding, cap)
            return jax.nn.logsumexp(logits), jnp.argmax(logits)

        log_z, likeliest = jax.lax.map(predict, hidden, batch_size=CHUNK_TOKENS)
        rows = embedding[targets].astype(hidden.dtype)
        logit = jnp.einsum("nd,nd->n", hidden[asked], rows, preferred_element_type=jnp.float32)
        return soft_capped(logit, cap) - log_z[asked], likeliest[asked] == targets

    return lambda params, tokens, segments, tree, *asked: score(
        read(params, tokens, segments, tree), params["token_embedding/embeddings"], *asked
    )
