"""Every suite of lesson 10, answered by a model; with what models without the skill get.

    python -m data_samples.makers.recorded.suites --model gemma3_270m --name base --bench KOBEST

KOBEST is a folder of KoBEST's development files; without it those tasks are left out. A second
model joins the first in the same file: `--model RUN --name tuned`. What was finished under a name
is kept in build/recorded/suites/NAME and not computed again.
"""

import argparse
import dataclasses
import functools
import json
import math
import shlex
from pathlib import Path

import numpy as np

from data_samples.makers import recorded
from data_samples.makers.ngram import NGram
from gemma_ko_lib import evaluation, models, runtime
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation import writing
from gemma_ko_lib.evaluation.choices import encode_pairs
from gemma_ko_lib.evaluation.null_models import null_figures
from gemma_ko_lib.evaluation.statistics import interval
from gemma_ko_lib.models.loading import read_shape
from gemma_ko_lib.tokenization.tokenizer import encode_documents

NAME = "suites"
SHOTS, SHOT_ITEMS = 5, 100  # examples make every question long
BENCH_ITEMS = 200
TEXTS = ("ko", "en")


def suites(bench: Path | None, items: int | None) -> dict[str, evaluation.Suite]:
    """The suites by the name under which they are recorded, at most `items` of each."""
    own = {s.name: s for name in ("korean", "grammar_en") for s in evaluation.load_suites(name)}
    for name in ("culture", "knowledge"):
        letters = evaluation.by_letter(own[name])
        own[f"{name}, {SHOTS} shots"] = evaluation.few_shot(own[name], SHOTS)
        own[f"{name}, letters"] = letters
        own[f"{name}, letters, {SHOTS} shots"] = evaluation.few_shot(letters, SHOTS)
    for suite in evaluation.load_suites("kobest", bench) if bench else ():
        own[suite.name] = suite
        own[f"{suite.name}, {SHOTS} shots"] = evaluation.few_shot(suite, SHOTS)
    most = {name: BENCH_ITEMS for name in own if "kobest" in name}
    most |= {name: SHOT_ITEMS for name in own if "shots" in name}
    return {
        name: suite.drawn(min(items or len(suite.items), most.get(name, len(suite.items))))
        for name, suite in own.items()
    }


def kept(path: Path, make) -> dict:
    """What a part found, rounded, and the seconds that it took; made once."""
    part = recorded.kept_part(path, lambda: _rounded(make()))
    return part["found"] | {"seconds": round(60 * part["minutes"], 1)}


def figures(suite: evaluation.Suite, score) -> dict:
    """What the scores of a suite say, item by item too.

    Args:
        suite: the items.
        score: of (prompts, choices), the scores of each item's choices.
    """
    scores = score([item.prompt for item in suite.items], [item.choices for item in suite.items])
    result = evaluation.judge(suite, scores)
    found = result.as_dict() | {
        "chance": 1 / len(suite.items[0].choices),
        "right": "".join("1" if share > 0.5 else "0" for share in result.right),
    }
    if not suite.items[0].prompt:  # pairs: does the shorter sentence win?
        longer = np.array(
            [
                its[item.answer].tokens - its[1 - item.answer].tokens
                for item, its in zip(suite.items, scores, strict=True)
            ]
        )
        found["by_tokens"] = {
            name: {"accuracy": float(result.right[where].mean()), "items": int(where.sum())}
            for name, where in (
                ("the right one shorter", longer < 0),
                ("equally long", longer == 0),
                ("the right one longer", longer > 0),
            )
            if where.any()
        }
        if longer.std() > 0:
            found["correlation_of_margin_with_length"] = float(
                np.corrcoef(result.margins, -longer)[0, 1]
            )
    return found


def _asked_and_read(folder: Path, asked: dict, score, bits, prefix: str = "") -> dict:
    """The figures of every suite and of both languages' texts, each part kept in a file."""
    found = {
        key: kept(folder / f"{prefix}{key}.json", lambda suite=suite: figures(suite, score))
        for key, suite in asked.items()
    }
    return {
        "suites": {
            # `right` says the same, in one letter an item.
            key: {name: value for name, value in its.items() if name != "by_item"}
            for key, its in found.items()
        },
        "texts": {
            language: kept(folder / f"{prefix}bits {language}.json", lambda at=language: bits(at))
            for language in TEXTS
        },
    }


def judge(model, folder: Path, asked: dict, documents: int | None, tokens: int) -> dict:
    """A model on every suite, on texts and as a writer.

    Args:
        model: gives the model, as from `models.load`; asked for only if a part is missing.
        folder: where finished parts are kept.
        asked: the suites.
        documents: held-out texts of each language; all when None.
        tokens: written after each opening.
    """

    def bits(language: str) -> dict:
        texts = [record["text"] for record in read_samples(language, "held_out")][:documents]
        found = evaluation.bits_per_byte(model(), texts, window=256).as_dict()
        return {name: value for name, value in found.items() if name != "by_document"}

    def write() -> dict:
        openings = writing.read_openings()[:documents]
        written = writing.go_on(model(), openings, tokens, progress=True)
        measured = writing.measure_writing(openings, written)
        texts = [
            {"level": opening.level, "opening": opening.text, "written": text, "ended": ended}
            for opening, (text, ended) in zip(openings, written, strict=True)
        ]
        measures = {name: dataclasses.asdict(found) for name, found in measured.items()}
        return {"tokens": tokens, "measures": measures, "texts": texts}

    def score(prompts, choices):
        return evaluation.score_choices(model(), prompts, choices)

    return _asked_and_read(folder, asked, score, bits) | {
        "writing": kept(folder / "writing.json", write),
    }


def controls(tokenizer, folder: Path, asked: dict, documents: int | None) -> dict:
    """The same suites without the model: no skill, and counting pieces in the course's texts."""
    ngram = functools.cache(lambda: NGram(tokenizer()))

    def score(prompts, choices):
        flat = [(p, c) for p, its in zip(prompts, choices, strict=True) for c in its]
        found = iter(ngram().score(encode_pairs(tokenizer(), flat)))
        return [[next(found) for _ in its] for its in choices]

    def bits(language: str) -> dict:
        texts = [record["text"] for record in read_samples(language, "held_out")][:documents]
        pairs = [([tokenizer().bos_id], ids) for ids in encode_documents(tokenizer(), texts)]
        in_bits = [-found.nats / math.log(2) for found in ngram().score(pairs)]
        sizes = [len(text.encode("utf-8")) for text in texts]
        return {
            "unit": "bits per byte",
            "bits_per_byte": sum(in_bits) / sum(sizes),
            "interval": interval(in_bits, sizes),
            "documents": len(texts),
        }

    return {
        "ngram": _asked_and_read(folder, asked, score, bits, "ngram "),
        "null_models": {
            key: kept(
                folder / f"null {key}.json", lambda suite=suite: null_figures(tokenizer(), suite)
            )
            for key, suite in asked.items()
        },
    }


def _rounded(value):
    if isinstance(value, float | np.floating):
        return round(float(value), 4)
    if isinstance(value, dict):
        return {str(key): _rounded(its) for key, its in value.items()}
    return [_rounded(its) for its in value] if isinstance(value, list | tuple) else value


def main(arguments: list[str] | None = None) -> None:
    """Judge one model and add it to the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="as for gemma-ko evaluate")
    parser.add_argument("--name", required=True, help="in the record: base, continued, tuned …")
    parser.add_argument("--what", help="the model in words")
    parser.add_argument("--bench", type=Path, help="folder of KoBEST's development files")
    parser.add_argument("--skip", help="leave out suites whose name has this in it: shots")
    parser.add_argument("--items", type=int, help="at most so many of each suite")
    parser.add_argument("--documents", type=int, help="texts of each language, openings (all)")
    parser.add_argument("--tokens", type=int, default=96, help="written after each opening")
    parser.add_argument("--no-save", action="store_true", help="only compute, to try this out")
    asked = parser.parse_args(arguments)
    runtime.seed_everything(0)
    work = recorded.WORK / NAME
    questions = {
        name: suite
        for name, suite in suites(asked.bench, asked.items).items()
        if not asked.skip or asked.skip not in name
    }

    @functools.cache
    def model():
        found = models.load(asked.model)
        found.params = models.place(found.params)
        return found

    pieces = str(read_shape(asked.model)[2]["vocabulary_size"])
    found = judge(model, work / asked.name, questions, asked.documents, asked.tokens)
    folder = work / f"{pieces} pieces"
    without = controls(lambda: model().tokenizer, folder, questions, asked.documents)
    if asked.no_save:
        return
    path = runtime.samples_dir() / "recorded" / f"{NAME}.json"
    before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    command = f"python -m data_samples.makers.recorded.suites --name {asked.name} --model "
    command += asked.model if not Path(asked.model).exists() else asked.name.upper()
    command += " --bench KOBEST" * bool(asked.bench)
    for option in ("skip", "items", "documents", "tokens"):
        if (value := getattr(asked, option)) != parser.get_default(option):
            command += f" --{option} {shlex.quote(str(value))}"
    minutes = sum(_seconds([found, without])) / 60
    named = {
        "what": asked.what or asked.model,
        "command": command,
        "pieces": pieces,
        "minutes": round(minutes, 1),
        **found,
    }
    everything = {**before.get("models", {}), asked.name: named}
    recorded.save(
        NAME,
        "Every suite of lesson 10: the course's own whole, KoBEST's development files "
        f"({BENCH_ITEMS} items of each task), held-out texts of the course, 50 openings to go on "
        "from; by models, and by what has no model's skill in the same tokens",
        sum(its["minutes"] for its in everything.values()),
        commands=[its["command"] for its in everything.values()],
        models=everything,
        controls={**before.get("controls", {}), pieces: without},
    )


def _seconds(value):
    if isinstance(value, dict):
        yield value.get("seconds", 0)
        value = list(value.values())
    for its in value if isinstance(value, list) else ():
        yield from _seconds(its)


if __name__ == "__main__":
    main()
