"""Training a model on packed rows by any method: what every kind of training shares."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models import sharding
from gemma_ko_lib.models.loading import load
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.training import plan
from gemma_ko_lib.training.batches import Batches, PackedData, own_rows
from gemma_ko_lib.training.loop import LoopConfig, LossSum, Tracker, run_loop
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from gemma_ko_lib.training.size import RunSize, Updates

# (all weights by name, updates done) -> figures for metrics.jsonl; "stop" among them ends the run
Evaluate = Callable[[dict, int], dict]
_MANY_EPOCHS = 3


def train(
    model: Model,
    data: PackedData,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    method: Method = Method(),
    **options,
) -> Model:
    """Train a model on packed rows.

    Args:
        model, data, config, run_dir, method, options: see `train_weights`.

    Returns:
        A plain model with the trained weights; adapters are merged into it. Of several
        processes the first has it; the others get a model without weights.

    Raises:
        UserError: see `run_loop`.
    """
    trained = train_weights(model, data, config, run_dir, method=method, **options)
    return merged(model, method, sharding.gather(trained), config.seed)


def train_weights(
    model: Model,
    data: PackedData,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    method: Method = Method(),
    loss: LossSum | None = None,
    beside: dict | None = None,
    mesh=None,
    rematerialise: bool = False,
    identity: dict | None = None,
    resume: bool = False,
    evaluate: Evaluate | None = None,
    tracker: Tracker | None = None,
    quiet: bool = False,
) -> dict:
    """Train those weights of a model that a method trains.

    Args:
        model: start; its weights are left as they are.
        data: `Shards` or `ConversationRows`, packed with the model's tokenizer.
        config: how the run goes.
        run_dir: for metrics and checkpoints.
        method: which weights are trained, and how.
        loss: what is minimised; the next token's cross-entropy by default.
        beside: further weights that the loss reads and that are not trained.
        mesh: devices, or None for one.
        rematerialise: save memory by computing blocks twice.
        identity: what else decides the result; see `run_loop`.
        resume: go on from the newest whole checkpoint.
        evaluate: see `Evaluate`.
        tracker: gets every line of metrics.jsonl too.
        quiet: no progress.

    Returns:
        The trained weights by name, on their devices.

    Raises:
        UserError: see `run_loop`.
    """
    dtype = model.decoder.product_dtype
    state, frozen = method.begin(model.params, mesh, config.seed, dtype)
    beside = {**frozen, **(beside or {})}
    schedule = learning_rate_schedule(config.learning_rate, config.steps, config.warmup_steps)
    if loss is None:
        shared = _shared_update(method, model.decoder, mesh, rematerialise)
        update = functools.partial(shared, rates=_rates(schedule, config.steps))
    else:
        options = {"loss": loss, "mesh": mesh, "rematerialise": rematerialise}
        update = method.update(model.decoder, schedule, **options)
    own = own_rows(config.batch_rows, config.accumulation, mesh)
    return run_loop(
        state,
        update,
        schedule,
        Batches(data, config.rows, config.seed, own),
        config,
        run_dir,
        frozen=beside,
        mesh=mesh,
        identity={"method": method.settings(), "rows": data.digest, **(identity or {})},
        resume=resume,
        evaluate=evaluate and (lambda params, step: evaluate({**beside, **params}, step)),
        tracker=tracker,
        quiet=quiet,
    )


@functools.lru_cache(maxsize=2)  # runs that differ by rate, length, seed or data share a program
def _shared_update(method: Method, decoder, mesh, rematerialise):
    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, batch, frozen, rates):
        options = {"mesh": mesh, "rematerialise": rematerialise}
        return method.update(decoder, lambda step: rates[step], **options)(state, batch, frozen)

    return update


def _rates(schedule, steps: int) -> np.ndarray:
    """The learning rate of each update; filled up, so that runs of many lengths have one shape."""
    return np.asarray(schedule(np.arange(-(-steps // 1024) * 1024)), np.float32)


def merged(model: Model, method: Method, trained: dict, seed: int) -> Model:
    """A model with trained weights merged into it; the first process alone gets its weights.

    Adapters are merged in host memory: a device that has room for a base, or for a quantised
    one, need not have room for the merged model too.

    Args:
        model: what was trained, as it was before.
        method: how it was trained.
        trained: weights by name, whole, as from `sharding.gather`.
        seed: of the run.
    """
    if jax.process_index():
        return dataclasses.replace(model, params={})
    if not method.lora:
        return dataclasses.replace(model, params=trained)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        _, frozen = method.split(model.params, seed)
        trained = {name: jnp.asarray(np.asarray(weight)) for name, weight in trained.items()}
        params = method.merge(trained, frozen, model.decoder.shapes())
    return dataclasses.replace(model, params=params)


# --- what the commands share ---


def prepare(command: str, model_name: str | Path, method: Method, size: RunSize):
    """Load a model in the method's number format and see that the training fits.

    Args:
        command: that was typed after gemma-ko.
        model_name: as for `models.load`.
        method: how to train.
        size: how much.

    Returns:
        (model, mesh over all devices or None for one).

    Raises:
        UserError: no such model, or it does not fit; names the nearest command that does.
    """
    model = load(model_name, method.dtype(plan.this_machine()))
    plan.fitting_batching(model, method, size, command=command)
    return model, sharding.make_mesh() if jax.device_count() > 1 else None


def loop_config(
    model: Model, method: Method, size: RunSize, updates: Updates, seed: int, evaluations: int
) -> tuple[LoopConfig, bool]:
    """The loop's settings for so many updates, and whether blocks are rematerialised.

    Args:
        model: what is trained.
        method: how to train.
        size: as for `prepare`.
        updates: from `RunSize.updates`.
        seed: order of the data.
        evaluations: measurements of held-out text in the run.
    """
    exact = dataclasses.replace(size, update_tokens=updates.rows * size.row_length)
    batching = plan.fitting_batching(model, method, exact)
    parameters = sum(int(np.prod(x.shape)) for x in model.decoder.shapes().values())
    config = LoopConfig(
        steps=updates.count,
        batch_rows=batching.rows,
        accumulation=batching.accumulation,
        update_rows=updates.rows,
        learning_rate=size.learning_rate or method.learning_rate(parameters),
        warmup_steps=max(1, updates.count // 20),
        seed=seed,
        checkpoint_every=max(1, updates.count // 20),
        evaluate_every=max(1, updates.count // evaluations),
    )
    return config, batching.rematerialise


def describe(updates: Updates, epoch_tokens: int, epoch_bytes: int, config: LoopConfig) -> str:
    """What a run is about to do, in a line or two.

    Args:
        updates: of the run.
        epoch_tokens: tokens of one pass over the data.
        epoch_bytes: UTF-8 bytes of one pass.
        config: of the loop.
    """
    epochs = updates.tokens / epoch_tokens
    cut = f" in {config.accumulation} micro-batches" if config.accumulation > 1 else ""
    lines = [
        f"Training on {updates.tokens:,} tokens in {updates.count:,} updates: {epochs:.2f} epochs "
        f"of {epoch_tokens:,} tokens ({epoch_bytes / 1e6:,.1f} MB of text), "
        f"{updates.rows:,} rows an update{cut}, learning rate {config.learning_rate:g}"
    ]
    if epochs > _MANY_EPOCHS:
        lines.append(
            f"Warning: the data is read {epochs:.1f} times. More than {_MANY_EPOCHS} passes "
            "teach a model its texts by heart; more text helps more."
        )
    return "\n".join(lines)


def note(text: str, quiet: bool) -> None:
    """Say something about a run, once for all processes."""
    if not quiet and jax.process_index() == 0:
        print(text, file=sys.stderr)
