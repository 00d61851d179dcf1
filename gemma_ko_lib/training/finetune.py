"""Fine-tuning: a file of conversations in, a model that answers out.

A run folder holds `config.json`, `metrics.jsonl`, `checkpoints/`, `best.safetensors` while it
runs and, when done, `summary.json` and the model; with LoRA and OLoRA also `adapter/`, in the
layout of the PEFT library.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import jax

from gemma_ko_lib import profiles, runtime
from gemma_ko_lib.models import loading, sharding
from gemma_ko_lib.models.adapters import Lora
from gemma_ko_lib.models.peft_files import save_adapters
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.conversations import (
    Conversation,
    ConversationRows,
    pack_conversations,
    read_conversations,
)
from gemma_ko_lib.training.answers import METHODS, Tuned, train_on_answers
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.loop import LoopConfig
from gemma_ko_lib.training.memory import check_fits
from gemma_ko_lib.training.methods import Setting
from gemma_ko_lib.training.pretrain import dealt_out
from gemma_ko_lib.training.run_folder import claim_run


def finetune(
    model_name: str | Path,
    data: str | Path,
    run_dir: str | Path,
    *,
    method: str = "lora",
    profile: str = "auto",
    steps: int | None = None,
    rank: int | None = None,
    alpha: float | None = None,
    held_out: float | str | Path | None = None,
    patience: int | None = None,
    seed: int = 0,
    resume: bool = False,
    quiet: bool = False,
) -> dict:
    """What `gemma-ko finetune` does: conversations in, a finished run folder out.

    Args:
        model_name: as for `models.load`.
        data: JSONL, see `read_conversations`.
        run_dir: the run folder.
        method: one of `METHODS`.
        profile: sizes, see `profiles.Finetune`; what follows replaces one of them.
        steps: updates at most.
        rank: of LoRA and OLoRA.
        alpha: of LoRA and OLoRA; twice the rank where only that is given.
        held_out: share of the conversations, or a file of others, to choose the weights by.
        patience: measurements without a better one that end the run.
        seed: order of the data, and LoRA's start.
        resume: go on with a stopped run.
        quiet: no progress.

    Returns:
        What is in summary.json: counts, what was left out, and the held-out loss before and
        after.

    Raises:
        UserError: more memory is needed than there is; a run is there already, or is another
            one; no conversations, or none to hold out; a model without turn tokens; an unknown
            method.
    """
    run_dir, data = Path(run_dir), Path(data).expanduser()
    if method not in METHODS:
        raise UserError(f"No method '{method}'. There are: {', '.join(METHODS)}.")
    sizes = profiles.get(profile).finetune
    held_out = sizes.held_out if held_out is None else held_out
    lora = _lora(method, sizes, rank, alpha)
    found, rejects = read_conversations(data)
    if isinstance(held_out, float):
        kept, other = split_conversations(found, held_out)
        _check_split(kept, other, data, held_out)
    else:
        kept, (other, more) = found, read_conversations(held_out)
        rejects = rejects + more
    settings = {
        "model": str(model_name),
        "data": str(data.absolute()),
        "sha256": hashlib.sha256(data.read_bytes()).hexdigest(),
        "method": method,
        "held_out": held_out if isinstance(held_out, float) else str(Path(held_out).absolute()),
        "row_length": sizes.row_length,
        "lora": dataclasses.asdict(lora) if lora else None,
        "steps": steps,
        "patience": patience or sizes.patience,
        "seed": seed,
    }
    model = loading.load(model_name)
    mesh = sharding.make_mesh() if jax.device_count() > 1 else None
    check_fits(model, _setting(sizes, method), mesh)
    rows, held_out_rows = (
        pack_conversations(talks, model.tokenizer, sizes.row_length) for talks in (kept, other)
    )
    left_out = _left_out(rejects, (kept, rows), (other, held_out_rows))
    with claim_run(run_dir, settings, resume) as finished:
        if finished:
            print(f"{run_dir} is finished already.")
            return json.loads((run_dir / "summary.json").read_text("utf-8"))
        if not quiet:
            print(_describe(kept, other, rows, left_out))
        tuned = train_on_answers(
            model,
            rows,
            held_out_rows,
            dealt_out(loop_config(sizes, method, len(rows), seed, steps), mesh),
            run_dir,
            method=method,
            lora=lora,
            patience=settings["patience"],
            mesh=mesh,
            rematerialise=sizes.rematerialise,
            resume=resume,
            quiet=quiet,
        )
        counts = {"conversations": len(kept), "held_out": len(other)}
        summary = {**counts, **left_out, **_figures(tuned)}

        def save() -> None:
            if lora:
                save_adapters(run_dir / "adapter", tuned.adapters, lora, str(model_name))
            with runtime.whole_file(run_dir / "summary.json") as file:
                json.dump(summary, file, ensure_ascii=False, indent=1)
            tuned.model.save(run_dir)
            (run_dir / "best.safetensors").unlink()  # now in the model, and in adapter/

        on_first_host(save)
    return summary


def split_conversations(
    conversations: Sequence[Conversation], held_out: float
) -> tuple[list[Conversation], list[Conversation]]:
    """Split conversations by a hash of the first question.

    The split is the same in every run, whatever the order of the file and whatever is added to
    it, and a question with several answers is on one side only.

    Args:
        conversations: as from `read_conversations`.
        held_out: share to hold out.

    Returns:
        (to train on, held out).
    """
    sides = ([], [])
    for turns in conversations:
        question = " ".join(turns[0].text.split())
        digest = hashlib.blake2b(question.encode(), digest_size=4).digest()
        sides[int.from_bytes(digest, "big") < held_out * 2**32].append(turns)
    return sides


def loop_config(
    sizes: profiles.Finetune, method: str, rows: int, seed: int = 0, steps: int | None = None
) -> LoopConfig:
    """The loop's settings for so many packed rows.

    Args:
        sizes: of the profile.
        method: one of `METHODS`.
        rows: packed rows to train on.
        seed: order of the data.
        steps: updates, instead of the profile's epochs.
    """
    accumulation = _setting(sizes, method).accumulation
    epoch = rows / (sizes.batch_rows * accumulation)
    steps = steps or max(1, round(sizes.epochs * epoch))
    every = min(steps, max(1, round(epoch / sizes.evaluations)))
    return LoopConfig(
        steps,
        sizes.batch_rows,
        accumulation,
        sizes.learning_rates[method],
        warmup_steps=max(1, steps // 20),
        seed=seed,
        checkpoint_every=every,
        evaluate_every=every,
    )


def _setting(sizes: profiles.Finetune, method: str) -> Setting:
    accumulation = 1 if "lomo" in method else sizes.accumulation  # LOMO cannot add gradients up
    return Setting(
        "lora" if method == "olora" else method,
        sizes.batch_rows,
        sizes.row_length,
        accumulation,
        sizes.rematerialise,
    )


def _lora(method: str, sizes: profiles.Finetune, rank: int | None, alpha: float | None):
    if method not in ("lora", "olora"):
        if rank or alpha:
            raise UserError(f"Rank and alpha belong to lora and olora; {method} has none.")
        return None
    scale = sizes.alpha / sizes.rank
    rank = sizes.rank if rank is None else rank
    return Lora(rank, scale * rank if alpha is None else alpha, olora=method == "olora")


def _check_split(kept, other, data: Path, share: float) -> None:
    if not kept or not other:
        raise UserError(
            f"Holding out {share:.0%} of the {len(kept) + len(other)} conversations of {data} "
            f"leaves {len(kept)} to train on and {len(other)} to measure. Give another share, or "
            "a file of its own, with --held-out."
        )


def _left_out(rejects: list[str], *sides: tuple[list[Conversation], ConversationRows]) -> dict:
    """What did not become training or held-out text as it stood, by kind, each one named."""

    def named(kind: str) -> list[str]:
        return [talks[i][0].text[:80] for talks, rows in sides for i in getattr(rows, kind)]

    return {"rejects": rejects, "too_long": named("too_long"), "shortened": named("shortened")}


def _describe(kept, other, rows: ConversationRows, left_out: dict) -> str:
    lines = [
        f"{len(kept):,} conversations to train on, in {len(rows):,} rows; {len(other):,} held out"
    ]
    words = {
        "rejects": "lines that are no conversation",
        "too_long": "conversations too long for a row, left out",
        "shortened": "conversations without their last exchanges, which did not fit",
    }
    for kind, what in words.items():
        if found := left_out[kind]:
            lines.append(f"{len(found):,} {what} (all in summary.json): {found[0]}")
    return "\n".join(lines)


def _figures(tuned: Tuned) -> dict:
    losses = tuned.held_out_loss
    return {
        "held_out_loss": {"before": losses[0], "after": losses[tuned.best_step]},
        "best_step": tuned.best_step,
        "steps": max(losses),
    }
