"""`gemma-ko`: the library's stages as commands. Heavy imports wait until a command needs them."""

import argparse
import dataclasses
import json
import math
import os
import sys

from gemma_ko_lib import __version__
from gemma_ko_lib.runtime import UserError, printable

# Exit code of a run that is done, with some of its input rejected.
PARTIAL = 3


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments; those of the process by default.

    Returns:
        Exit code: 0 done, 1 something the user can put right, 2 wrong usage, 3 done but for
        some records that could not be read; 130 (SIGINT) or 143 (SIGTERM) interrupted, a
        training run with a checkpoint.
    """
    # XLA and absl announce missing GPUs on every start; a real error still gets through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except UserError as error:
        print(f"gemma-ko: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"gemma-ko: {stop or 'interrupted'}", file=sys.stderr)
        return getattr(stop, "exit_code", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gemma-ko", description="Put Korean on Gemma.")
    parser.add_argument("--version", action="version", version=f"gemma-ko {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_doctor,
        _add_course,
        _add_clean,
        _add_tokens,
        _add_pack,
        _add_pretrain,
        _add_finetune,
        _add_evaluate,
        _add_plan,
    ):
        add(commands)
    return parser


def _command(commands, name: str, run, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser


def _print_json(value) -> None:
    try:
        print(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))
    except ValueError as error:
        raise UserError(
            f"A figure is not finite, so it cannot be given as JSON ({error})."
        ) from None


# --- numbers on the command line; one out of range is refused here ---


def _whole(low: int, high: int | None = None):
    """A type of whole numbers from `low` on, up to `high`."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            until = "" if high is None else f" to {high}"
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low}{until}")
        return value

    return whole


_SEED = _whole(0, 2**32 - 1)


def _positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def _share(text: str) -> float:
    """A share from 0 up to, not including, 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 up to, not including, 1")
    return value


def _share_or_file(text: str) -> float | str:
    """A share between 0 and 1, or the path of a file."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a share between 0 and 1 nor a file")
    return value


def _count(text: str) -> int:
    """A number of tokens from 1: 20000, 64k (65,536), 20M, 1B."""
    units = {"k": 1024, "m": 10**6, "b": 10**9}
    number, unit = (
        (text[:-1], units[text[-1:].lower()]) if text[-1:].lower() in units else (text, 1)
    )
    try:
        value = round(float(number.replace("_", "").replace(",", "")) * unit)
    except (ValueError, OverflowError):
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a number of tokens from 1; write 20000, 64k or 20M"
        )
    return value


# --- doctor ---


def _add_doctor(commands) -> None:
    parser = _command(
        commands, "doctor", _doctor, "Show environment, accelerator, dtype and credentials found."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _doctor(arguments) -> None:
    from gemma_ko_lib import runtime

    found = runtime.describe()
    if arguments.json:
        return _print_json(found)
    device = found["accelerator"]
    memory = f", {device['memory_bytes'] / 2**30:.1f} GiB" if device["memory_bytes"] else ""
    print(f"platform     {found['platform']}, Python {found['python']}")
    print(f"accelerator  {device['count']} × {device['name']} ({device['kind']}{memory})")
    print(f"dtype        {found['dtype']}: {found['dtype_reason']}")
    print(f"disk         {found['disk_free_bytes'] / 2**30:.0f} GiB free here")
    print(f"cache        {found['cache_dir']}")
    for service, names in found["credentials"].items():
        places = ", ".join(f"{name} ({source})" for name, source in names.items())
        print(f"credentials  {service}: {places or 'none found'}")
    for package, version in found["packages"].items():
        print(f"package      {package} {version or 'NOT INSTALLED'}")


# --- course ---


def _add_course(commands) -> None:
    parser = _command(commands, "course", _course, "Run the notebooks and write a report.")
    parser.add_argument("--profile", default="smoke", help="sizes: smoke, cpu, t4, … or auto")
    parser.add_argument("--only", nargs="+", metavar="NN", help="these notebooks, e.g. 05 06")
    parser.add_argument("--jobs", type=_whole(1), default=1, help="notebooks at once")
    parser.add_argument("-o", "--output", default="course-output", help="folder for the results")
    parser.add_argument("--timeout", type=_whole(1), help="seconds a notebook may take")
    parser.add_argument(
        "--store", action="store_true", help="write the outputs back into the notebooks"
    )
    parser.add_argument(
        "--learner-copies", metavar="DIR", help="write notebooks without solutions, run nothing"
    )


def _course(arguments) -> int:
    from gemma_ko_lib import course

    if arguments.learner_copies:
        for path in course.write_learner_copies(arguments.learner_copies):
            print(path)
        return 0
    result = course.run_course(
        profile=arguments.profile,
        only=arguments.only,
        jobs=arguments.jobs,
        output_dir=arguments.output,
        timeout_s=arguments.timeout,
    )
    if result.ok and arguments.store:
        course.store_outputs(arguments.output, course.notebooks_dir())
    return result.exit_code


# --- clean ---


def _add_clean(commands) -> None:
    parser = _command(
        commands, "clean", _clean, "Turn raw files into clean documents for training."
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="files, zips, or folders")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the documents"
    )
    parser.add_argument(
        "--formats",
        action=_Formats,
        nargs=0,
        help="list the formats and layouts that are read, and stop",
    )
    parser.add_argument(
        "--documents-by",
        default="auto",
        metavar="HOW",
        help="documents of a text file: line, blank (parted by blank lines), file (the file is "
        "one), wikiextractor (<doc …>), title (' = title = '); by its content (auto)",
    )
    parser.add_argument(
        "--text-field", metavar="NAME", help="field of the text in tables and JSON, if unknown"
    )
    parser.add_argument("--title-field", metavar="NAME", help="field of a title to put above it")
    parser.add_argument("--id-field", metavar="NAME", help="field that documents are called by")
    parser.add_argument(
        "--languages",
        default="ko",
        metavar="LIST",
        help="keep documents in these languages, e.g. ko,en,zh,ja (ko)",
    )
    parser.add_argument(
        "--quality",
        action="store_true",
        help="also apply FineWeb-2's measures, with a morphological analyser (slow)",
    )
    parser.add_argument(
        "--pii",
        default="placeholder",
        metavar="HOW",
        help="personal data: placeholder (the default), surrogate or keep",
    )
    parser.add_argument(
        "--urls",
        default="personal",
        metavar="WHICH",
        help="links to mask: personal (to a person's page, the default), all, or keep for none",
    )
    parser.add_argument(
        "--names",
        action="store_true",
        help="mask Korean names and dates of birth too (slow; some are missed, see lesson 05)",
    )
    parser.add_argument(
        "--duplicates",
        default="near",
        metavar="WHICH",
        help="take out near (and exact, the default) or exact duplicates, or keep all",
    )
    parser.add_argument(
        "--decontaminate",
        nargs="+",
        default=[],
        metavar="FILE",
        help="evaluation sets (JSON lines or .tsv) that no document may hold a piece of",
    )
    parser.add_argument(
        "--hold-out", type=_share, default=0.0, metavar="SHARE", help="share kept for evaluation"
    )
    parser.add_argument(
        "--hold-out-by", metavar="FIELD", help="keep documents of one FIELD (movie_id) together"
    )
    parser.add_argument("--seed", type=_SEED, default=0, help="of the surrogates")
    parser.add_argument(
        "--compression", default="gzip", metavar="HOW", help="of the documents: gzip or zstd"
    )
    parser.add_argument(
        "--show",
        type=_whole(1),
        metavar="N",
        help="print N examples of what each rule did",
    )
    parser.add_argument(
        "--keep-dropped",
        action="store_true",
        help="write to dropped/ what is dropped, and why",
    )
    parser.add_argument("--workers", type=_whole(1), default=1, help="tasks at once")
    parser.add_argument("--executor", default="local", help="local, ray or slurm")
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch: partition=NAME, time=HH:MM:SS, …",
    )


class _Formats(argparse.Action):
    def __call__(self, parser, *arguments) -> None:
        from gemma_ko_lib.corpus.sources.formats import describe

        print(describe())
        parser.exit()


def _clean(arguments) -> int:
    from gemma_ko_lib import corpus

    settings = corpus.CleanSettings(
        languages=tuple(arguments.languages.split(",")),
        quality=arguments.quality,
        pii=arguments.pii,
        duplicates=arguments.duplicates,
        decontaminate=tuple(os.path.abspath(path) for path in arguments.decontaminate),
        hold_out=arguments.hold_out,
        hold_out_by=arguments.hold_out_by,
        seed=arguments.seed,
        documents_by=arguments.documents_by,
        text_field=arguments.text_field,
        title_field=arguments.title_field,
        id_field=arguments.id_field,
        compression=arguments.compression,
        urls=arguments.urls,
        names=arguments.names,
        keep_dropped=arguments.keep_dropped,
        **({} if arguments.show is None else {"show": arguments.show}),
    )
    report = corpus.clean(
        arguments.inputs,
        arguments.output,
        settings,
        workers=arguments.workers,
        executor=arguments.executor,
        slurm=_key_values("--slurm", arguments.slurm),
    )
    if arguments.executor == "slurm":
        print(f"Handed in as jobs {', '.join(report['jobs'])}.")
        print(f"When the last of them is done, {arguments.output}/report.json is there.")
        return 0
    print(printable(corpus.format_report(report, arguments.show or 0)))
    return PARTIAL if report["rejects"]["count"] else 0


def _key_values(option: str, given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise UserError(f"{option} takes KEY=VALUE, not '{text}'.")
    return dict(text.split("=", 1) for text in given)


# --- tokens ---


def _add_tokens(commands) -> None:
    parser = _command(commands, "tokens", _tokens, "Show what tokenizers make of Korean files.")
    parser.add_argument("files", nargs="+", metavar="FILE", help=".jsonl, .jsonl.gz or .txt")
    parser.add_argument(
        "--tokenizer",
        action="append",
        metavar="SPEC",
        help="nano, gemma1, gemma2, gemma3, or a tokenizer.model, tokenizer.json or .gguf file "
        "(may be repeated; nano by default)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _tokens(arguments) -> None:
    from gemma_ko_lib.corpus import read_documents
    from gemma_ko_lib.corpus.samples import read_parallel
    from gemma_ko_lib.tokenization import gap_report, load_tokenizer

    texts = [document.text for document in read_documents(arguments.files)]
    tokenizers = [load_tokenizer(spec) for spec in arguments.tokenizer or ["nano"]]
    pairs = [(item["ko"], item["en"]) for item in read_parallel()]
    rows = gap_report(texts, tokenizers, parallel=pairs)
    if arguments.json:
        return _print_json(
            {"documents": len(texts), "tokenizers": list(map(dataclasses.asdict, rows))}
        )
    print(
        f"{len(texts):,} documents\n"
        f"{'tokenizer':<24}{'pieces':>9}{'tokens':>12}{'/eojeol':>9}{'/char':>8}{'bytes/token':>13}"
        f"{'fragments':>11}{'Hangul pieces':>15}{'syllables':>11}{'ko/en':>8}"
    )
    for row in rows:
        print(
            f"{row.tokenizer[-23:]:<24}{row.vocabulary_size:>9,}{row.tokens:>12,}"
            f"{row.tokens_per_eojeol:>9.2f}{row.tokens_per_character:>8.3f}{row.bytes_per_token:>13.2f}"
            f"{row.byte_fragment_fraction:>11.1%}{row.hangul_pieces:>15,}{row.single_syllables:>11,}"
            f"{row.price_against_english:>8.2f}"
        )
    print("ko/en: tokens for Korean over tokens for the same content in English (200 samples)")


# --- pack ---


def _add_pack(commands) -> None:
    parser = _command(
        commands, "pack", _pack, "Mix documents and pack them into token shards for training."
    )
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="folders of gemma-ko clean, or files"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the shards"
    )
    parser.add_argument(
        "--tokenizer", required=True, metavar="SPEC", help="the model's, as for gemma-ko tokens"
    )
    parser.add_argument(
        "--length", type=_whole(2), required=True, metavar="N", help="tokens in a row"
    )
    parser.add_argument(
        "--weight",
        nargs="+",
        default=[],
        metavar="KEY=W",
        help="share of the tokens by language, register or both: ko=0.7 en=0.3, or ko/news=2 "
        "rest=1; what no KEY names is left out",
    )
    parser.add_argument(
        "--temperature",
        type=_positive,
        default=1.0,
        metavar="T",
        help="without weights: shares in proportion to size^(1/T); 1 as they are (the default), "
        "5 much more even",
    )
    parser.add_argument(
        "--by",
        default="language/register",
        metavar="FIELD",
        help="groups of the temperature: language, register or language/register (the default)",
    )
    parser.add_argument(
        "--tokens", type=_count, metavar="N", help="how many to write (as many as there are)"
    )
    parser.add_argument("--seed", type=_SEED, default=0, help="of order and choice")
    parser.add_argument("--json", action="store_true", help="the manifest on stdout")


def _pack(arguments) -> None:
    from gemma_ko_lib import tokenization

    mixture = tokenization.Mixture(
        weights=tokenization.parse_weights(arguments.weight),
        temperature=arguments.temperature,
        by=arguments.by,
        tokens=arguments.tokens,
    )
    manifest = tokenization.pack_mixture(
        tokenization.read_sources(arguments.sources),
        tokenization.load_tokenizer(arguments.tokenizer),
        arguments.output,
        arguments.length,
        mixture,
        arguments.seed,
        progress=True,
    )
    if arguments.json:
        return _print_json(manifest)
    print(tokenization.format_mixture(manifest))
    print(f"Train on them: gemma-ko pretrain --model MODEL --data {arguments.output} -o RUN")


# --- pretrain, finetune, plan ---


def _add_method_options(parser, default: str) -> None:
    parser.add_argument(
        "--method", default=default, help=f"full, lora, olora, lomo or adalomo ({default})"
    )
    parser.add_argument("--rank", type=_whole(1), help="of LoRA's matrices (16)")
    parser.add_argument(
        "--alpha", type=_positive, help="LoRA's product counts alpha / rank (2 rank)"
    )
    parser.add_argument(
        "--targets", nargs="+", metavar="LAYER", help="layers with LoRA (all seven)"
    )
    parser.add_argument("--base", metavar="int8|int4", help="keep LoRA's frozen base quantised")
    parser.add_argument(
        "--train-embedding",
        nargs="?",
        type=_positive,
        const=0.1,
        metavar="FRACTION",
        help="beside LoRA train the embedding too, at this fraction of the learning rate (0.1)",
    )


def _add_size_options(parser, epochs: int) -> None:
    parser.add_argument("--tokens", type=_count, metavar="N", help="tokens to train on, e.g. 20M")
    parser.add_argument(
        "--epochs", type=_positive, help=f"passes over the data, instead ({epochs})"
    )
    parser.add_argument(
        "--update-tokens",
        type=_count,
        metavar="N",
        help="tokens of one update (64k, 16k for LOMO, less for little data)",
    )
    parser.add_argument("--length", type=_count, metavar="N", help="tokens of a row (2048)")
    parser.add_argument(
        "--rows", type=_whole(1), metavar="N", help="rows computed at once (as many as fit)"
    )
    parser.add_argument("--learning-rate", type=_positive, metavar="RATE", help="peak, by method")


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


def _add_run_options(parser) -> None:
    parser.add_argument("--seed", type=_SEED, default=0, help="of the order of the data (0)")
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
    parser = _command(
        commands, "pretrain", _pretrain, "Continue a model's pre-training on cleaned documents."
    )
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument("--data", required=True, help="folder of gemma-ko clean, or of shards")
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder")
    _add_method_options(parser, default="full")
    _add_size_options(parser, epochs=1)
    parser.add_argument("--replay", metavar="FILE", help="documents against forgetting (English)")
    parser.add_argument(
        "--replay-fraction", type=_share, default=0.2, help="their share of the tokens (0.2)"
    )
    parser.add_argument(
        "--held-out",
        nargs="+",
        metavar="FILE",
        help="texts to measure on while it trains (what gemma-ko clean has held out)",
    )
    _add_run_options(parser)


def _pretrain(arguments) -> None:
    from gemma_ko_lib.corpus import read_documents
    from gemma_ko_lib.training import pretrain

    method, size = _method(arguments), _size(arguments)
    _join_hosts(arguments)
    replay = [d.text for d in read_documents([arguments.replay])] if arguments.replay else []
    run = pretrain(
        arguments.model,
        arguments.data,
        arguments.output,
        method=method,
        size=size,
        replay=replay,
        replay_fraction=arguments.replay_fraction if replay else 0.0,
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
    texts = _evenly([document.text for document in documents], 64)
    window = min(512, size.row_length)

    def measure(model, weights) -> dict:
        found = evaluation.bits_per_byte(model, texts, params=weights, window=window)
        return {"held_out_bits_per_byte": found.micro}

    return measure


def _add_finetune(commands) -> None:
    parser = _command(
        commands, "finetune", _finetune, "Teach a model to answer, from a file of conversations."
    )
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="JSON lines: prompt and response, or messages"
    )
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder")
    _add_method_options(parser, default="lora")
    _add_size_options(parser, epochs=3)
    parser.add_argument(
        "--held-out",
        default=0.1,
        type=_share_or_file,
        metavar="SHARE|FILE",
        help="share of the conversations (0.1), or a file of others, to choose the weights by",
    )
    parser.add_argument(
        "--patience",
        type=_whole(1),
        default=4,
        help="measurements without a better one that end the run (4)",
    )
    _add_run_options(parser)


def _finetune(arguments) -> int:
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
    parser = _command(
        commands,
        "plan",
        _plan,
        "Say whether a training fits on a device, where its bytes go, and what to type.",
    )
    parser.add_argument("--model", required=True, help="gemma3_270m, gemma2_9b, a folder, …")
    parser.add_argument("--device", required=True, help="t4, l4, a100-80, v5e-1, v5e-8, …")
    _add_method_options(parser, default="full")
    _add_size_options(parser, epochs=1)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="ask the TPU compiler (no TPU needed), or measure on the GPU that is here",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _plan(arguments) -> None:
    from gemma_ko_lib.training import plan

    found = plan.plan(
        arguments.model,
        arguments.device,
        _method(arguments),
        _size(arguments),
        compiled=arguments.compile,
    )
    if arguments.json:
        return _print_json({**dataclasses.asdict(found), "command": found.command})
    print(plan.format_plan(found))


# --- evaluate ---


def _add_evaluate(commands) -> None:
    parser = _command(
        commands, "evaluate", _evaluate, "Measure a model in bits per byte, or by questions."
    )
    parser.add_argument(
        "--model", required=True, help="nano, gemma3_270m, a preset or a run folder"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", nargs="+", metavar="FILE", help="texts or folders: bits per byte")
    what.add_argument(
        "--suite",
        nargs="+",
        metavar="NAME",
        help="korean (grammar, native, culture, knowledge), grammar_en, kobest, nsmc, one of them "
        "alone, or a task of lm-evaluation-harness: lm_eval:kmmlu",
    )
    parser.add_argument("--data", metavar="PATH", help="folder or file of the suites, where local")
    parser.add_argument(
        "--documents", type=_whole(1), help="evenly spaced documents, instead of all"
    )
    parser.add_argument("--items", type=_whole(1), help="items of each suite, drawn once (all)")
    parser.add_argument(
        "--window", type=_whole(2), default=512, help="tokens the model sees at once"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _evaluate(arguments) -> int | None:
    return _evaluate_suites(arguments) if arguments.suite else _evaluate_texts(arguments)


def _evaluate_texts(arguments) -> None:
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.corpus import read_documents

    documents = _evenly(list(read_documents(arguments.text)), arguments.documents)
    model = _placed_model(arguments.model)
    registers = [document.metadata.get("register") or "" for document in documents]
    found = evaluation.bits_per_byte(
        model,
        [document.text for document in documents],
        registers=registers,
        window=arguments.window,
        progress=True,
    )
    if arguments.json:
        return _print_json({"model": arguments.model, **found.as_dict()})
    low, high = found.interval
    print(
        f"{found.micro:.4f} bits per byte (95% {low:.4f}–{high:.4f}; mean over documents "
        f"{found.macro:.4f}) on {found.documents:,} documents, {found.bytes:,} bytes"
    )
    for register, value in found.by_register.items():
        print(f"  {register:<16}{value:.4f}")


def _evaluate_suites(arguments) -> int:
    from gemma_ko_lib import evaluation

    tasks = [n.removeprefix("lm_eval:") for n in arguments.suite if n.startswith("lm_eval:")]
    suites = [
        suite
        for name in arguments.suite
        if not name.startswith("lm_eval:")
        for suite in evaluation.load_suites(name, arguments.data)
    ]
    suites = [
        dataclasses.replace(suite, items=_drawn(suite.items, arguments.items)) for suite in suites
    ]
    model = _placed_model(arguments.model)
    results = [evaluation.evaluate_suite(model, suite, progress=True) for suite in suites]
    bands = [_null_band(model.tokenizer, suite) for suite in suites]
    rejects = [line for suite in suites for line in suite.rejects]
    harness_figures = {}
    if tasks:
        from gemma_ko_lib.evaluation import harness

        with _stdout_to_stderr():
            found = harness.evaluate(model, tasks, data=arguments.data, limit=arguments.items)
        harness_figures = {
            task: {
                name: x
                for name, x in figures.items()
                # The error of a single item is not a number.
                if isinstance(x, float) and not ("stderr" in name and math.isnan(x))
            }
            for task, figures in found["results"].items()
        }
    if arguments.json:
        _print_json(
            {
                "model": arguments.model,
                "suites": [
                    result.as_dict() | {"null_models": band}
                    for result, band in zip(results, bands, strict=True)
                ],
                "lm_eval": harness_figures,
                "rejects": rejects,
            }
        )
    else:
        if results:
            print(evaluation.format_results(results, [b["by_group"] for b in bands]))
        for task, figures in harness_figures.items():
            print(task, *(f"{name.split(',')[0]} {x:.4f}" for name, x in figures.items()))
        for line in rejects:
            print(f"not read: {line}")
    return PARTIAL if rejects else 0


def _null_band(tokenizer, suite) -> dict:
    """What models without the skill get: each of them, and their band by group."""
    from gemma_ko_lib.evaluation.null_models import band, null_models

    found = null_models(tokenizer, suite)
    return {
        "accuracy": {name: result.micro for name, result in found.items()},
        "by_group": band(list(found.values())),
    }


def _drawn(items: tuple, count: int | None) -> tuple:
    """Draw `count` items, the same in every run; pairs that have a twin come with it."""
    import numpy as np

    if not count or count >= len(items):
        return items
    size = 2 if items[0].cluster else 1
    chosen = np.random.default_rng(0).permutation(len(items) // size)[: max(1, count // size)]
    return tuple(items[size * i + n] for i in sorted(chosen) for n in range(size))


def _evenly(found, count: int | None):
    """Take `count` of them, evenly spread."""
    import numpy as np

    if not count or count >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, count).astype(int)]


def _placed_model(name: str):
    from gemma_ko_lib import models

    with _stdout_to_stderr():
        model = models.load(name)
    model.params = models.place(model.params)
    return model


def _stdout_to_stderr():
    """Keep notices and download bars out of the JSON on stdout."""
    import contextlib

    return contextlib.redirect_stdout(sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
