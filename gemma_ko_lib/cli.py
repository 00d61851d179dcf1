"""`gemma-ko`: the library's stages as commands. Heavy imports wait until a command needs them."""

import argparse
import dataclasses
import json
import os
import sys

from gemma_ko_lib import __version__
from gemma_ko_lib.runtime import UserError

# Exit code of a run that is done, with some of its input rejected.
PARTIAL = 3


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments; those of the process by default.

    Returns:
        Exit code: 0 done, 1 something the user can put right, 2 wrong usage, 3 done but for
        some records that could not be read, 130 interrupted.
    """
    # XLA and absl announce missing GPUs on every start; a real error still gets through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except UserError as error:
        print(f"gemma-ko: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gemma-ko: interrupted", file=sys.stderr)
        return 130


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
        _add_fit,
    ):
        add(commands)
    return parser


def _command(commands, name: str, run, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser


def _print_json(value) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


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
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at once")
    parser.add_argument("-o", "--output", default="course-output", help="folder for the results")
    parser.add_argument("--timeout", type=int, help="seconds a notebook may take")
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
    parser.add_argument("-o", "--output", required=True, help="folder for the documents")
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
        "--hold-out", type=float, default=0.0, metavar="SHARE", help="share kept for evaluation"
    )
    parser.add_argument(
        "--hold-out-by", metavar="FIELD", help="keep documents of one FIELD (movie_id) together"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the surrogates")
    parser.add_argument("--workers", type=int, default=1, help="tasks at once")
    parser.add_argument("--executor", default="local", help="local, ray or slurm")
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch: partition=NAME, time=HH:MM:SS, …",
    )


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
    print(corpus.format_report(report))
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
    parser.add_argument("--length", type=int, required=True, metavar="N", help="tokens in a row")
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
        type=float,
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
        "--tokens", type=int, metavar="N", help="how many to write (as many as there are)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of order and choice")
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


# --- pretrain ---


def _add_pretrain(commands) -> None:
    parser = _command(
        commands, "pretrain", _pretrain, "Continue a model's pre-training on cleaned documents."
    )
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument("--data", required=True, help="folder of gemma-ko clean, or of shards")
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder")
    parser.add_argument("--profile", default="auto", help="sizes: smoke, cpu, t4, … or auto")
    parser.add_argument("--steps", type=int, help="updates, instead of the profile's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--replay", metavar="FILE", help="documents against forgetting (English)")
    parser.add_argument(
        "--replay-fraction", type=float, default=0.2, help="their share of the bytes (0.2)"
    )
    parser.add_argument(
        "--multi-host",
        action="store_true",
        help="this is one of several processes of the run, as on each host of a TPU pod",
    )


def _pretrain(arguments) -> None:
    from gemma_ko_lib.corpus import read_documents
    from gemma_ko_lib.training import hosts, pretrain

    if arguments.multi_host:
        hosts.join_hosts()
    replay = [d.text for d in read_documents([arguments.replay])] if arguments.replay else []
    run = pretrain(
        arguments.model,
        arguments.data,
        arguments.output,
        profile=arguments.profile,
        steps=arguments.steps,
        seed=arguments.seed,
        replay=replay,
        replay_fraction=arguments.replay_fraction if replay else 0.0,
        resume=arguments.resume,
    )
    print(f"The trained model is in {run}. Measure it: gemma-ko evaluate --model {run} --text FILE")


# --- finetune ---


def _add_finetune(commands) -> None:
    parser = _command(
        commands, "finetune", _finetune, "Teach a model to answer, from a file of conversations."
    )
    parser.add_argument("--model", required=True, help="nano, gemma3_270m, a preset or a folder")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="JSON lines: prompt and response, or messages"
    )
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="run folder")
    parser.add_argument("--method", default="lora", help="lora, olora, full, lomo or adalomo")
    parser.add_argument("--rank", type=int, help="of LoRA's matrices, instead of the profile's")
    parser.add_argument("--alpha", type=float, help="LoRA's product counts alpha / rank")
    parser.add_argument("--profile", default="auto", help="sizes: smoke, cpu, t4, … or auto")
    parser.add_argument("--steps", type=int, help="updates at most, instead of the profile's")
    parser.add_argument(
        "--held-out",
        metavar="SHARE|FILE",
        help="share of the conversations (0.1), or a file of others, to choose the weights by",
    )
    parser.add_argument(
        "--patience", type=int, help="measurements without a better one that end the run"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")


def _finetune(arguments) -> int:
    from gemma_ko_lib.training import finetune

    summary = finetune(
        arguments.model,
        arguments.data,
        arguments.output,
        method=arguments.method,
        profile=arguments.profile,
        steps=arguments.steps,
        rank=arguments.rank,
        alpha=arguments.alpha,
        held_out=_share_or_file(arguments.held_out),
        patience=arguments.patience,
        seed=arguments.seed,
        resume=arguments.resume,
    )
    loss = summary["held_out_loss"]
    print(
        f"Held-out answers: {loss['before']:.3f} nats a token before, {loss['after']:.3f} after "
        f"update {summary['best_step']} of {summary['steps']}, the best.\n"
        f"The model is in {arguments.output}."
    )
    return PARTIAL if summary["rejects"] else 0


def _share_or_file(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


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
    parser.add_argument("--documents", type=int, help="evenly spaced documents, instead of all")
    parser.add_argument("--items", type=int, help="so many items a suite, drawn once, not all")
    parser.add_argument("--window", type=int, default=512, help="tokens the model sees at once")
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
            task: {name: x for name, x in figures.items() if isinstance(x, float)}
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
    """So many of them, the same ones in every run; pairs that have a twin come with it."""
    import numpy as np

    if not count or count >= len(items):
        return items
    size = 2 if items[0].cluster else 1
    chosen = np.random.default_rng(0).permutation(len(items) // size)[: max(1, count // size)]
    return tuple(items[size * i + n] for i in sorted(chosen) for n in range(size))


def _evenly(found, count: int | None):
    """So many of them, spread over all."""
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


# --- fit ---


def _add_fit(commands) -> None:
    parser = _command(
        commands, "fit", _fit, "Say whether a training fits on a device, and where its bytes go."
    )
    parser.add_argument("--model", required=True, help="gemma3_270m, gemma2_2b, gemma2_9b, …")
    parser.add_argument("--device", required=True, help="t4, l4, a100-80, v5e-1, v5e-8, …")
    parser.add_argument("--method", default="full", help="full (AdamW), lora, adalomo or lomo")
    parser.add_argument(
        "--batch", type=int, metavar="B", help="rows over all devices (the most that fit)"
    )
    parser.add_argument("--length", type=int, metavar="T", help="tokens a row (2048)")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="ask the TPU compiler (no TPU needed), or measure on the GPU that is here",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _fit(arguments) -> None:
    from gemma_ko_lib.training import fit

    answer = fit.fit(
        arguments.model,
        arguments.device,
        arguments.method,
        rows=arguments.batch,
        length=arguments.length,
        compiled=arguments.compile,
    )
    if arguments.json:
        return _print_json(dataclasses.asdict(answer))
    print(fit.format_answer(answer))


def _stdout_to_stderr():
    """Notices and download bars must not get into JSON on stdout."""
    import contextlib

    return contextlib.redirect_stdout(sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
