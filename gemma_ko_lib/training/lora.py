"""Training adapters over a frozen base, and LoRA beside OLoRA at equal steps.

A model and packed rows come in; the frozen base and trained adapters go out. Only adapters are
in the optimiser and in the checkpoints.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from gemma_ko_lib.models import sharding
from gemma_ko_lib.models.adapters import Lora, add_adapters
from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.models.quantization import quantize
from gemma_ko_lib.tokenization.shards import Shards
from gemma_ko_lib.training.batches import own_rows
from gemma_ko_lib.training.loop import LoopConfig, initial_state, make_update, run_loop
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from gemma_ko_lib.training.pretrain import NextTokenBatches, next_token_loss


def train_adapters(
    model: Model,
    shards: Shards,
    lora: Lora,
    config: LoopConfig,
    run_dir: str | Path,
    *,
    base_bits: int | None = None,
    mesh=None,
    rematerialise: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> tuple[dict, dict]:
    """Train LoRA or OLoRA on packed rows.

    Args:
        model: the base; its weights are left as they are.
        shards: packed with the model's tokenizer.
        lora: which adapters.
        config: see `LoopConfig`; its seed also draws LoRA's start.
        run_dir: for metrics and checkpoints.
        base_bits: 8 or 4 to keep the base quantised, None for as it is.
        mesh: devices, or None for one.
        rematerialise: save memory by computing blocks twice.
        resume: go on from the newest whole checkpoint.
        quiet: no progress.

    Returns:
        (frozen, adapters): together they are weights for the model's decoder.
    """
    frozen, adapters = add_adapters(model.params, lora, config.seed)
    if base_bits:
        frozen = quantize(frozen, base_bits)
    frozen = sharding.place(frozen, mesh)
    schedule = learning_rate_schedule(config.learning_rate, config.steps, config.warmup_steps)
    optimizer = adamw(schedule, config.clip_norm, config.weight_decay)
    rows = config.batch_rows * config.accumulation
    own = own_rows(config.batch_rows, config.accumulation, mesh)
    adapters = run_loop(
        initial_state(sharding.place(adapters, mesh), optimizer, mesh),
        make_update(next_token_loss(model.decoder, rematerialise), optimizer),
        schedule,
        NextTokenBatches(shards, rows, config.seed, own),
        config,
        run_dir,
        frozen=frozen,
        mesh=mesh,
        resume=resume,
        quiet=quiet,
    )
    return frozen, adapters


def loss_curves(
    model: Model,
    shards: Shards,
    loras: dict[str, Lora],
    config: LoopConfig,
    seeds: list[int],
    run_dir: str | Path,
) -> dict[str, np.ndarray]:
    """Train each kind of adapter once a seed, on the same batches in the same order.

    Args:
        model: the base.
        shards: packed with the model's tokenizer.
        loras: name -> adapters.
        config: of every run, apart from the seed.
        seeds: of the order of the data and of LoRA's start.
        run_dir: gets one run folder for each name and seed.

    Returns:
        name -> training loss in nats, [seeds, steps].
    """
    curves = {name: [] for name in loras}
    for seed in seeds:
        for name, lora in loras.items():
            folder = Path(run_dir) / f"{name}-{seed}"
            train_adapters(model, shards, lora, dataclasses.replace(config, seed=seed), folder)
            lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
            curves[name].append([json.loads(line)["loss"] for line in lines])
    return {name: np.array(losses) for name, losses in curves.items()}
