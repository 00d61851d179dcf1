"""The models that transformers is asked about, by name: all random, of a few thousand weights."""

import numpy as np

from gemma_ko_lib import models
from gemma_ko_lib.models import add_adapters
from gemma_ko_lib.models.adapters import Lora
from gemma_ko_lib.tokenization import (
    cut_to_texts,
    expand_vocabulary,
)
from tests.conftest import SENTENCES, TINY, random_weights

# Longer than the windows of 4.
IDS = (np.random.default_rng(7).integers(6, 300, (2, 12))).tolist()
CUT = 300  # pieces of 320; all of `IDS` are below
_LIKE_4B = {"global_rope_scaling_factor": 8.0}
_LIKE_27B = {"query_head_dim_normalize": False, "hidden_dim": 24}
SHAPES = {
    **TINY,
    "gemma2-27b": (TINY["gemma2"][0], {**TINY["gemma2"][1], **_LIKE_27B}),
    "gemma3-4b": (TINY["gemma3"][0], {**TINY["gemma3"][1], **_LIKE_4B}),
    "gemma3-27b": (TINY["gemma3"][0], {**TINY["gemma3"][1], **_LIKE_4B, **_LIKE_27B}),
}
# Hangul syllables that the tiny tokenizer does not have.
PIECES = [chr(0xAC00 + 28 * i) for i in range(64)]


def base(shape: str, tokenizer) -> models.Model:
    """The untouched model of a shape."""
    kind, config = SHAPES[shape]
    config = {**config, "vocabulary_size": len(tokenizer.vocabulary)}
    decoder = models.build_decoder(kind, config, "float32")
    return models.Model(shape, kind, config, decoder, random_weights(decoder), tokenizer)


def trained(model: models.Model, variant: str) -> tuple[dict, dict, Lora]:
    """Frozen weights, adapters that do something, and how they were made."""
    lora = Lora(2, 4.0, olora=variant == "olora")
    frozen, adapters = add_adapters(model.params, lora)
    draw = np.random.default_rng(1)
    moved = {n: np.asarray(a) + draw.normal(0, 0.1, a.shape) for n, a in sorted(adapters.items())}
    return frozen, {name: a.astype("float32") for name, a in moved.items()}, lora


def expanded(model: models.Model) -> models.Model:
    """The model with 64 more pieces."""
    tokenizer = expand_vocabulary(model.tokenizer, PIECES)
    return models.change_vocabulary(model, tokenizer)


def cut(model: models.Model) -> models.Model:
    """The model without the 20 pieces that two sentences need least."""
    tokenizer = cut_to_texts(model.tokenizer, SENTENCES[:2], CUT)
    return models.change_vocabulary(model, tokenizer)
