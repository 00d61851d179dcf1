"""Training on answers: packed conversations, of which the weights with the best answers are kept.

How good weights are is asked of conversations that are not trained on. The best ones so far are
always on disk, and a run that no longer finds better ones ends.
"""

import dataclasses
import functools
import sys
from pathlib import Path

import jax
import numpy as np
import safetensors
import safetensors.flax

from gemma_ko_lib.models import sharding
from gemma_ko_lib.models.model import Model, write_tensors
from gemma_ko_lib.models.sharding import EMBEDDING
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.conversations import ConversationRows
from gemma_ko_lib.tokenization.packing import ARRAYS
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.loop import LoopConfig
from gemma_ko_lib.training.loss import next_token_loss
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.run import merged, train_weights
from gemma_ko_lib.training.run_log import read_log


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What a run on answers leaves.

    Attributes:
        model: a plain model with the best weights; adapters are merged into it.
        adapters: the best adapters by themselves; empty for methods without.
        best_step: updates after which the best weights were measured.
        held_out_loss: nats per answer token of held-out conversations, by updates done.
    """

    model: Model
    adapters: dict
    best_step: int
    held_out_loss: dict[int, float]


def train_on_answers(
    model: Model,
    rows: ConversationRows,
    held_out: ConversationRows,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    method: Method = Method("lora"),
    patience: int = 3,
    resume: bool = False,
    **options,
) -> Tuned:
    """Train a model on the answers of conversations, and keep its best weights.

    Args:
        model: start; its weights are left as they are.
        rows: from `pack_conversations`, to train on.
        held_out: others, which decide what is best.
        config: see `LoopConfig`.
        run_dir: for metrics, checkpoints and the best weights.
        method: which weights are trained, and how.
        patience: measurements in a row without a better one that end the run.
        resume: go on from the newest whole checkpoint.
        options: `mesh`, `rematerialise`, `identity`, `tracker` and `quiet`, as for `train`.

    Raises:
        UserError: see `run_loop`.
    """
    best = _Best(Path(run_dir) / "best.safetensors", resume)
    trained_names = jax.eval_shape(method.split, model.decoder.shapes())[0].keys()

    def evaluate(weights: dict, step: int) -> dict:
        loss = answer_loss(model, held_out, params=weights, batch_rows=config.batch_rows)
        best.offer(step, loss, {name: weights[name] for name in trained_names})
        stop = step - best.step >= patience * config.evaluate_every
        return {"held_out_loss": loss, **({"stop": True} if stop else {})}

    logged = read_log(run_dir) if resume else []
    if logged and "stop" in logged[-1]:
        print(
            f"{run_dir} had got no better for {patience} measurements at update "
            f"{logged[-1]['step']}; it does not go on.",
            file=sys.stderr,
        )
    else:
        train_weights(
            model, rows, config, run_dir, method=method, resume=resume, evaluate=evaluate, **options
        )
    trained = best.read()
    tuned = merged(model, method, trained, config.seed)
    adapters = {n: w for n, w in trained.items() if n != EMBEDDING} if method.lora else {}
    # A killed run may have found its best after its last checkpoint, at an update that the run
    # which went on did not measure again.
    losses = held_out_losses(run_dir) | {best.step: best.loss}
    return Tuned(tuned, adapters, best.step, dict(sorted(losses.items())))


def answer_loss(
    model: Model, rows: ConversationRows, *, params: dict | None = None, batch_rows: int = 8
) -> float:
    """Mean loss over the answers' tokens, in nats.

    Args:
        model: as from `models.load`.
        rows: packed conversations.
        params: weights to use instead of the model's own.
        batch_rows: rows computed at once; no influence on the result.
    """
    score, params = _scorer(model.decoder), model.params_at_hand(params)
    total = count = 0.0
    for start in range(0, len(rows), batch_rows):
        batch = {name: getattr(rows, name)[start : start + batch_rows] for name in ARRAYS}
        missing = batch_rows - len(batch["token_ids"])  # rows of padding count nothing
        batch = {name: np.pad(x, ((0, missing), (0, 0))) for name, x in batch.items()}
        loss, weight = score(params, batch)
        total, count = total + float(loss), count + float(weight)
    return total / count


@functools.lru_cache(maxsize=8)
def _scorer(decoder):
    return jax.jit(next_token_loss(decoder))


def held_out_losses(run_dir: str | Path) -> dict[int, float]:
    """Held-out loss by updates done, as a run has logged it."""
    lines = read_log(run_dir)
    return {line["step"]: line["held_out_loss"] for line in lines if "held_out_loss" in line}


class _Best:
    """The weights with the lowest held-out loss so far, in a file that says when it was."""

    def __init__(self, path: Path, keep: bool):
        self._path, self.step, self.loss = path, 0, float("inf")
        if not keep:
            path.unlink(missing_ok=True)
        elif path.is_file():
            with self._opened() as file:
                found = file.metadata()
            self.step, self.loss = int(found["step"]), float(found["held_out_loss"])

    def offer(self, step: int, loss: float, params: dict) -> None:
        if loss < self.loss:
            note = {"step": str(step), "held_out_loss": repr(loss)}
            params = {n: np.asarray(x) for n, x in sharding.gather(params).items()}
            on_first_host(lambda: write_tensors(params, self._path, note))
            self.step, self.loss = step, loss

    def read(self) -> dict:
        """The weights, in host memory: those of a mesh need not fit on its first device."""
        with jax.default_device(jax.local_devices(backend="cpu")[0]), self._opened() as file:
            return {name: file.get_tensor(name) for name in file.keys()}

    def _opened(self):
        try:
            return safetensors.safe_open(self._path, framework="flax")
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{self._path} is missing or damaged ({error}), and with it the best weights of "
                "this run; start it again in another folder."
            ) from None
