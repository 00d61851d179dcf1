"""`gemma-ko evaluate`."""

import dataclasses
import math

from gemma_ko_lib.cli.options import PARTIAL, command, evenly, print_json, stdout_to_stderr, whole
from gemma_ko_lib.runtime import UserError


def add(commands) -> None:
    """Register the command."""
    parser = command(commands, _evaluate)
    parser.add_argument(
        "--model", required=True, help="nano, gemma3_270m, a preset or a run folder"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", nargs="+", metavar="FILE", help="texts or folders: bits per byte")
    what.add_argument(
        "--suite",
        nargs="+",
        metavar="NAME",
        help="korean (grammar, native, culture, knowledge), grammar_en, kobest, nsmc, kmmlu, "
        "kmmlu_redux, haerae, click, kogem, kobalt, one of them alone, or a task of "
        "lm-evaluation-harness: lm_eval:kmmlu",
    )
    what.add_argument(
        "--writing",
        action="store_true",
        help="what the model writes after 50 Korean openings, or answers to questions (--data, as "
        "LogicKor's questions.jsonl): six counts, without a judge",
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder or file of the suites; of an exam also hf://datasets/OWNER/NAME/PATH",
    )
    parser.add_argument(
        "--documents", type=whole(1), help="evenly spaced documents, instead of all"
    )
    parser.add_argument("--items", type=whole(1), help="items of each suite, drawn once (all)")
    parser.add_argument(
        "--letters",
        action="store_true",
        help="culture, knowledge: show the choices and compare A, B, C, D (not the answers' texts)",
    )
    parser.add_argument(
        "--shots",
        type=whole(1),
        help="examples before every question: of the training split, where --data has it, or of "
        "the tested file",
    )
    parser.add_argument(
        "--window", type=whole(2), help="tokens of a text that the model sees at once (512)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


# What is measured, and the options that change something in it.
_TAKES = {
    "text": ("documents", "window"),
    "suite": ("data", "items", "letters", "shots"),
    "writing": ("data",),
}


def _evaluate(arguments) -> int | None:
    """Measure a model in bits per byte, or by questions."""
    what = next(name for name in _TAKES if getattr(arguments, name))
    for option in dict.fromkeys(option for options in _TAKES.values() for option in options):
        if getattr(arguments, option) and option not in _TAKES[what]:
            raise UserError(f"--{option} changes nothing with --{what}: leave it out.")
    if arguments.writing:
        return _evaluate_writing(arguments)
    return _evaluate_suites(arguments) if arguments.suite else _evaluate_texts(arguments)


def _evaluate_writing(arguments) -> None:
    from gemma_ko_lib.evaluation import writing

    model = _placed_model(arguments.model)
    if arguments.data:
        talks = writing.read_questions(arguments.data)
        openings, written = writing.ask(model, talks, progress=True)
    else:
        openings = writing.read_openings()
        written = writing.go_on(model, openings, progress=True)
    found = writing.measure_writing(openings, written)
    if arguments.json:
        texts = [
            {**dataclasses.asdict(opening), "written": text, "ended": ended}
            for opening, (text, ended) in zip(openings, written, strict=True)
        ]
        measures = {name: dataclasses.asdict(measured) for name, measured in found.items()}
        return print_json(
            {"model": arguments.model, "unit": "share", "measures": measures, "texts": texts}
        )
    for name, measured in found.items():
        if measured.share is None:
            print(f"{name:<16} nothing to count")
            continue
        span = "{:.1%}–{:.1%}; ".format(*measured.interval) if measured.interval else ""
        texts = f"{measured.texts} text{'s' * (measured.texts > 1)}"
        print(f"{name:<16}{measured.share:>7.1%} ({span}{texts})  {writing.MEASURES[name]}")


def _evaluate_texts(arguments) -> None:
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.corpus import read_documents

    documents = evenly(list(read_documents(arguments.text)), arguments.documents)
    model = _placed_model(arguments.model)
    registers = [document.metadata.get("register") or "" for document in documents]
    found = evaluation.bits_per_byte(
        model,
        [document.text for document in documents],
        registers=registers,
        window=arguments.window or 512,
        progress=True,
    )
    if arguments.json:
        return print_json({"model": arguments.model, **found.as_dict()})
    if found.interval is None:
        return print(f"{found.micro:.4f} bits per byte on one document, {found.bytes:,} bytes")
    low, high = found.interval
    print(
        f"{found.micro:.4f} bits per byte (95% {low:.4f}–{high:.4f}; mean over documents "
        f"{found.macro:.4f}) on {found.documents:,} documents, {found.bytes:,} bytes"
    )
    for register, value in found.by_register.items():
        print(f"  {register:<16}{value:.4f}")


def _evaluate_suites(arguments) -> int:
    from gemma_ko_lib import evaluation
    from gemma_ko_lib.evaluation.null_models import null_figures

    tasks = [n.removeprefix("lm_eval:") for n in arguments.suite if n.startswith("lm_eval:")]
    suites = [
        suite
        for name in arguments.suite
        if not name.startswith("lm_eval:")
        for suite in evaluation.load_suites(name, arguments.data, bool(arguments.shots))
    ]
    if arguments.letters:
        suites = [evaluation.by_letter(suite) for suite in suites]
    if arguments.shots:
        suites = [evaluation.few_shot(suite, arguments.shots) for suite in suites]
    suites = [suite.drawn(arguments.items) for suite in suites]
    if tasks:  # first, for it may be missing, or not have the task
        from gemma_ko_lib.evaluation import harness
    model = _placed_model(arguments.model)
    harness_figures = {}
    if tasks:
        with stdout_to_stderr():
            how = {"num_fewshot": arguments.shots} if arguments.shots else {}  # else the task's own
            found = harness.evaluate(
                model, tasks, data=arguments.data, limit=arguments.items, **how
            )
        harness_figures = {
            task: {
                name: x
                for name, x in figures.items()
                # The error of a single item is not a number.
                if isinstance(x, float) and not ("stderr" in name and math.isnan(x))
            }
            for task, figures in found["results"].items()
        }
    results = [evaluation.evaluate_suite(model, suite, progress=True) for suite in suites]
    bands = [null_figures(model.tokenizer, suite) for suite in suites]
    rejects = [line for suite in suites for line in suite.rejects]
    if arguments.json:
        print_json(
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


def _placed_model(name: str):
    """A model on the first device; in parts on all of them, where that one would be half full."""
    from gemma_ko_lib import models, runtime

    with stdout_to_stderr():
        model = models.load(name)
    machine = runtime.accelerator()
    size = sum(weight.nbytes for weight in model.params.values())
    spread = machine.count > 1 and machine.memory_bytes and 2 * size > machine.memory_bytes
    model.params = models.place(model.params, models.make_mesh() if spread else None)
    return model
