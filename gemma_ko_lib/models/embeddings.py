"""Gives a model embeddings for the pieces that its tokenizer has gained."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models.configs import build_backbone
from gemma_ko_lib.models.decoder import Decoder
from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.tokenization.tokenizer import SentencePieceTokenizer
from gemma_ko_lib.tokenization.vocabulary import replaced_ids

_EMBEDDING = "token_embedding/embeddings"


def expand_model(
    model: Model,
    tokenizer: SentencePieceTokenizer,
    start: str = "mean",
    seed: int = 0,
) -> Model:
    """Give a model rows for the pieces that an expanded tokenizer adds.

    Args:
        model: the base model.
        tokenizer: from `tokenization.expand_vocabulary` on the model's own.
        start: "mean" takes the mean of the base pieces that a new one replaces; "random" draws
            with the mean and standard deviation of all old rows.
        seed: for "random".

    Returns:
        A model with the expanded tokenizer; all other weights are shared with the base.
    """
    old = np.asarray(model.params[_EMBEDDING])
    replaced = replaced_ids(model.tokenizer, tokenizer)
    if start == "mean":
        new = np.stack([old[ids].mean(axis=0) for ids in replaced])
    elif start == "random":
        generator = np.random.default_rng(seed)
        new = generator.normal(old.mean(0), old.std(0), (len(replaced), old.shape[1]))
    else:
        raise ValueError(f"start is 'mean' or 'random', not {start!r}")
    config = {**model.config, "vocabulary_size": len(tokenizer.vocabulary)}
    embedding = jnp.asarray(np.concatenate([old, new.astype(old.dtype)]))
    return dataclasses.replace(
        model,
        name=f"{model.name}+ko",
        config=config,
        decoder=Decoder(build_backbone(model.kind, config, model.decoder.dtype_policy)),
        params={**model.params, _EMBEDDING: embedding},
        tokenizer=tokenizer,
    )
