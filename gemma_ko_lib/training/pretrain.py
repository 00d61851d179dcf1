"""Continued pre-training: a model reads packed Korean text.

A run folder holds `config.json`, `metrics.jsonl`, `shards/` (unless the data came packed),
`checkpoints/` and, when done, the model: `model.json`, `model.safetensors`, `tokenizer.model`.
Of several processes the first writes all but the checkpoints, in a folder that all see.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import UserError, digest_of
from gemma_ko_lib.tokenization.mixed_shards import format_mixture, pack_mixture
from gemma_ko_lib.tokenization.mixture import Mixture
from gemma_ko_lib.tokenization.shards import MANIFEST, Shards, open_shards
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.run import describe, loop_config, note, prepare, train
from gemma_ko_lib.training.run_folder import claim_run
from gemma_ko_lib.training.size import RunSize
from gemma_ko_lib.training.tracking import check_tracker, tracker

_EVALUATIONS = 10  # of held-out text in a run,
_UPDATES_BETWEEN = 8  # and at least so many updates apart: a short run would mostly measure


def pretrain(
    model_name: str | Path,
    data: str | Path,
    run_dir: str | Path,
    *,
    method: Method = Method(),
    size: RunSize = RunSize(),
    replay: Sequence[str] = (),
    replay_fraction: float = 0.0,
    seed: int = 0,
    resume: bool = False,
    measure: Callable[[Model, dict], dict] | None = None,
    log_to: str | None = None,
    quiet: bool = False,
) -> Path:
    """Train a model on packed text, as `gemma-ko pretrain` does, into a finished run folder.

    Args:
        model_name: as for `models.load`.
        data: folder of `gemma-ko clean` or of token shards.
        run_dir: the run folder.
        method: how to train.
        size: how much; one epoch by default.
        replay: documents to lay among the data, against forgetting.
        replay_fraction: their share of the tokens; the data itself is read once.
        seed: order of the data, and LoRA's start.
        resume: go on with a stopped run, or with a finished one to more tokens.
        measure: (model, its present weights) -> figures for metrics.jsonl.
        log_to: "tensorboard" or "wandb", beside metrics.jsonl.
        quiet: no progress.

    Returns:
        The run folder.

    Raises:
        UserError: no such model or data; more memory is needed than there is; a run is there
            already, or is another one.

    Example:
        >>> from gemma_ko_lib.tokenization import load_tokenizer, write_shards
        >>> texts = [f"{n}번 버스는 {n}분 뒤에 온다." for n in range(200)]
        >>> manifest = write_shards(texts, load_tokenizer("nano"), "shards", length=64)
        >>> pretrain("nano", "shards", "run", size=RunSize(tokens=2_000), quiet=True)
        PosixPath('run')
    """
    run_dir, data = Path(run_dir), Path(data).expanduser()
    check_tracker(log_to)
    if bool(replay) != bool(replay_fraction):
        raise UserError(
            "replay and replay_fraction go together, documents and their share of the tokens; one "
            "of them is missing."
        )
    packed = _manifest_of(data, size, replay)
    if packed:
        size = dataclasses.replace(size, length=packed["length"])
    model, mesh = prepare("pretrain", model_name, method, size)
    files, sources = _origin_of(data, packed)
    settings = {
        "command": "pretrain",
        "model": str(model_name),
        "model_sha256": model.digest,
        "data": digest_of(files),
        "replay": hashlib.sha256("\0".join(replay).encode()).hexdigest() if replay else None,
        "replay_fraction": replay_fraction or None,
        "method": method.settings(),
        "size": {k: v for k, v in dataclasses.asdict(size).items() if k != "rows"},
        "seed": seed,
    }
    if sources:
        settings["sources"] = sources
    with claim_run(run_dir, settings, resume) as finished:
        if finished:
            note(f"{run_dir} is finished already.", quiet)
            return run_dir
        shards = _shards_for(model, data, run_dir, size, replay, replay_fraction, quiet)
        tokens = shards.manifest["tokens"]
        updates = size.updates(len(shards), tokens, divisible=not method.in_blocks)
        evaluations = min(_EVALUATIONS, max(1, updates.count // _UPDATES_BETWEEN))
        config, rematerialise = loop_config(model, method, size, updates, seed, evaluations)
        note(describe(updates, tokens, shards.manifest["bytes"], config), quiet)
        trained = train(
            model,
            shards,
            config,
            run_dir,
            method=method,
            mesh=mesh,
            rematerialise=rematerialise,
            identity={"data": settings["data"]},
            resume=resume,
            evaluate=measure and (lambda weights, step: measure(model, weights)),
            tracker=tracker(log_to, run_dir, settings),
            quiet=quiet,
        )
        on_first_host(lambda: trained.save(run_dir))
    return run_dir


def _manifest_of(data: Path, size: RunSize, replay: Sequence[str]) -> dict | None:
    """The manifest of data that is packed already, where the run can read it as it is."""
    if not (data / MANIFEST).is_file():
        return None
    if replay:
        raise UserError(
            f"The rows in {data} are packed already: lay the replay among them with gemma-ko pack "
            "--weight ko=0.8 en=0.2, or give the folder of clean documents."
        )
    manifest = open_shards(data, verify=False).manifest
    if size.length not in (None, manifest["length"]):
        raise UserError(
            f"The rows in {data} are packed with {manifest['length']} tokens each: leave --length "
            f"out, or pack again with gemma-ko pack --length {size.length}."
        )
    return manifest


def _origin_of(data: Path, packed: dict | None) -> tuple[list[Path], list[dict]]:
    """The files whose contents make the data what it is, and the corpora that it comes from.

    The latter, as far as they are known, are for the model's card.
    """
    if packed:  # the manifest holds the digest of each shard
        return [data / MANIFEST], packed.get("sources", [])
    from gemma_ko_lib.corpus import clean_files, sources_of

    return clean_files(data), sources_of([data])


def _shards_for(model, data: Path, run_dir: Path, size, replay, fraction, quiet) -> Shards:
    first = jax.process_index() == 0  # it alone reads all shards, to compare their digests
    if (data / MANIFEST).is_file():
        return open_shards(data, model.tokenizer, verify=first)
    folder = run_dir / "shards"

    def pack() -> None:
        from datatrove.data import Document

        from gemma_ko_lib.corpus import read_clean

        if not (folder / MANIFEST).is_file():
            documents, mixture = read_clean(data), None
            if fraction:
                old = (Document(text, "replay", metadata={"register": "replay"}) for text in replay)
                documents = itertools.chain(documents, old)
                weights = {"rest": 1 - fraction, "replay": fraction}
                mixture = Mixture(weights=weights, once="rest")
            manifest = pack_mixture(
                documents,
                model.tokenizer,
                folder,
                size.row_length,
                mixture,
                progress=not quiet,
            )
            if mixture:  # little replay may be read a hundred times
                note(format_mixture(manifest), quiet)

    on_first_host(pack)
    return open_shards(folder, model.tokenizer, verify=first)
