"""Fine-tuning: a model learns to answer, from a file of conversations.

A run folder holds `config.json`, `metrics.jsonl`, `checkpoints/`, `best.safetensors` (what was
trained, at its best), `contaminated.jsonl` (conversations left out as leaks, where these were
looked for) and, when done, `summary.json` and the model; with LoRA and OLoRA also `adapter/`, in
the layout of the PEFT library, unless the embedding was trained beside it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from gemma_ko_lib import runtime
from gemma_ko_lib.corpus.clean_settings import evaluation_files
from gemma_ko_lib.models.peft_files import save_adapters
from gemma_ko_lib.runtime import UserError, digest_of
from gemma_ko_lib.tokenization.conversations import (
    Conversation,
    ConversationRows,
    pack_conversations,
    read_conversations,
)
from gemma_ko_lib.training.answers import train_on_answers
from gemma_ko_lib.training.hosts import on_first_host
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.run import describe, loop_config, note, prepare
from gemma_ko_lib.training.run_folder import claim_run
from gemma_ko_lib.training.size import RunSize
from gemma_ko_lib.training.tracking import check_tracker, tracker

EPOCHS, HELD_OUT, PATIENCE = 3, 0.1, 4
_EVALUATIONS = 4  # of held-out conversations in an epoch


def finetune(
    model_name: str | Path,
    data: str | Path,
    run_dir: str | Path,
    *,
    method: Method = Method("lora"),
    size: RunSize = RunSize(),
    held_out: float | str | Path = HELD_OUT,
    patience: int = PATIENCE,
    decontaminate: Sequence[str | Path] = (),
    seed: int = 0,
    resume: bool = False,
    log_to: str | None = None,
    quiet: bool = False,
) -> dict:
    r"""Teach a model to answer, as `gemma-ko finetune` does, into a finished run folder.

    Args:
        model_name: as for `models.load`.
        data: JSONL, see `read_conversations`.
        run_dir: the run folder.
        method: how to train.
        size: how much; three epochs by default.
        held_out: share of the conversations, or a file of others, to choose the weights by.
        patience: measurements without a better one that end the run.
        decontaminate: evaluation sets, files or folders as for `corpus.clean`; conversations that
            share an n-gram with one (see `corpus.decontamination`) are left out, and listed in
            contaminated.jsonl.
        seed: order of the data, and LoRA's start.
        resume: go on with a stopped run.
        log_to: "tensorboard" or "wandb", beside metrics.jsonl.
        quiet: no progress.

    Returns:
        What is in summary.json: counts, what was left out, and the held-out loss before and
        after.

    Raises:
        UserError: more memory is needed than there is; a run is there already, or is another
            one; no conversations, none to hold out, or none without a leak; a model without turn
            tokens.

    Example:
        >>> lines = ({"prompt": f"{n} 더하기 1은?", "response": f"{n + 1}"} for n in range(40))
        >>> _ = Path("sums.jsonl").write_text("\n".join(map(json.dumps, lines)))
        >>> size = RunSize(tokens=2_000, update_tokens=512, length=64)
        >>> loss = finetune("nano", "sums.jsonl", "chat", size=size, quiet=True)["held_out_loss"]
        >>> loss["after"] < loss["before"]
        True
    """
    run_dir, data = Path(run_dir), Path(data).expanduser()
    held_out = held_out if isinstance(held_out, float) else Path(held_out).expanduser()
    check_tracker(log_to)
    # Leaks in what is held out would choose the weights by the test.
    sources = [data] if isinstance(held_out, float) else [data, held_out]
    read = [read_conversations(source) for source in sources]
    rejects = [reject for _, its in read for reject in its]
    exams = evaluation_files(decontaminate)
    found, leaks = _without_leaks([talks for talks, _ in read], sources, exams)
    if isinstance(held_out, float):
        kept, other = split_conversations(found[0], held_out)
        _check_split(kept, other, data, held_out)
    else:
        kept, other = found
        _warn_of_shared_questions(kept, other, quiet)
    model, mesh = prepare("finetune", model_name, method, size)
    rows, held_out_rows = (
        pack_conversations(talks, model.tokenizer, size.row_length) for talks in (kept, other)
    )
    settings = {
        "command": "finetune",
        "model": str(model_name),
        "model_sha256": model.digest,
        "data": digest_of([data]),
        "held_out": held_out if isinstance(held_out, float) else digest_of([held_out]),
        "method": method.settings(),
        "size": {k: v for k, v in dataclasses.asdict(size).items() if k != "rows"},
        "patience": patience,
        "seed": seed,
    }
    if exams:
        settings["decontaminate"] = digest_of(exams)
    with claim_run(run_dir, settings, resume) as finished:
        if finished:
            note(f"{run_dir} is finished already.", quiet)
            return _stored_summary(run_dir / "summary.json")
        left_out = _left_out(rejects, (kept, rows), (other, held_out_rows))
        if exams:
            left_out["contaminated"] = len(leaks)
            on_first_host(lambda: _list_leaks(run_dir / "contaminated.jsonl", leaks))
        note(_describe(kept, other, rows, left_out), quiet)
        tokens = int((rows.segment_ids > 0).sum())
        updates = size.updates(len(rows), tokens, not method.in_blocks, EPOCHS)
        evaluations = max(1, round(_EVALUATIONS * updates.tokens / tokens))
        config, rematerialise = loop_config(model, method, size, updates, seed, evaluations)
        text = sum(len(turn.text.encode("utf-8")) for talk in kept for turn in talk)
        note(describe(updates, tokens, text, config), quiet)
        tuned = train_on_answers(
            model,
            rows,
            held_out_rows,
            config,
            run_dir,
            method=method,
            patience=patience,
            mesh=mesh,
            rematerialise=rematerialise,
            identity={"data": settings["data"]},
            resume=resume,
            tracker=tracker(log_to, run_dir, settings),
            quiet=quiet,
        )
        losses = tuned.held_out_loss
        summary = {
            "conversations": len(kept),
            "held_out": len(other),
            **left_out,
            "held_out_loss": {"before": losses[0], "after": losses[tuned.best_step]},
            "best_step": tuned.best_step,
            "steps": max(losses),
        }

        def save() -> None:
            # An adapter without the embedding that was trained beside it is another model.
            if method.lora and not method.embedding_rate:
                save_adapters(run_dir / "adapter", tuned.adapters, method.lora, str(model_name))
            runtime.write_json(run_dir / "summary.json", summary)
            tuned.model.save(run_dir)

        on_first_host(save)
    return summary


def _stored_summary(path: Path) -> dict:
    try:
        return runtime.read_json_object(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"The run is finished, but its {path} cannot be read ({error}). The model is there; to "
            "have the summary again, fine-tune in another folder."
        ) from None


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
        digest = hashlib.blake2b(_question(turns).encode(), digest_size=4).digest()
        sides[int.from_bytes(digest, "big") < held_out * 2**32].append(turns)
    return sides


def _question(turns: Conversation) -> str:
    return " ".join(turns[0].text.split())


def _warn_of_shared_questions(kept, other, quiet: bool) -> None:
    asked = {_question(turns) for turns in kept}
    if shared := sum(_question(turns) in asked for turns in other):
        note(
            f"Warning: {shared:,} of the {len(other):,} held-out conversations begin with a "
            "question that is trained on too. Their loss falls by what is learnt by heart, and "
            "chooses weights by it; hold out others.",
            quiet,
        )


def _without_leaks(
    groups: list[list[Conversation]], sources: list[Path], exams: list[Path]
) -> tuple[list[list[Conversation]], list[dict]]:
    """Of each source the conversations without a piece of an evaluation set; a line on each other.

    Args:
        groups: the conversations of each source.
        sources: their files.
        exams: the evaluation sets.
    """
    if not exams:
        return groups, []
    from gemma_ko_lib.corpus.decontamination import find_leaks

    texts = ("\n".join(turn.text for turn in talk) for talks in groups for talk in talks)
    found, first = find_leaks(texts, exams), 0
    clean, lines = [], []
    for talks, source in zip(groups, sources, strict=True):
        leaks = {place: found.get(first + place) for place in range(len(talks))}
        clean.append([talk for place, talk in enumerate(talks) if not leaks[place]])
        lines += [
            {"file": source.name, "question": talks[place][0].text[:80], **leak}
            for place, leak in leaks.items()
            if leak
        ]
        if not clean[-1]:
            raise UserError(
                f"All {len(talks):,} conversations of {source} hold a piece of an evaluation set "
                f"(the first: {leaks[0]['words']!r}, of {leaks[0]['item']}). Give other "
                "conversations, or another file with --decontaminate."
            )
        first += len(talks)
    return clean, lines


def _list_leaks(path: Path, leaks: list[dict]) -> None:
    with runtime.whole_file(path) as file:
        file.writelines(json.dumps(leak, ensure_ascii=False) + "\n" for leak in leaks)


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
    if found := left_out.get("contaminated"):
        lines.append(
            f"{found:,} conversations with a piece of an evaluation set, left out "
            "(contaminated.jsonl)"
        )
    return "\n".join(lines)
