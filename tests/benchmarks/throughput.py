"""Useful tokens per second: packed rows in our loop against KerasHub's `GemmaCausalLM.fit`.

Same nano weights, same reviews, same AdamW, rows of 512 tokens. KerasHub pads every review to the
row; what counts is the reviews' own tokens, not the padding.
"""

import itertools
import random
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import models
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.models.keras_hub import keras, keras_hub
from gemma_ko_lib.tokenization import open_shards, write_shards
from gemma_ko_lib.tokenization.packing import document_ids
from gemma_ko_lib.training import Batches, next_token_loss
from gemma_ko_lib.training.loop import first_state, make_update
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule

LENGTH, ROWS, UPDATES = 512, 4, 6


def _ours(model, texts) -> tuple[float, float]:
    """Useful tokens per second, and the share of padding."""
    optimizer = adamw(learning_rate_schedule(1e-4, 100, 10))
    update = make_update(next_token_loss(model.decoder), optimizer)
    state = first_state(jax.tree.map(jnp.copy, model.params), optimizer)
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_shards(texts, model.tokenizer, folder, LENGTH)
        batches = Batches(open_shards(folder), ROWS, seed=0)
        tokens, seconds = 0.0, 0.0
        for number in range(UPDATES + 1):
            batch = next(batches)
            batch.pop("row")
            batch = {name: x[None] for name, x in batch.items()}
            start = time.perf_counter()
            state, figures = update(state, batch)
            trained = float(figures["tokens"])
            if number:  # the first compiles
                seconds += time.perf_counter() - start
                tokens += trained
    return tokens / seconds, manifest["padding_fraction"]


def _keras_hub_fit(model, texts) -> tuple[float, float]:
    """The same for `GemmaCausalLM.fit` on reviews padded to the row."""
    kind, config = model.kind, model.config
    backbone = getattr(keras_hub.models, kind)(**config, dtype="float32")
    by_name = models.unstack(model.params)
    for variable in backbone.variables:
        variable.assign(by_name[variable.path])
    causal_lm = keras_hub.models.GemmaCausalLM(backbone=backbone, preprocessor=None)
    causal_lm.compile(
        optimizer=keras.optimizers.AdamW(1e-4, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    ids = np.zeros((ROWS * (UPDATES + 1), LENGTH + 1), "int32")
    mask = np.zeros_like(ids)
    encoded = model.tokenizer.encode(texts[: len(ids)])
    for row, tokens in enumerate(encoded):
        document = document_ids(tokens, model.tokenizer.bos_id, model.tokenizer.eos_id)
        document = document[: LENGTH + 1]
        ids[row, : len(document)], mask[row, : len(document)] = document, 1
    inputs = {"token_ids": ids[:, :-1], "padding_mask": mask[:, :-1]}
    targets, weights = ids[:, 1:], mask[:, 1:].astype("float32")

    def fit(rows: slice) -> None:
        x = {name: value[rows] for name, value in inputs.items()}
        causal_lm.fit(x, targets[rows], sample_weight=weights[rows], batch_size=ROWS, verbose=0)

    fit(slice(0, ROWS))  # compiles
    start = time.perf_counter()
    fit(slice(ROWS, None))
    seconds = time.perf_counter() - start
    timed = weights[ROWS:]
    return float(timed.sum()) / seconds, 1 - float(timed.mean())


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); `text_files` hold other reviews than the course's samples."""
    model = models.load("nano", dtype="float32")
    if text_files:
        texts = [d.text for d in itertools.islice(read_documents(text_files), 2000)]
    else:
        registers = ("review", "comment")
        texts = [r["text"] for name in registers for r in read_samples("ko", register=name)]
    random.Random(0).shuffle(texts)
    ours, our_padding = _ours(model, texts)
    theirs, their_padding = _keras_hub_fit(model, texts)
    return [
        (f"useful tokens/s, reviews, rows of {LENGTH}: ours, packed", f"{ours:,.0f}"),
        ("  GemmaCausalLM.fit, padded", f"{theirs:,.0f}"),
        ("  ours / theirs (goal ≥ 3)", f"{ours / theirs:.1f}"),
        ("padding in a row: ours (goal ≤ 1%)", f"{our_padding:.2%}"),
        ("  GemmaCausalLM.fit", f"{their_padding:.1%}"),
    ]
