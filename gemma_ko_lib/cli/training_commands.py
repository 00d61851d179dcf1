"""`gemma-ko pretrain`, `gemma-ko finetune` and `gemma-ko plan`."""

import dataclasses
import sys

from gemma_ko_lib.cli.options import (
    PARTIAL,
    SEED,
    command,
    count,
    evenly,
    positive,
    print_json,
    share,
    share_or_file,
    whole,
)


def add(commands) -> None:
    """Register the commands of this module."""
    _add_pretrain(commands)
    _add_finetune(commands)
    _add_plan(commands)


def _add_method_options(parser, default: str) -> None:
    parser.add_argument(
        "--method", default=default, help=f"full, lora, olora, lomo or adalomo ({default})"
    )
    parser.add_argument("--rank", type=whole(1), help="of LoRA's matrices (16)")
    parser.add_argument(
        "--alpha", type=positive, help="LoRA's product counts alpha / rank (2 rank)"
    )
    parser.add_argument(
        "--targets", nargs="+", metavar="LAYER", help="layers with LoRA (all seven)"
    )
    parser.add_argument("--base", metavar="int8|int4", help="keep LoRA's frozen base quantised")
    parser.add_argument(
        "--train-embedding",
        nargs="?",
        type=positive,
        const=0.1,
        metavar="FRACTION",
        help="beside LoRA train the embedding too, at this fraction of the learning rate (0.1)",
    )


def _add_size_options(parser, epochs: int) -> None:
    parser.add_argument("--tokens", type=count, metavar="N", help="tokens to train on, e.g. 20M")
    parser.add_argument("--epochs", type=positive, help=f"passes over the data, instead ({epochs})")
    parser.add_argument(
        "--update-tokens",
        type=count,
        metavar="N",
        help="tokens of one update (64k, 16k for LOMO, less for little data)",
    )
    parser.add_argument("--length", type=count, metavar="N", help="tokens of a row (2048)")
    parser.add_argument(
        "--rows", type=whole(1), metavar="N", help="rows computed at once (as many as fit)"
    )
    parser.add_argument("--learning-rate", type=positive, metavar="RATE", help="peak, by method")


def _method(arguments):
    from gemma_ko_lib.training import Method

    return Method(
        arguments.method,
        rank=arguments.rank,
        alpha=arguments.alpha,
        targets=tuple(arguments.targets) if arguments.targets else None,
        base=arguments.base,
        embedding_rate=arguments.train_embedding,
    )


def _size(arguments):
    from gemma_ko_lib.training import RunSize

    names = ("tokens", "epochs", "update_tokens", "length", "rows", "learning_rate")
    return RunSize(**{name: getattr(arguments, name) for name in names})


def _add_run_options(parser, method: str, epochs: int) -> None:
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder")
    _add_method_options(parser, default=method)
    _add_size_options(parser, epochs)
    parser.add_argument("--seed", type=SEED, default=0, help="of the order of the data (0)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with a stopped run, or to more --tokens"
    )
    parser.add_argument(
        "--log", metavar="WHERE", help="also log to tensorboard (RUN/tensorboard) or wandb"
    )
    parser.add_argument(
        "--multi-host",
        action="store_true",
        help="this is one of several processes of the run, as on each host of a TPU pod",
    )


def _join_hosts(arguments) -> None:
    if arguments.multi_host:
        from gemma_ko_lib.training import hosts

        hosts.join_hosts()


def _draw_curves(run_dir) -> None:
    from gemma_ko_lib import plotting

    picture = plotting.save_run_curves(run_dir)
    print(f"Its curves: {picture}", file=sys.stderr)


def _add_pretrain(commands) -> None:
    parser = command(commands, _pretrain)
    parser.add_argument("--data", required=True, help="folder of gemma-ko clean, or of shards")
    _add_run_options(parser, method="full", epochs=1)
    parser.add_argument("--replay", metavar="FILE", help="documents against forgetting (English)")
    parser.add_argument("--replay-fraction", type=share, help="their share of the tokens (0.2)")
    parser.add_argument(
        "--held-out",
        nargs="+",
        metavar="FILE",
        help="texts to measure on while it trains (what gemma-ko clean has held out)",
    )


def _pretrain(arguments) -> None:
    """Continue a model's pre-training on cleaned documents."""
    from gemma_ko_lib.corpus import read_documents
    from gemma_ko_lib.runtime import UserError
    from gemma_ko_lib.training import pretrain

    method, size = _method(arguments), _size(arguments)
    _join_hosts(arguments)
    fraction, replay = arguments.replay_fraction, []
    if fraction is not None and not arguments.replay:
        raise UserError("--replay-fraction is the share of --replay's documents; give these, too.")
    fraction = 0.2 if fraction is None else fraction
    if arguments.replay and fraction:
        replay = [document.text for document in read_documents([arguments.replay])]
    run = pretrain(
        arguments.model,
        arguments.data,
        arguments.output,
        method=method,
        size=size,
        replay=replay,
        replay_fraction=fraction if replay else 0.0,
        seed=arguments.seed,
        resume=arguments.resume,
        measure=_measure(arguments, size),
        log_to=arguments.log,
    )
    _draw_curves(run)
    print(f"The trained model is in {run}. Measure it: gemma-ko evaluate --model {run} --text FILE")


def _measure(arguments, size):
    """A measure of held-out text for `pretrain`, or None where there is no such text."""
    from pathlib import Path

    from gemma_ko_lib import evaluation
    from gemma_ko_lib.corpus import read_clean, read_documents

    if arguments.multi_host:
        return None  # it would need the weights of all hosts
    if arguments.held_out:
        documents = read_documents(arguments.held_out)
    elif (Path(arguments.data) / "held_out").is_dir():
        documents = read_clean(arguments.data, held_out=True)
    else:
        return None
    texts = evenly([document.text for document in documents], 64)
    window = min(512, size.row_length)

    def measure(model, weights) -> dict:
        found = evaluation.bits_per_byte(model, texts, params=weights, window=window)
        return {"held_out_bits_per_byte": found.micro}

    return measure


def _add_finetune(commands) -> None:
    parser = command(commands, _finetune)
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="JSON lines: prompt and response, or messages"
    )
    _add_run_options(parser, method="lora", epochs=3)
    parser.add_argument(
        "--held-out",
        default=0.1,
        type=share_or_file,
        metavar="SHARE|FILE",
        help="share of the conversations (0.1), or a file of others, to choose the weights by",
    )
    parser.add_argument(
        "--patience",
        type=whole(1),
        default=4,
        help="measurements without a better one that end the run (4)",
    )
    parser.add_argument(
        "--decontaminate",
        nargs="+",
        default=(),
        metavar="PATH",
        help="leave out conversations that hold a piece of these evaluation sets: files, or "
        "folders of them, of which files for training (train…) are left out",
    )


def _finetune(arguments) -> int:
    """Teach a model to answer, from a file of conversations."""
    from gemma_ko_lib.training import finetune

    method, size = _method(arguments), _size(arguments)
    _join_hosts(arguments)
    summary = finetune(
        arguments.model,
        arguments.data,
        arguments.output,
        method=method,
        size=size,
        held_out=arguments.held_out,
        patience=arguments.patience,
        decontaminate=arguments.decontaminate,
        seed=arguments.seed,
        resume=arguments.resume,
        log_to=arguments.log,
    )
    _draw_curves(arguments.output)
    loss = summary["held_out_loss"]
    print(
        f"Held-out answers: {loss['before']:.3f} nats a token before, {loss['after']:.3f} after "
        f"update {summary['best_step']} of {summary['steps']}, the best.\n"
        f"The model is in {arguments.output}."
    )
    return PARTIAL if summary["rejects"] else 0


def _add_plan(commands) -> None:
    parser = command(commands, _plan)
    parser.add_argument(
        "--model",
        required=True,
        help="gemma3_270m, gemma2_9b, a folder, …; gemma2_2b:32k with its vocabulary cut to 32k",
    )
    parser.add_argument("--device", required=True, help="here, t4, l4, a100-80, v5e-1, …")
    _add_method_options(parser, default="full")
    _add_size_options(parser, epochs=1)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="ask the TPU compiler (no TPU needed), or measure on the GPU that is here",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _plan(arguments) -> None:
    """Say whether a training fits on a device, where its bytes go, and what to type."""
    from gemma_ko_lib.training.plan import format_plan

    found = planned(arguments)
    if arguments.json:
        return print_json({**dataclasses.asdict(found), "command": found.command})
    print(format_plan(found))


def planned(arguments):
    """The `training.plan.Plan` of what was typed after `gemma-ko plan`."""
    from gemma_ko_lib.training.plan import plan

    method, size = _method(arguments), _size(arguments)
    return plan(arguments.model, arguments.device, method, size, compiled=arguments.compile)
