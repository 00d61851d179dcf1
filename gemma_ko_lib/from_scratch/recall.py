"""Recall at a distance: a small task that asks what stood some tokens back.

A row is a telephone book that is read entry by entry. After each entry comes a question: the digit
of a name that was read earlier. (A form of associative recall, arXiv 2312.04927.)

Written in notebooks/03a_recurrent_gemma.ipynb; edit it there and run
`python -m gemma_ko_lib.course.export`.
"""

import dataclasses
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


def answer_logits(model, tokens, digits: int):
    """Scores of the digits after each question, [batch, length / 2, digits]."""
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    return model(tokens, positions)[0][:, 1::2, -digits:]


def recall_loss(model, tokens, answers, digits: int):
    """Mean nats of the right answers."""
    logits = answer_logits(model, tokens, digits)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, answers))


@nnx.jit(static_argnums=4)
def recall_step(model, optimizer, tokens, answers, digits: int):
    """One update; the loss before it."""
    gradient_of = nnx.value_and_grad(recall_loss)
    loss, gradients = gradient_of(model, tokens, answers, digits)
    optimizer.update(model, gradients)
    return loss


def train_recall(model, book: PhoneBook, steps: int, rate=8e-3, seed=0, rows=32):
    """Train a model on fresh rows of the book; its losses [steps]."""
    schedule = optax.warmup_cosine_decay_schedule(0, rate, min(20, steps // 2), steps)
    optimizer = nnx.Optimizer(model, optax.adamw(schedule, b2=0.98), wrt=nnx.Param)
    random, losses = np.random.default_rng(seed), []
    for _ in range(steps):
        tokens, answers, _ = draw_rows(book, random, rows)
        losses.append(recall_step(model, optimizer, tokens, answers, book.digits))
    return np.array([float(loss) for loss in losses])


def recall_by_distance(model, book: PhoneBook, edges, rows=512, seed=1_000_000):
    """Share of right answers on new rows and its standard error, for each span.

    Span n holds the distances from edges[n] to edges[n + 1] - 1.
    """
    best = nnx.jit(lambda m, tokens: answer_logits(m, tokens, book.digits).argmax(-1))
    tokens, answers, distances = draw_rows(book, np.random.default_rng(seed), rows)
    right = np.concatenate([best(model, part) for part in np.split(tokens, rows // 32)])
    right, shares = right == answers, []
    for low, high in itertools.pairwise(edges):
        here = right[(distances >= low) & (distances < high)]
        shares.append((here.mean(), np.sqrt(here.var() / len(here))))
    return np.array(shares)
