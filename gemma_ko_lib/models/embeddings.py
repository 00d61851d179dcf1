"""Gives a model another vocabulary: rows of pieces that stay, and new rows for new pieces."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models.decoder import build_decoder
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.models.sharding import EMBEDDING
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer
from gemma_ko_lib.tokenization.vocabulary import replaced_ids


def change_vocabulary(
    model: Model,
    tokenizer: SentencePieceTokenizer,
    start: str = "mean",
    seed: int = 0,
) -> Model:
    """Give a model the rows that a cut, an expanded or an exchanged tokenizer asks for.

    A piece that the model knows keeps its row, so that it keeps its logit too: without others the
    probabilities of those that stay are only renormalised.

    Args:
        model: the base model.
        tokenizer: from `tokenization.cut_vocabulary` or `expand_vocabulary` on the model's own.
        start: of new pieces: "mean" takes the mean of the base pieces that a new one replaces;
            "random" draws with the mean and standard deviation of all old rows.
        seed: for "random".

    Returns:
        A model with that tokenizer; all other weights are shared with the base.

    Example:
        >>> from gemma_ko_lib import models, tokenization
        >>> nano = models.load("nano")
        >>> counts = tokenization.count_pieces(nano.tokenizer, ["The rain fell all night."])
        >>> ranked = tokenization.rank_pieces(nano.tokenizer, counts)
        >>> cut = tokenization.cut_vocabulary(nano.tokenizer, ranked, 2048)
        >>> change_vocabulary(nano, cut).config["vocabulary_size"]
        2048
    """
    if start not in ("mean", "random"):
        raise ValueError(f"start is 'mean' or 'random', not {start!r}")
    old = np.asarray(model.params[EMBEDDING])
    row_of = {piece: i for i, piece in enumerate(model.tokenizer.vocabulary)}
    pieces = tokenizer.vocabulary
    rows = old[[row_of.get(piece, 0) for piece in pieces]]
    new = [i for i, piece in enumerate(pieces) if piece not in row_of]
    if new and start == "mean":
        replaced = replaced_ids(model.tokenizer, [pieces[i] for i in new])
        # In float32: of bfloat16 numpy adds up in bfloat16, which ends at 256 times a summand.
        rows[new] = np.stack([old[ids].mean(0, "float32") for ids in replaced])
    elif new:
        generator = np.random.default_rng(seed)
        mean, deviation = old.mean(0, "float32"), old.std(0, "float32")
        rows[new] = generator.normal(mean, deviation, (len(new), old.shape[1]))
    config = {**model.config, "vocabulary_size": len(pieces)}
    return dataclasses.replace(
        model,
        name=tokenizer.name,
        config=config,
        decoder=build_decoder(model.kind, config, model.decoder.dtype_policy),
        params={**model.params, EMBEDDING: jnp.asarray(rows)},
        tokenizer=tokenizer,
        digest="",
    )
