"""What products in float16 change: the real Gemma 3 270M beside itself in float32, on a CPU.

    python -m tests.benchmarks float16 [--text FILE …]

A CPU rounds to float16 and sums in float32 as a T4's tensor cores do, so that the numbers are
those of a T4, and the seconds are not. Measured are logits and one gradient, the largest values
that enter and leave a product and that the residual stream reaches, and the losses of short
trainings by full AdamW and LoRA from the same start on the same rows.
"""

import dataclasses
import json
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import models, runtime, tokenization, training
from gemma_ko_lib.corpus import read_documents
from gemma_ko_lib.models import kernels
from gemma_ko_lib.tokenization.packing import next_token_targets
from gemma_ko_lib.training import LoopConfig, Method, next_token_loss

TEXTS, CHARACTERS, LENGTH, GRADIENT_ROWS = 1000, 160, 256, 8
LOGITS_EVERY = 8  # pairs of rows: logits cost more than all else
CONFIG = LoopConfig(steps=30, batch_rows=1, warmup_steps=3, checkpoint_every=30)
EMBEDDING = "token_embedding/embeddings"


def _with(model: models.Model, dtype: str) -> models.Model:
    """The same weights under another policy."""
    decoder = models.build_decoder(model.kind, model.config, dtype)
    kinds = decoder.shapes()
    params = {name: jnp.asarray(w, kinds[name].dtype) for name, w in model.params.items()}
    return dataclasses.replace(model, decoder=decoder, params=params)


def _batches(data, rows: int):
    """Two rows at a time, as the loss takes them."""
    for start in range(0, min(rows, len(data)) - 1, 2):
        pair = [data[start], data[start + 1]]
        tokens, segments = (
            np.stack([getattr(row, name) for row in pair]) for name in ("token_ids", "segment_ids")
        )
        targets, weights = next_token_targets(tokens, segments)
        yield {
            "token_ids": tokens,
            "segment_ids": segments,
            "targets": targets,
            "loss_weights": weights,
        }


class _Largest:
    """Notes the largest absolute values at a model's products and in its residual stream.

    Args:
        decoder: traced after this, while `patch` is entered.
    """

    def __init__(self, decoder: models.Decoder):
        self.found: dict[str, float] = {}
        self._product, run_block = kernels.product, decoder.run_block

        def noting(prefix, weights, x, segments, tree=None):
            x = run_block(prefix, weights, x, segments, tree)
            self._note("in the residual stream", x * (segments > 0)[..., None])
            return x

        decoder.run_block = noting
        self.patch = mock.patch.object(kernels, "product", self._noting_product)

    def _note(self, where: str, x) -> None:
        def keep(value):
            self.found[where] = max(self.found.get(where, 0), float(value))

        jax.debug.callback(keep, jnp.max(jnp.abs(x)))

    def _noting_product(self, subscripts, a, b, dtype):
        what = "a layer" if subscripts == "ri,io->ro" else "attention"
        found = self._product(subscripts, a, b, dtype)
        self._note(f"entering {what}", a)
        self._note(f"leaving {what}", found)
        return found


def _logits(exact: models.Model, narrow: models.Model, data) -> list[tuple[str, str]]:
    """Rows on all texts: errors of hidden states, loss and next word, and largest values."""
    largest = _Largest(narrow.decoder)
    run_exact, run_narrow = (jax.jit(m.decoder.hidden) for m in (exact, narrow))
    embedding, norm = exact.params[EMBEDDING], jnp.linalg.norm

    @jax.jit
    def compare(hidden, narrow_hidden, targets):
        one, other = (models.project(h, embedding, None) for h in (hidden, narrow_hidden))
        log_p, log_q = jax.nn.log_softmax(one), jax.nn.log_softmax(other)
        at_target = (jnp.take_along_axis(x, targets[:, None], -1)[:, 0] for x in (log_p, log_q))
        divergence = jnp.sum(jnp.exp(log_p) * (log_p - log_q), -1)
        same = jnp.argmax(one, -1) == jnp.argmax(other, -1)
        return *at_target, divergence, same, jnp.abs(one - other).max(-1)

    found, apart = [], []
    for number, batch in enumerate(_batches(data, len(data))):
        inputs = batch["token_ids"], batch["segment_ids"]
        hidden = run_exact(exact.params, *inputs)
        with largest.patch:
            narrow_hidden = run_narrow(narrow.params, *inputs)
            jax.effects_barrier()
        real = batch["segment_ids"] > 0
        errors = norm(narrow_hidden - hidden, axis=-1) / norm(hidden, axis=-1)
        apart.append(np.asarray(errors)[real])
        if number % LOGITS_EVERY == 0:
            real = batch["loss_weights"][0] > 0
            columns = compare(hidden[0], narrow_hidden[0], batch["targets"][0])
            found.append([np.asarray(column)[real] for column in columns])
    columns = (np.concatenate(column) for column in zip(*found, strict=True))
    log_p, log_q, divergence, same, logits_apart = columns
    apart = np.concatenate(apart)
    return [
        ("tokens", f"{len(apart):,}"),
        ("hidden states' relative error: median", f"{np.median(apart):.2%}"),
        ("  largest", f"{apart.max():.2%}"),
        ("tokens whose logits were compared", f"{len(log_p):,}"),
        ("loss in float32, nats a token", f"{-log_p.mean():.5f}"),
        ("loss with float16 products", f"{-log_q.mean():.5f}"),
        ("KL divergence of the next word: mean", f"{divergence.mean():.1e}"),
        ("  largest", f"{divergence.max():.1e}"),
        ("logits apart at most", f"{logits_apart.max():.3f}"),
        ("the same likeliest word", f"{same.mean():.2%}"),
        *((f"largest value {where}", f"{value:,.1f}") for where, value in largest.found.items()),
    ]


def _gradient(exact: models.Model, narrow: models.Model, data) -> list[tuple[str, str]]:
    """Rows on gradients of the summed loss of two rows."""

    def gradient_of(model):
        loss = next_token_loss(model.decoder)
        return jax.jit(jax.grad(lambda params, batch: loss(params, batch)[0]))

    @jax.jit
    def squares(right, found):
        return {
            name: jnp.stack([jnp.sum(r**2), jnp.sum((found[name] - r) ** 2)])
            for name, r in right.items()
        }

    run_exact, run_narrow, sums = gradient_of(exact), gradient_of(narrow), {}
    for batch in _batches(data, GRADIENT_ROWS):
        more = squares(run_exact(exact.params, batch), run_narrow(narrow.params, batch))
        sums = {name: sums.get(name, 0) + np.asarray(pair) for name, pair in more.items()}
    errors = {name: np.sqrt(wrong / right) for name, (right, wrong) in sums.items()}
    right, wrong = sum(sums.values())
    worst = max(errors, key=errors.get)
    return [
        ("gradients' relative error, all weights", f"{np.sqrt(wrong / right):.2%}"),
        ("  median weight", f"{np.median(list(errors.values())):.2%}"),
        (f"  worst weight, {worst}", f"{errors[worst]:.2%}"),
    ]


def _training(model: models.Model, name: str, dtype: str, data) -> list[dict]:
    """Lines of metrics.jsonl of a short training."""
    method = Method(name)
    rate = method.learning_rate(10**9)
    config = dataclasses.replace(CONFIG, learning_rate=rate)
    with tempfile.TemporaryDirectory() as run:
        training.train(_with(model, dtype), data, config, run, method=method, quiet=True)
        lines = (Path(run) / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def measure(text_files: list[str] | None = None) -> list[tuple[str, str]]:
    """Rows of (what, figure); see the head of this file."""
    files = text_files or sorted(runtime.samples_dir().glob("[ek][no]/*.jsonl"))
    texts = [document.text[:CHARACTERS] for document in read_documents(files)]
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))][:TEXTS]
    exact = models.load("gemma3_270m", "float32")
    narrow = _with(exact, "mixed_float16")
    rows = [("texts", f"{len(texts):,}")]
    with tempfile.TemporaryDirectory() as scratch:
        tokenization.write_shards(texts, exact.tokenizer, Path(scratch), LENGTH)
        data = tokenization.open_shards(Path(scratch), exact.tokenizer)
        rows += _logits(exact, narrow, data)
        rows += _gradient(exact, _with(exact, "mixed_float16"), data)
        for name, dtype in (("full", "mixed_float16"), ("lora", "float16")):
            runs = [_training(exact, name, kind, data) for kind in ("float32", dtype)]
            rows += [(f"loss of {name}, update: float32, {dtype} (loss scale)", "")]
            rows += [
                (
                    f"  {one['step']:>3}: {one['loss']:.4f}, {other['loss']:.4f}",
                    f"{other['loss_scale']:g}",
                )
                for one, other in zip(*runs, strict=True)
            ]
    return rows
