"""`gemma-ko clean`."""

import argparse
import dataclasses
import os

from gemma_ko_lib.cli.options import PARTIAL, SEED, command, share, whole, with_unit
from gemma_ko_lib.runtime import UserError


def add(commands) -> None:
    """Register the commands of this module."""
    parser = command(commands, _clean)
    parser.argument_default = argparse.SUPPRESS  # the library says what is taken if not given
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="files, zips, folders; open:nsmc, open:petitions, open:comments, open:wikipedia-ko, "
        "open:wikipedia-en (fetched, no login); a data set: hf://datasets/OWNER/NAME/PATH",
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N",
        help="of each open: and hf: input take N documents (5000) or bytes (20MB); all of it, "
        "if not given",
    )
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
        type=lambda text: tuple(code.strip() for code in text.split(",")),
        metavar="LIST",
        help="keep documents in these languages, of ko,en,zh,ja (ko)",
    )
    parser.add_argument(
        "--quality",
        action="store_true",
        help="also apply FineWeb-2's measures, with a morphological analyser (slow)",
    )
    parser.add_argument(
        "--pii", metavar="HOW", help="personal data: placeholder (the default), surrogate or keep"
    )
    parser.add_argument(
        "--urls",
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
        metavar="WHICH",
        help="take out near (and exact, the default) or exact duplicates, or keep all",
    )
    parser.add_argument(
        "--decontaminate",
        nargs="+",
        type=os.path.abspath,
        metavar="PATH",
        help="evaluation sets that no document may hold a piece of: files (.jsonl, .json, .tsv, "
        ".csv, .parquet), or folders of them, of which files for training (train…) are left out",
    )
    parser.add_argument("--hold-out", type=share, metavar="SHARE", help="share kept for evaluation")
    parser.add_argument(
        "--hold-out-by", metavar="FIELD", help="keep documents of one FIELD (movie_id) together"
    )
    parser.add_argument("--seed", type=SEED, help="of the surrogates")
    parser.add_argument("--compression", metavar="HOW", help="of the documents: gzip or zstd")
    parser.add_argument(
        "--show", type=whole(1), metavar="N", help="print N examples of what each rule did"
    )
    parser.add_argument(
        "--keep-dropped", action="store_true", help="write to dropped/ what is dropped, and why"
    )
    parser.add_argument("--workers", type=whole(1), help="tasks at once")
    parser.add_argument("--executor", help="local, ray or slurm")
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch: partition=NAME, time=HH:MM:SS, …",
    )


_bytes = with_unit(
    {"kB": 1e3, "MB": 1e6, "GB": 1e9}, "a number of documents or bytes from 1; write 5000 or 20MB"
)


def _limit(text: str):
    """Documents (5000) or bytes (500kB, 20MB, 1GB)."""
    from gemma_ko_lib.corpus.sources.open_corpora import Limit

    try:
        return Limit(documents=whole(1)(text))
    except argparse.ArgumentTypeError:
        return Limit(bytes=max(1, int(_bytes(text))))


class _Formats(argparse.Action):
    def __call__(self, parser, *arguments) -> None:
        from gemma_ko_lib.corpus.sources.formats import describe

        print(describe())
        parser.exit()


def _clean(arguments) -> int:
    """Turn raw files into clean documents for training."""
    from gemma_ko_lib import corpus

    given = vars(arguments)
    fields = {field.name for field in dataclasses.fields(corpus.CleanSettings)}
    settings = corpus.CleanSettings(**{name: given[name] for name in fields & given.keys()})
    report = corpus.clean(
        arguments.inputs,
        arguments.output,
        settings,
        slurm=_key_values("--slurm", arguments.slurm),
        **{name: given[name] for name in {"workers", "executor", "limit"} & given.keys()},
    )
    if "jobs" in report:
        print(f"Handed in as jobs {', '.join(report['jobs'])}.")
        print(f"When the last of them is done, {arguments.output}/report.json is there.")
        return 0
    print(corpus.format_report(report, given.get("show", 0)))
    return PARTIAL if report["rejects"]["count"] else 0


def _key_values(option: str, given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise UserError(f"{option} takes KEY=VALUE, not '{text}'.")
    return dict(text.split("=", 1) for text in given)
