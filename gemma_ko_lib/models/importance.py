"""How much each input column of a linear layer matters on some text: llama.cpp's "imatrix".

A rounding error of a weight is multiplied by the input of its column, so columns with large
inputs deserve the smaller errors. `serving.export_gguf` gives these figures to the quantiser.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models import keras_hub_blocks, kernels
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import Progress, UserError
from gemma_ko_lib.tokenization.tokenizer import encode_documents

_ROW = 256


def column_importance(
    model: Model, texts: Sequence[str], tokens: int = 16_384
) -> dict[str, np.ndarray]:
    """Mean square of each input column of every linear layer.

    Args:
        model: reads the texts, in rows of 256 tokens.
        texts: like those that the quantised model will be used on.
        tokens: to read at most, evenly over the texts.

    Returns:
        KerasHub's name of each kernel -> float32 [in].

    Raises:
        UserError: no text.
    """
    encoded = encode_documents(model.tokenizer, [text for text in texts if text])
    ids = np.array([i for its in encoded for i in its], "int32")
    if not len(ids):
        raise UserError("No text to measure importance on: every document is empty.")
    length = min(_ROW - 1, len(ids))
    rows = ids[: len(ids) // length * length].reshape(-1, length)
    rows = rows[:: -(-rows.size // tokens)]
    # What a Gemma computes without a BOS before it is not what it computes in use.
    rows = np.insert(rows, 0, model.tokenizer.bos_id, axis=1)
    params, decoder, found = model.params_at_hand(), model.decoder, {}
    layers = list(zip(decoder.blocks, decoder.layers(params), strict=True))
    with Progress(len(rows), "Reading", "rows") as progress:
        for row in rows:
            x = decoder.embed(params, row[None])
            for number, (block, weights) in enumerate(layers):
                x, squares = _read(block, weights, x)
                for projection, square in squares.items():
                    name = f"decoder_block_{number}/{projection}/kernel"
                    found[name] = found.get(name, 0) + np.asarray(square) / len(rows)
            progress.update()
    return found


@functools.partial(jax.jit, static_argnames="block")
def _read(block, weights, x):
    squares = {}

    def read(projection, inputs):
        rows = kernels.input_rows(projection, inputs).astype("float32")
        squares[projection] = jnp.mean(rows**2, axis=0)

    ones = jnp.ones(x.shape[:2], "int32")
    return keras_hub_blocks.run_block(block, weights, x, ones, read=read), squares
