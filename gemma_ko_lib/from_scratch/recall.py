"""Recall at a distance: a small task that asks what stood some tokens back.

A row is a telephone book that is read entry by entry. After each entry comes a question: the digit
of a name that was read earlier. (A form of associative recall, arXiv 2312.04927.)

Written in notebooks/03a_recurrent_gemma.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import dataclasses
import functools
import itertools

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


@dataclasses.dataclass(frozen=True)
class PhoneBook:
    """Rows in which entries and questions take turns."""

    names: int = 32  # a row holds each at most once
    digits: int = 8  # answers that are possible
    length: int = 64  # tokens a row, half of them entries; at most 2 · names

    @property
    def vocab_size(self) -> int:
        """A token for each entry (name and digit), each question and each answer."""
        return self.names * self.digits + self.names + self.digits

    def entry(self, name, digit):
        """The token of an entry."""
        return name * self.digits + digit

    def question(self, name):
        """The token that asks for a name."""
        return self.names * self.digits + name


def draw_rows(book: PhoneBook, random, count: int):
    """Tokens [count, length]; answers and distances [count, length / 2].

    A question stands at every odd place. Its distance is the number of tokens from the
    entry to it, drawn evenly on a logarithmic scale.
    """
    entries = np.arange(book.length // 2)
    order = np.argsort(random.random((count, book.names)), axis=1)
    names = order[:, : len(entries)]
    digits = random.integers(book.digits, size=names.shape)
    back = np.exp(random.random(names.shape) * np.log(entries + 2)).astype(int)
    asked = entries + 1 - back  # `back` entries ago; 1 is the one just read
    tokens = np.empty((count, book.length), "int32")
    tokens[:, ::2] = book.entry(names, digits)
    tokens[:, 1::2] = book.question(np.take_along_axis(names, asked, axis=1))
    return tokens, np.take_along_axis(digits, asked, axis=1), 2 * back - 1


def answer_logits(model, tokens, positions, digits: int):
    """Scores of the digits after each question, [batch, length / 2, digits]."""
    return model(tokens, positions)[0][:, 1::2, -digits:]


@nnx.jit(static_argnums=5)
def recall_step(model, optimizer, tokens, positions, answers, digits: int):
    """One update by the mean nats of the right answers; the loss before it."""

    def loss(model):
        logits = answer_logits(model, tokens, positions, digits)
        nll = optax.softmax_cross_entropy_with_integer_labels(logits, answers)
        return jnp.mean(nll)

    value, gradients = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradients)
    return value


@functools.cache
def _adamw(rate, steps):
    # One for all models: for another, though alike, a step would be compiled again.
    schedule = optax.warmup_cosine_decay_schedule(0, rate, min(20, steps // 2), steps)
    return optax.adamw(schedule, b2=0.98)


def positions_of(tokens, alone=False):
    """Positions in a document; if alone, each token is a document of its own."""
    return np.broadcast_to(0 if alone else np.arange(tokens.shape[1]), tokens.shape)


def train_recall(
    model, book: PhoneBook, steps: int, rate=8e-3, seed=0, rows=32, alone=False
):
    """Train a model on fresh rows of the book; its losses [steps]."""
    optimizer = nnx.Optimizer(model, _adamw(rate, steps), wrt=nnx.Param)
    random, losses = np.random.default_rng(seed), []
    for _ in range(steps):
        tokens, answers, _ = draw_rows(book, random, rows)
        inputs = tokens, positions_of(tokens, alone), answers
        losses.append(recall_step(model, optimizer, *inputs, book.digits))
    return np.array([float(loss) for loss in losses])


@nnx.jit(static_argnums=3)
def best_answers(model, tokens, positions, digits: int):
    """The likeliest digit after each question, [batch, length / 2]."""
    return answer_logits(model, tokens, positions, digits).argmax(-1)


def recall_by_distance(
    model, book: PhoneBook, edges, rows=512, seed=1_000_000, alone=False
):
    """Share of right answers on new rows and its standard error, for each span.

    Span n holds the distances from edges[n] to edges[n + 1] - 1.
    """
    tokens, answers, distances = draw_rows(book, np.random.default_rng(seed), rows)
    parts, positions = np.split(tokens, rows // 32), positions_of(tokens[:32], alone)
    said = [best_answers(model, part, positions, book.digits) for part in parts]
    right, shares = np.concatenate(said) == answers, []
    for low, high in itertools.pairwise(edges):
        here = right[(distances >= low) & (distances < high)]
        shares.append((here.mean(), np.sqrt(here.var() / len(here))))
    return np.array(shares)
