"""The one training loop: explicit state, jitted update, donated buffers.

Continued pre-training, fine-tuning and distillation differ by `loss_sum` and by the batches.
What is trained is `TrainState.params`; what only takes part (the base under LoRA) is `frozen`.
How a gradient is applied is the update's: `make_update` keeps it whole for an optax optimiser,
LOMO's applies it block by block.
"""

import dataclasses
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

from gemma_ko_lib.models.sharding import batch_sharding, shardings, traced_on
from gemma_ko_lib.runtime import Progress, UserError
from gemma_ko_lib.training.checkpoints import Checkpoints
from gemma_ko_lib.training.hosts import on_any_host
from gemma_ko_lib.training.interruption import Stopped, stop_requests
from gemma_ko_lib.training.loss_scale import LossScale
from gemma_ko_lib.training.run_log import RunLog, Watch

# (all weights by name, batch) -> (sum of losses in nats, sum of weights)
LossSum = Callable[[dict, dict], tuple[jax.Array, jax.Array]]
# (state, batch, frozen weights) -> (new state, figures with at least "loss" and "tokens")
Update = Callable[["TrainState", dict, dict], tuple["TrainState", dict]]
# The first update is compiled; the time of a run is reckoned from those after it.
_TIMED_FROM, _TIMED_UNTIL = 2, 5
# a line of metrics.jsonl -> nothing
Tracker = Callable[[dict], None]


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How a run goes.

    Attributes:
        steps: updates.
        batch_rows: rows in one micro-batch, over all devices.
        accumulation: micro-batches an update.
        update_rows: rows of data in an update, if the last micro-batch is not full.
        learning_rate: peak.
        warmup_steps: updates until the peak.
        seed: order of the data.
        checkpoint_every: updates between checkpoints; none are written where it is None, as for
            a run of which only the figures are wanted.
        evaluate_every: updates between calls of `evaluate`.

    Raises:
        UserError: more rows of data than the micro-batches hold.
    """

    steps: int
    batch_rows: int
    accumulation: int = 1
    update_rows: int | None = None
    learning_rate: float = 1e-4
    warmup_steps: int = 10
    seed: int = 0
    checkpoint_every: int | None = 100
    evaluate_every: int = 100

    def __post_init__(self):
        if self.rows > self.batch_rows * self.accumulation:
            raise UserError(
                f"{self.rows} rows of data do not go into {self.accumulation} × {self.batch_rows} "
                "rows, and the others would never be read: raise batch_rows or accumulation."
            )

    @property
    def rows(self) -> int:
        """Rows of data in an update."""
        return self.update_rows or self.batch_rows * self.accumulation


@struct.dataclass
class TrainState:
    """All that an update reads and writes: one pytree, sharded, donated and stored as a whole.

    Attributes:
        step: updates done.
        params: the weights that are trained, by name.
        optimizer: the optimiser's own state.
        loss_scale: where products are float16.
    """

    step: jax.Array
    params: dict
    optimizer: optax.OptState
    loss_scale: LossScale | None = None


def make_update(loss_sum: LossSum, optimizer: optax.GradientTransformation, mesh=None) -> Update:
    """Build the jitted update of an optax optimiser, with the state donated.

    The gradient is that of the mean over all weighted tokens of the update, whatever the number
    of micro-batches they come in. Under a loss scale an update whose gradient is not finite
    changes nothing, and its "gradient_norm" is 0.

    Args:
        loss_sum: see `LossSum`.
        optimizer: from optax.
        mesh: the mesh the state is on.

    Returns:
        A function of a `TrainState`, a batch whose arrays are [accumulation, rows, …], and
        the weights that take part untrained (none by default).
    """

    def update(state, batch, frozen=None):
        params, loss_scale = state.params, state.loss_scale
        factor = 1 if loss_scale is None else loss_scale.factor

        def scaled_loss(trained, batch):
            loss, weight = loss_sum({**(frozen or {}), **trained}, batch)
            return loss * factor, (loss, weight)

        def sums_of(micro_batch):
            gradient, (loss, weight) = jax.grad(scaled_loss, has_aux=True)(params, micro_batch)
            return loss, weight, gradient

        def add_micro_batch(sums, micro_batch):
            return jax.tree.map(jnp.add, sums, sums_of(micro_batch)), None

        totals = sums_of(jax.tree.map(lambda x: x[0], batch))
        rest = jax.tree.map(lambda x: x[1:], batch)
        if jax.tree.leaves(rest)[0].shape[0]:
            totals, _ = jax.lax.scan(add_micro_batch, totals, rest)
        loss, weight, gradient = totals
        # The only row of an update may be the last token of a document, which predicts nothing.
        divisor = jnp.maximum(weight, 1)
        # By a product: compilers repeat it wherever the gradient is read, but store a quotient.
        per_token = 1 / (divisor * factor)
        gradient = jax.tree.map(lambda g: g * per_token.astype(g.dtype), gradient)
        norm = optax.tree.norm(gradient)
        changes, optimizer_state = optimizer.update(gradient, state.optimizer, params)
        changed = optax.apply_updates(params, changes), optimizer_state
        figures = {"loss": loss / divisor, "gradient_norm": norm, "tokens": weight}
        if loss_scale is not None:
            finite = jnp.isfinite(norm)
            # Without this batch, then: an update of no change.
            changed = jax.tree.map(
                lambda new, old: jnp.where(finite, new, old), changed, (params, state.optimizer)
            )
            loss_scale = loss_scale.after(finite)
            figures |= {"gradient_norm": jnp.where(finite, norm, 0), "loss_scale": factor}
        new_state = TrainState(state.step + 1, *changed, loss_scale)
        if mesh:
            # The compiler would move some of it, and compile the next update for its new places.
            new_state = jax.lax.with_sharding_constraint(new_state, state_places(new_state, mesh))
        return new_state, figures

    return jax.jit(traced_on(mesh, update), donate_argnums=0)


def first_state(
    params: dict, optimizer: optax.GradientTransformation, dtype: str = "float32"
) -> TrainState:
    """Step 0: the weights and the optimiser's zeros, or their shapes under `jax.eval_shape`.

    Args:
        params: the weights that are trained.
        optimizer: from optax.
        dtype: of products; float16 takes a loss scale.
    """
    loss_scale = LossScale.first() if dtype == "float16" else None
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), loss_scale)


def state_places(state: TrainState, mesh):
    """Where each array of a state lives on a mesh, or on the first device.

    Moments are split as their parameter is, but for an axis that they are the mean of; counters are
    on every device.
    """
    if mesh is None:
        return jax.tree.map(lambda _: SingleDeviceSharding(jax.devices()[0]), state)
    by_name = shardings(state.params, mesh)

    def place(path, leaf):
        name = next((key.key for key in path if getattr(key, "key", None) in by_name), None)
        if name is None:
            return NamedSharding(mesh, PartitionSpec())
        sides = zip(by_name[name].spec, leaf.shape, state.params[name].shape, strict=True)
        axes = (axis if n == whole else None for axis, n, whole in sides)
        return NamedSharding(mesh, PartitionSpec(*axes))

    return jax.tree_util.tree_map_with_path(place, state)


def run_loop(
    state: TrainState,
    update: Update,
    schedule: optax.Schedule,
    batches,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    frozen: dict | None = None,
    mesh=None,
    identity: dict | None = None,
    resume: bool = False,
    evaluate: Callable[[dict, int], dict] | None = None,
    tracker: Tracker | None = None,
    quiet: bool = False,
) -> dict:
    """Train.

    Args:
        state: step 0, on its devices; it is donated.
        update: from `make_update`, or one that keeps its contract.
        schedule: the learning rate, for the log.
        batches: iterator with `get_state` and `set_state`, of numpy batches of
            batch_rows × accumulation rows with a "row" array that names them; of several
            processes each gives its `batches.own_rows`.
        config: sizes and limits.
        run_dir: gets metrics.jsonl and checkpoints/; one for all processes.
        frozen: weights that take part untrained; they are in no checkpoint.
        mesh: the mesh the weights are on.
        identity: JSON values that decide the result beside the state's shapes, the order of the
            data and the rows of an update: the data by its digest, for example. A checkpoint of
            another run is refused by them.
        resume: go on from the newest whole checkpoint.
        evaluate: (trained params, step) -> figures, at step 0, every `evaluate_every`, at the
            end; "stop" among them ends the run.
        tracker: gets every line of metrics.jsonl too.
        quiet: no progress.

    Returns:
        The trained weights.

    Raises:
        UserError: a loss that is not finite or has jumped; the batch is named. A checkpoint
            that cannot be restored, or checkpoints without `resume`; all files are then as they
            were. A full disk.
        Stopped: SIGTERM or SIGINT asked for it; a checkpoint is written.
    """
    run_dir = Path(run_dir)
    order = {"update_rows": config.rows, "seed": config.seed}
    checkpoints = Checkpoints(run_dir / "checkpoints", identity=order | (identity or {}))
    start = 0
    if not resume and checkpoints.steps():
        raise UserError(
            f"{run_dir} holds the checkpoints of a run: resume it, or give another folder."
        )
    if resume and (found := checkpoints.restore_latest(state)):
        start, state, data_position = found
        if start > config.steps:
            raise UserError(
                f"{run_dir} has a checkpoint of update {start}, and the run is to end at "
                f"{config.steps}. Give as many tokens as before, or more."
            )
        batches.set_state(data_position)
        print(f"Resuming {run_dir} after update {start}", file=sys.stderr)
    first = jax.process_index() == 0
    log = RunLog(run_dir / "metrics.jsonl" if first else None, start, tracker)
    watch = Watch()
    progress = Progress(config.steps, "Training", "updates", quiet or not first)
    progress.update(start)

    def measure(step: int) -> bool:
        figures = evaluate(state.params, step) if evaluate else {}
        watch.check_measured(step, figures)
        if figures:
            log.write({"step": step, **figures})
        return "stop" in figures

    try:
        with stop_requests() as asked:
            if start == 0:
                measure(0)
            for step in range(start + 1, config.steps + 1):
                began = time.monotonic()
                batch = next(batches)
                rows = batch.pop("row")
                rows = rows[rows >= 0]
                state, figures = update(state, _device_batch(batch, config, mesh), frozen or {})
                figures = {name: float(value) for name, value in figures.items()}
                watch.check(step, figures, rows)
                figures |= {
                    "learning_rate": float(schedule(step - 1)),
                    "tokens_per_second": figures["tokens"] / (time.monotonic() - began),
                }
                log.write({"step": step, **figures})
                if step == start + _TIMED_FROM:
                    timed_from = time.monotonic()
                elif step == start + _TIMED_UNTIL:
                    each = (time.monotonic() - timed_from) / (_TIMED_UNTIL - _TIMED_FROM)
                    progress.note(f"{_duration(each * (config.steps - step))} left")
                progress.update(
                    1,
                    f"loss {figures['loss']:.3f}  lr {figures['learning_rate']:.1e}  "
                    f"{figures['tokens_per_second']:,.0f} tokens/s",
                )
                last = step == config.steps
                # Before the checkpoint: a run that goes on from it has been measured at it.
                if step % config.evaluate_every == 0 or last:
                    last |= measure(step)
                stopped = on_any_host(bool(asked)) and not last
                every = config.checkpoint_every
                if last or stopped or (every and step % every == 0):
                    watch.check_weights(step, _finite(state.params), rows)
                    log.sync()
                    if every:
                        checkpoints.save(step, state, batches.get_state())
                if stopped:
                    kept = "with a checkpoint; go on with --resume" if every else "nothing is kept"
                    raise Stopped(
                        f"stopped after update {step} of {config.steps}, {kept}",
                        asked[0] if asked else signal.SIGTERM,  # another process was asked
                    )
                if last:
                    break
    finally:
        progress.close()
        log.close()
        checkpoints.close()
    return state.params


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 5400 else f"{seconds / 60:,.0f} minutes"


@jax.jit
def _finite(params: dict) -> dict[str, jax.Array]:
    return {name: jnp.isfinite(value).all() for name, value in params.items()}


def _device_batch(batch: dict, config: LoopConfig, mesh) -> dict:
    """[rows, …] arrays of this process -> [accumulation, rows, …] on the devices."""
    shaped = {name: x.reshape(config.accumulation, -1, *x.shape[1:]) for name, x in batch.items()}
    if mesh is None:
        return shaped
    rows = (config.accumulation, config.batch_rows)
    return {
        name: jax.make_array_from_process_local_data(batch_sharding(mesh), x, (*rows, *x.shape[2:]))
        for name, x in shaped.items()
    }
