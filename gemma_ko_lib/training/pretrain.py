"""Continued pre-training: every weight of a model, on packed Korean text.

A run folder holds `config.json`, `metrics.jsonl`, `shards/` (unless the data came packed),
`checkpoints/` and, when done, the model: `model.json`, `model.safetensors`, `tokenizer.model`.
Of several processes the first writes all but the checkpoints, in a folder that all see.
"""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import jax
import numpy as np

from gemma_ko_lib import profiles
from gemma_ko_lib.models import loading, sharding
from gemma_ko_lib.models.decoder import Decoder
from gemma_ko_lib.tokenization.mixture import mix_documents
from gemma_ko_lib.tokenization.packing import next_token_targets
from gemma_ko_lib.tokenization.shards import MANIFEST, Shards, open_shards, write_shards
from gemma_ko_lib.training.batches import batch_iterator, own_rows
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.loop import LoopConfig, LossSum, initial_state, make_update, run_loop
from gemma_ko_lib.training.loss import chunked_cross_entropy
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from gemma_ko_lib.training.run_folder import claim_run


def next_token_loss(decoder: Decoder, rematerialise: bool = False):
    """The loss of pre-training, as `run_loop` wants it: sums over a packed batch.

    Args:
        decoder: the forward pass.
        rematerialise: recompute blocks in the backward pass to save memory.
    """

    def loss_sum(params: dict, batch: dict):
        hidden = decoder.hidden(
            params, batch["token_ids"], batch["segment_ids"], rematerialise=rematerialise
        )
        embedding = params["token_embedding/embeddings"]
        weights = batch["loss_weights"]
        loss = chunked_cross_entropy(
            hidden, embedding, batch["targets"], weights, soft_cap=decoder.soft_cap
        )
        return loss, weights.sum()

    return loss_sum


class NextTokenBatches:
    """Shards' batches, endless and resumable, with targets and loss weights added.

    Args: see `batch_iterator`.
    """

    def __init__(self, shards: Shards, rows: int, seed: int, own: np.ndarray | None = None):
        self._iterator = batch_iterator(shards, rows, seed, own)
        self.get_state = self._iterator.get_state
        self.set_state = self._iterator.set_state

    def __next__(self) -> dict[str, np.ndarray]:
        batch = next(self._iterator)
        targets, weights = next_token_targets(batch["token_ids"], batch["segment_ids"])
        return {**batch, "targets": targets, "loss_weights": weights}


def train_on_shards(
    model: loading.Model,
    shards: Shards,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    mesh=None,
    rematerialise: bool = False,
    resume: bool = False,
    evaluate: Callable[[dict, int], dict] | None = None,
    quiet: bool = False,
) -> loading.Model:
    """Train a model on packed rows.

    Args:
        model: start; its weights are left as they are.
        shards: packed with the model's tokenizer.
        config: see `LoopConfig`.
        run_dir: for metrics and checkpoints.
        mesh: devices, or None for one.
        rematerialise: save memory by computing blocks twice.
        resume: go on from the newest whole checkpoint.
        evaluate: (params, step) -> figures for metrics.jsonl.
        quiet: no progress.

    Returns:
        The trained model.
    """
    params = train_weights(
        model.params,
        next_token_loss(model.decoder, rematerialise),
        shards,
        config,
        run_dir,
        mesh=mesh,
        resume=resume,
        evaluate=evaluate,
        quiet=quiet,
    )
    return dataclasses.replace(model, params=params)


def train_weights(
    params: dict,
    loss_sum: LossSum,
    shards: Shards,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    mesh=None,
    **options,
) -> dict:
    """Train some weights by AdamW on packed rows, for a loss of one's own.

    Args:
        params: what is trained; it is left as it is.
        loss_sum: see `LossSum`.
        shards: packed rows.
        config: see `LoopConfig`.
        run_dir: for metrics and checkpoints.
        mesh: devices, or None for one.
        options: of `run_loop`: frozen, resume, evaluate, quiet.

    Returns:
        The trained weights.
    """
    schedule = learning_rate_schedule(config.learning_rate, config.steps, config.warmup_steps)
    optimizer = adamw(schedule, config.clip_norm, config.weight_decay)
    rows = config.batch_rows * config.accumulation
    own = own_rows(config.batch_rows, config.accumulation, mesh)
    return run_loop(
        initial_state(sharding.place(params, mesh), optimizer, mesh),
        make_update(loss_sum, optimizer, mesh),
        schedule,
        NextTokenBatches(shards, rows, config.seed, own),
        config,
        run_dir,
        mesh=mesh,
        **options,
    )


def pretrain(
    model_name: str,
    data: str | Path,
    run_dir: str | Path,
    *,
    profile: str = "auto",
    steps: int | None = None,
    seed: int = 0,
    replay: Iterable[str] = (),
    replay_fraction: float = 0.0,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """What `gemma-ko pretrain` does: cleaned documents or shards in, a finished run folder out.

    Several processes, joined by `hosts.join_hosts`, make one run of it.

    Args:
        model_name: as for `models.load`.
        data: a folder of `gemma-ko clean`, or of token shards.
        run_dir: the run folder.
        profile: sizes, see `profiles`.
        steps: updates, instead of the profile's.
        seed: order of the data.
        replay: documents to lay among the data, against forgetting.
        replay_fraction: their share of the bytes.
        resume: go on with a stopped run.
        quiet: no progress.

    Raises:
        UserError: more memory is needed than there is; a run is there already, or is another
            one; data of another tokenizer; no data.
    """
    run_dir, data = Path(run_dir), Path(data)
    sizes = profiles.get(profile).pretrain
    config = LoopConfig(**dataclasses.asdict(sizes.loop), seed=seed)
    config = dataclasses.replace(config, steps=steps or config.steps)
    settings = {
        "model": model_name,
        "data": str(data.absolute()),
        "row_length": sizes.row_length,
        "replay_fraction": replay_fraction,
        "loop": dataclasses.asdict(config),
    }
    model = loading.load(model_name)
    mesh = sharding.make_mesh(tensor=sizes.tensor_parallel) if jax.device_count() > 1 else None
    config = dealt_out(config, mesh)
    _check_fits(model, config, sizes, mesh)
    with claim_run(run_dir, settings, resume) as finished:
        if finished:
            print(f"{run_dir} is finished already.")
            return run_dir
        shards = _shards_for(model, data, run_dir, sizes.row_length, replay, replay_fraction, quiet)
        trained = train_on_shards(
            model,
            shards,
            config,
            run_dir,
            mesh=mesh,
            rematerialise=sizes.rematerialise,
            resume=resume,
            quiet=quiet,
        )
        trained = dataclasses.replace(trained, params=sharding.gather(trained.params))
        on_first_host(lambda: trained.save(run_dir))
    return run_dir


def _check_fits(model, config: LoopConfig, sizes: profiles.Pretrain, mesh) -> None:
    # Its estimates are of this module's loss, so it imports this module.
    from gemma_ko_lib.training import memory, methods

    setting = methods.Setting(
        "full", config.batch_rows, sizes.row_length, config.accumulation, sizes.rematerialise
    )
    memory.check_fits(model, setting, mesh)


def dealt_out(config: LoopConfig, mesh) -> LoopConfig:
    """For more devices than a micro-batch has rows: fewer and larger ones, the same update."""
    devices = mesh.shape["fsdp"] if mesh else 1
    update_rows = config.batch_rows * config.accumulation
    for rows in range(config.batch_rows, update_rows + 1):
        if rows % devices == 0 and update_rows % rows == 0:
            return dataclasses.replace(config, batch_rows=rows, accumulation=update_rows // rows)
    return config


def _shards_for(model, data: Path, run_dir: Path, length: int, replay, fraction, quiet) -> Shards:
    if (data / MANIFEST).is_file():
        return open_shards(data, model.tokenizer)
    folder = run_dir / "shards"

    def pack() -> None:
        from gemma_ko_lib.corpus import read_clean

        if not (folder / MANIFEST).is_file():
            texts = mix_documents((d.text for d in read_clean(data)), replay, fraction)
            write_shards(texts, model.tokenizer, folder, length, progress=not quiet)

    on_first_host(pack)
    return open_shards(folder, model.tokenizer)
