"""Suites by name: what `gemma-ko evaluate --suite` knows.

A minimal pair is an item with two choices. The course's own four facets (`korean`: grammar,
native, culture, knowledge) and English grammar come with the samples; KoBEST, NSMC and the public
exams (KMMLU, HAE-RAE, CLIcK …) are read from local files.
"""

from pathlib import Path

from gemma_ko_lib import runtime
from gemma_ko_lib.evaluation.exams import EXAMS, read_exam
from gemma_ko_lib.evaluation.items import Item, Suite, choices_of, label_of, read_suite, text_of
from gemma_ko_lib.evaluation.kobest import KOBEST, read_kobest
from gemma_ko_lib.evaluation.nsmc import read_nsmc
from gemma_ko_lib.runtime import UserError, did_you_mean

FACETS = ("grammar", "native", "culture", "knowledge")
NAMES = {
    "korean": "the course's four facets: grammar, native, culture, knowledge",
    **dict.fromkeys(FACETS, "one of the facets"),
    "grammar_en": "English minimal pairs: what was forgotten",
    "kobest": "KoBEST from local files (--data DIR): " + ", ".join(KOBEST),
    **{f"kobest_{task}": "one of KoBEST's tasks" for task in KOBEST},
    **dict.fromkeys(
        EXAMS, "a public exam from its files (--data PATH or hf://datasets/OWNER/NAME/PATH)"
    ),
    "nsmc": "praise or blame in film reviews, from NSMC's ratings_test.txt (--data FILE)",
}


def load_suites(name: str, data: str | Path | None = None, examples: bool = False) -> list[Suite]:
    """The suites behind a name.

    Args:
        name: one of `NAMES`.
        data: folder of the KoBEST files, *boolq*.jsonl and so on; the file or folder of another.
        examples: also read the training split that KoBEST, KMMLU and NSMC have beside their test
            set, for `few_shot`.

    Raises:
        UserError: unknown name; no file for it; no readable item.
    """
    if name == "korean":
        return [_from_samples(facet) for facet in FACETS]
    if name in (*FACETS, "grammar_en"):
        return [_from_samples(name)]
    if name == "nsmc":
        return [read_nsmc(data, examples)]
    if name in EXAMS:
        return [read_exam(name, data, examples)]
    tasks = KOBEST if name == "kobest" else (name.removeprefix("kobest_"),)
    if not name.startswith("kobest") or any(task not in KOBEST for task in tasks):
        known = "\n".join(f"  {known:<18}{what}" for known, what in NAMES.items())
        raise UserError(
            f"No suite '{name}'.{did_you_mean(name, NAMES)} There are:\n{known}\n"
            "Tasks of lm-evaluation-harness go by their names there: lm_eval:kmmlu, for one."
        )
    return read_kobest(tasks, data, examples)


def _from_samples(name: str) -> Suite:
    path = runtime.samples_dir() / f"{name}.jsonl"
    pairs = {"grammar": ("good", "bad"), "native": ("native", "translationese")}
    pairs["grammar_en"] = pairs["grammar"]

    def pair(record: dict) -> Item:
        good, bad = (text_of(record, key) for key in pairs[name])
        # The right one is first in every other item, so that no rule of place can win.
        turned = int(record["id"].rpartition("-")[2]) % 2
        choices = (bad, good) if turned else (good, bad)
        group = text_of(record, "phenomenon")
        return Item(record["id"], "", choices, turned, group, record.get("frame", ""))

    def question(record: dict) -> Item:
        choices = tuple(f" {choice}" for choice in choices_of(record, 4))
        prompt = f"질문: {text_of(record, 'question')}\n정답:"
        return Item(
            record["id"],
            prompt,
            choices,
            label_of(record, "answer", 4),
            record["category"],
            level=record["level"],
        )

    return read_suite(name, path, pair if name in pairs else question, name not in pairs)
