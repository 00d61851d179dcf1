"""What each size of a cut vocabulary costs: tokens and bits per byte, by language and register.

Where all pieces of a text are kept, a cut changes nothing but the sum below the softmax. One pass
of the whole model therefore gives the figures of such texts for every size; the others are read
again by the cut models.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.evaluation.bits_per_byte import document_nats, token_scorer
from gemma_ko_lib.models.decoder import project
from gemma_ko_lib.models.embeddings import change_vocabulary
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.tokenization.cutting import cut_vocabulary
from gemma_ko_lib.tokenization.tokenizer import encode_documents

# Positions whose logits exist at the same time.
_CHUNK = 128


@dataclasses.dataclass(frozen=True)
class CutPoint:
    """A vocabulary of one size, measured; figures are by group of texts.

    Attributes:
        pieces: in the vocabulary.
        tokens: that the texts take.
        outside: share of the whole vocabulary's tokens that are not kept.
        bits_per_byte: of the model with this vocabulary.
        changed: documents that take other tokens than before.
    """

    pieces: int
    tokens: dict[str, int]
    outside: dict[str, float]
    bits_per_byte: dict[str, float]
    changed: dict[str, int]


def cut_curve(
    model: Model,
    groups: Mapping[str, Sequence[str]],
    ranked: np.ndarray,
    sizes: Sequence[int],
    window: int = 512,
    progress: bool = False,
) -> list[CutPoint]:
    """Measure a model with its vocabulary cut to several sizes, and whole.

    Args:
        model: with the whole vocabulary.
        groups: held-out texts by language or register; none may be empty.
        ranked: ids, as from `tokenization.rank_pieces`.
        sizes: of the cuts.
        window: tokens the model sees at once.
        progress: show progress.

    Returns:
        One point a size from the smallest on; the last is the whole vocabulary.
    """
    names = [name for name, texts in groups.items() for _ in texts]
    texts = [text for texts in groups.values() for text in texts]
    whole = encode_documents(model.tokenizer, texts)
    sizes = sorted(sizes)
    # Pieces that no cut may have (Gemma's unused tokens) still have their share in the softmax.
    rest = np.setdiff1d(np.arange(len(model.params["token_embedding/embeddings"])), ranked)
    score = _scorer(model.decoder, np.concatenate([ranked, rest]), sizes)
    nats = document_nats(model, whole, score, window=window, progress=progress)
    points = []
    for column, size in enumerate(sizes):
        kept = np.zeros(len(model.tokenizer.vocabulary), bool)
        kept[ranked[:size]] = True
        inside = [kept[ids] for ids in map(np.array, whole)]
        changed = [i for i, found in enumerate(inside) if not found.all()]
        cut = cut_vocabulary(model.tokenizer, ranked, size)
        encoded = encode_documents(cut, texts)
        of_cut = nats[:, column].copy()
        if changed:
            again = change_vocabulary(model, cut)
            of_cut[changed] = document_nats(
                again,
                [encoded[i] for i in changed],
                token_scorer(again.decoder),
                window=window,
                progress=progress,
            )
        points.append(_point(size, names, texts, encoded, inside, changed, of_cut))
    everything = [np.ones(len(ids), bool) for ids in whole]
    pieces = len(model.tokenizer.vocabulary)
    return [*points, _point(pieces, names, texts, whole, everything, [], nats[:, -1])]


def knee(curve: Sequence[CutPoint], groups: Sequence[str], cost: float = 0.02) -> CutPoint:
    """The smallest vocabulary that makes no group of texts much longer than the whole one does.

    Args:
        curve: as from `cut_curve`.
        groups: those that count.
        cost: share of more tokens that a group may take.
    """
    whole = curve[-1].tokens
    return next(
        point
        for point in curve
        if all(point.tokens[group] <= (1 + cost) * whole[group] for group in groups)
    )


def _point(size, names, texts, encoded, inside, changed, nats) -> CutPoint:
    def by_group(figures, divided_by=None) -> dict:
        total, below = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for index, name in enumerate(names):
            total[name] += figures[index]
            below[name] += 1 if divided_by is None else divided_by[index]
        return total if divided_by is None else {n: float(total[n] / below[n]) for n in total}

    return CutPoint(
        pieces=size,
        tokens=by_group(list(map(len, encoded))),
        outside=by_group([int((~found).sum()) for found in inside], list(map(len, inside))),
        bits_per_byte=by_group(nats / math.log(2), [len(text.encode("utf-8")) for text in texts]),
        changed=by_group([int(index in changed) for index in range(len(texts))]),
    )


def _scorer(decoder, ids: np.ndarray, sizes: Sequence[int]):
    """−log p(next token) under each cut, and under the whole vocabulary: [rows, length, sizes + 1].

    A token that a cut lacks gets its logit all the same; such documents are read again.

    Args:
        decoder: the forward pass.
        ids: all, those of a cut being the first.
        sizes: of the cuts, ascending.
    """

    @jax.jit
    def score(params, token_ids, segment_ids):
        embedding = params["token_embedding/embeddings"]
        hidden = decoder.hidden(params, token_ids, segment_ids)
        parts = [embedding[jnp.asarray(part)] for part in np.split(ids, sizes)]
        target_rows = embedding[jnp.roll(token_ids, -1, axis=-1)].astype(hidden.dtype)

        def of_position(position):
            h, row = position
            (at_target,) = project(h, row[None], decoder.soft_cap)
            log_z, scores = -jnp.inf, []
            for part in parts:
                logits = project(h, part, decoder.soft_cap)
                log_z = jnp.logaddexp(log_z, jax.nn.logsumexp(logits))
                scores.append(log_z - at_target)
            return jnp.stack(scores)

        positions = [x.reshape(-1, x.shape[-1]) for x in (hidden, target_rows)]
        scores = jax.lax.map(of_position, positions, batch_size=_CHUNK)
        return scores.reshape(*token_ids.shape, len(parts))

    return score
