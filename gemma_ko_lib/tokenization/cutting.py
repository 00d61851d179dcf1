"""Cuts a vocabulary down to the pieces that some texts use.

A BPE reaches a piece by joining smaller pieces. As long as those stay too, text whose pieces are
all kept is tokenized as before, and only the ids are renumbered. Other text falls to smaller pieces
and to bytes, which always stay.
"""

import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer, encode_documents

_SPARE = re.compile(r"<unused\d+>")


def count_pieces(tokenizer: SentencePieceTokenizer, texts: Iterable[str]) -> np.ndarray:
    """How often each piece occurs in some texts, by id.

    Args:
        tokenizer: to cut the texts with.
        texts: documents; ten megabytes are plenty.
    """
    counts = np.zeros(len(tokenizer.vocabulary), np.int64)
    for text in texts:
        (ids,) = encode_documents(tokenizer, [text])
        np.add.at(counts, ids, 1)
    return counts


def rank_pieces(tokenizer: SentencePieceTokenizer, counts: np.ndarray) -> np.ndarray:
    """Order the pieces so that a vocabulary may be cut behind any of them.

    First come those that no cut may lack: special tokens, bytes, and the line breaks, runs of white
    space and markup that are matched before anything is joined. Then follow the most frequent
    pieces, and at last those that do not occur, in the tokenizer's own ranking, single characters
    before others: each spares its bytes. Whatever a piece is joined from stands before it. Gemma's
    unused tokens, and pieces that no text leads to, are left out.

    Args:
        tokenizer: the whole one.
        counts: as from `count_pieces`.

    Returns:
        Ids. `fixed_pieces` says how many at the head no cut may lack.
    """
    pieces, vocabulary = tokenizer.model_proto().pieces, tokenizer.vocabulary
    scores = np.array([piece.score for piece in pieces])
    normal = {piece.piece: i for i, piece in enumerate(pieces) if piece.type == piece.NORMAL}
    ranked = dict.fromkeys(_fixed(pieces))
    rank = {piece: scores[i] for piece, i in normal.items()}
    several_characters = np.array([len(piece) > 1 for piece in vocabulary])
    for i in np.lexsort((-scores, several_characters, -counts)):
        if vocabulary[i] not in normal or i in ranked:
            continue
        joined = _joined_on_the_way(vocabulary[i], rank)
        if vocabulary[i] in joined:
            ranked |= dict.fromkeys(normal[piece] for piece in joined if piece in normal)
    return np.array(list(ranked))


def fixed_pieces(tokenizer: SentencePieceTokenizer) -> int:
    """How many pieces no cut may lack."""
    return len(_fixed(tokenizer.model_proto().pieces))


def cut_vocabulary(
    tokenizer: SentencePieceTokenizer, ranked: Sequence[int], size: int
) -> SentencePieceTokenizer:
    """Keep the first pieces of a ranking, in the order of their old ids.

    Args:
        tokenizer: the whole one.
        ranked: ids, as from `rank_pieces`.
        size: how many to keep.

    Raises:
        UserError: fewer than the pieces that no cut may lack, or more than there are.

    Example:
        >>> from gemma_ko_lib.tokenization import count_pieces, load_tokenizer, rank_pieces
        >>> nano = load_tokenizer("nano")
        >>> ranked = rank_pieces(nano, count_pieces(nano, ["The rain fell all night."]))
        >>> cut = cut_vocabulary(nano, ranked, 400)
        >>> len(cut.vocabulary), cut.decode(*cut.encode(["the rain, 쀍"]))
        (400, 'the rain, 쀍')
    """
    least = fixed_pieces(tokenizer)
    if not least <= size <= len(ranked):
        raise UserError(
            f"{tokenizer.name} can be cut to {least:,} pieces (special tokens and bytes) up to "
            f"{len(ranked):,}, not to {size:,}."
        )
    model = tokenizer.model_proto()
    kept = [model.pieces[i] for i in sorted(ranked[:size])]
    del model.pieces[:]
    model.pieces.extend(kept)
    trainer, position = model.trainer_spec, {piece.piece: i for i, piece in enumerate(kept)}
    trainer.vocab_size = size
    for name in ("unk", "bos", "eos", "pad"):
        setattr(trainer, f"{name}_id", position.get(getattr(trainer, f"{name}_piece"), -1))
    return SentencePieceTokenizer(model.SerializeToString(), f"{tokenizer.name} cut to {size:,}")


def cut_to_texts(
    tokenizer: SentencePieceTokenizer, texts: Iterable[str], size: int
) -> SentencePieceTokenizer:
    """Keep the pieces that some texts use most, and what those are joined from.

    `count_pieces`, `rank_pieces` and `cut_vocabulary`, one after the other.

    Args:
        tokenizer: the whole one.
        texts: documents that stand for what the model will read and write.
        size: pieces to keep.

    Raises:
        UserError: as `cut_vocabulary`.
    """
    return cut_vocabulary(tokenizer, rank_pieces(tokenizer, count_pieces(tokenizer, texts)), size)


def _fixed(pieces) -> list[int]:
    return [
        i
        for i, piece in enumerate(pieces)
        if piece.type != piece.NORMAL and not _SPARE.fullmatch(piece.piece)
    ]


def _joined_on_the_way(piece: str, scores: dict[str, float]) -> list[str]:
    """The characters and all that BPE joins from them, smaller pieces first.

    Within a text that ends in this piece the same joins are made in the same order: none across its
    borders can have come between.

    Args:
        piece: to be reached.
        scores: of the pieces that may be joined.
    """
    symbols = list(piece)
    made = dict.fromkeys(symbols)
    while len(symbols) > 1:
        joins = [a + b for a, b in itertools.pairwise(symbols)]
        best = max(range(len(joins)), key=lambda i: scores.get(joins[i], -np.inf))
        if joins[best] not in scores:
            break
        symbols[best : best + 2] = [joins[best]]
        made[joins[best]] = None
    return list(made)
