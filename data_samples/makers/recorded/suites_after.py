"""The suites of lesson 10 before and after training, the same items, in the same tokens.

    python -m data_samples.makers.recorded.suites_after --bench KOBEST \
        --continued CUT RUN --tuned CUT RUN

The folders are those of the recorded runs continued_pretraining and assistant: the model with the
cut vocabulary that each began with, and what it became. KOBEST is a folder of KoBEST's development
files.
"""

import argparse
import functools
import json
from pathlib import Path

import numpy as np

from data_samples.makers import recorded
from data_samples.makers.recorded.suites import SHOT_ITEMS, SHOTS, figures, kept, suites
from gemma_ko_lib import evaluation, models, runtime
from gemma_ko_lib.evaluation.null_models import null_figures
from gemma_ko_lib.evaluation.statistics import cluster_interval

NAME = "suites_after"
ITEMS = 150


def judge(before: str, after: str, folder: Path, asked: dict) -> dict:
    """What training changed in every suite.

    Args:
        before, after: two models with one tokenizer and one shape, as for `models.load`.
        folder: where finished parts are kept.
        asked: the suites by name.

    Returns:
        By suite, accuracies, their difference over the same items and what models without the
        skill get; values with intervals as [value, low, high].
    """
    model = functools.cache(lambda: models.load(before))
    weights = {
        "before": functools.cache(lambda: models.place(model().params)),
        "after": functools.cache(lambda: models.place(models.load(after).params)),
    }
    found = {name: {} for name in asked}
    for when, params in weights.items():  # one after the other: each suite's rows are compiled once

        def score(prompts, choices, params=params):
            return evaluation.score_choices(model(), prompts, choices, params=params())

        for name, suite in asked.items():
            part = folder / f"{name} {when}.json"
            found[name][when] = kept(part, lambda suite=suite, score=score: figures(suite, score))

    def unskilled(suite) -> dict:
        return {"band": null_figures(model().tokenizer, suite)["by_group"][""]}

    for name, suite in asked.items():
        null = kept(folder / f"{name} null.json", lambda suite=suite: unskilled(suite))
        found[name] = _compared(found[name]["before"], found[name]["after"]) | {
            "null": null["band"]
        }
    return found


def _compared(before: dict, after: dict) -> dict:
    clusters, first = zip(*before["by_item"], strict=True)
    change = np.array([right for _, right in after["by_item"]]) - first
    shares = {
        when: [its["accuracy"], *its["interval"]]
        for when, its in (("before", before), ("after", after))
    }
    return shares | {
        "difference": recorded.rounded((change.mean(), *cluster_interval(change, clusters))),
        "macro_f1": [before["macro_f1"], after["macro_f1"]],
        "items": before["items"],
        "clusters": before["clusters"],
        "minutes": round((before["seconds"] + after["seconds"]) / 60, 2),
    }


def main(arguments: list[str] | None = None) -> None:
    """Compare the runs that are given; the record keeps the others that it has."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("continued", "tuned"):
        parser.add_argument(f"--{name}", nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--bench", type=Path, help="folder of KoBEST's development files")
    parser.add_argument("--items", type=int, default=ITEMS, help=f"of each suite ({ITEMS})")
    parser.add_argument("--no-save", action="store_true", help="only compute, to try this out")
    given = parser.parse_args(arguments)
    runtime.seed_everything(0)
    every = suites(given.bench, given.items)
    asked = {name: suite for name, suite in every.items() if "letters" not in name}
    path = runtime.samples_dir() / "recorded" / f"{NAME}.json"
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.is_file() else {}
    for name in ("continued", "tuned"):
        if not (pair := getattr(given, name)):
            continue
        runs[name] = judge(*pair, recorded.WORK / NAME / name, asked)
        if given.no_save:
            continue
        minutes = sum(its["minutes"] for run in runs.values() for its in run.values())
        recorded.save(
            NAME,
            f"Suites of lesson 10 before and after training, at most {given.items} items of each "
            f"({SHOT_ITEMS} where {SHOTS} examples stand before a question): Gemma 3 270M, twice "
            "cut to 32,768 pieces; continued, 122,880 tokens by lesson 06's command, from a cut by "
            "reviews, petitions and English manuals; tuned, the recorded run of lesson 09, LoRA "
            "from another cut, by conversations, reviews and the course's Korean and English texts",
            minutes,
            commands=recorded.commands_in(__doc__),
            runs=runs,
        )


if __name__ == "__main__":
    main()
