"""KoBEST (arXiv 2204.04541) from local files, in lm-evaluation-harness' words.

Prompts and choices are those of the harness' tasks of the same names, so that figures can be
compared; a space stands between a prompt and its choice.
"""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from gemma_ko_lib.evaluation.items import Item, Suite, choices_of, label_of, read_suite, text_of
from gemma_ko_lib.runtime import UserError


def read_kobest(
    tasks: Sequence[str], data: str | Path | None, examples: bool = False
) -> list[Suite]:
    """The tasks that a folder has files for.

    Args:
        tasks: of `KOBEST`.
        data: a folder of files such as *boolq*.jsonl, or of KoBEST's own folders (BoolQ/test.tsv,
            on the hub boolq/test.jsonl, and so on), or one of these; the test set is taken, or
            where there is none the development set.
        examples: also read the training set, where the folder has it.

    Raises:
        UserError: no folder, no file for any of the tasks, or two for one.
    """
    if data is None:
        raise UserError(
            "KoBEST is read from local files: give their folder with --data, or run it from the "
            "hub as lm_eval:kobest."
        )
    suites, folder = [], Path(data).expanduser()
    if not folder.exists():
        raise UserError(f"There is no folder {data}. Check the path.")
    for task in tasks:
        files = _files(folder, task)
        if len(files) > 1:
            found = ", ".join(file.name for file in files)
            raise UserError(f"{data} has several files for {task}: {found}. Leave one of them.")
        if files:
            # KoBEST publishes macro F1 of all five, with the answer's place as the class.
            to_item = functools.partial(_item, task=task)
            suite = read_suite(f"kobest_{task}", files[0], to_item, labels=True)
            if examples and (trained := _files(folder, task, training=True)):
                split = read_suite(suite.name, trained[0], to_item)
                suite = suite.with_examples(split, str(trained[0].relative_to(folder)))
            suites.append(suite)
    if not suites:
        wanted = ", ".join(f"*{task}*.jsonl" for task in tasks)
        raise UserError(
            f"{data} has no file for KoBEST; it looks for {wanted}, or for KoBEST's own folders "
            f"(such as BoolQ/{', BoolQ/'.join(_SPLITS)})."
        )
    return suites


def _files(data: Path, task: str, training: bool = False) -> list[Path]:
    """The files to test a task on, or those of its training set."""
    if found := sorted(data.glob(f"*{task}*.jsonl")):
        trained = [file for file in found if _TRAINED.search(file.stem.lower())]
        if training:
            return trained if len(trained) < len(found) else []
        return [file for file in found if file not in trained] or found
    folders = [data, *data.iterdir()] if data.is_dir() else []
    folders = [folder for folder in folders if folder.resolve().name.lower() == task]
    splits = [
        folder / split for folder in folders for split in (_TRAINING if training else _SPLITS)
    ]
    return [file for file in splits if file.is_file()][:1]


# GitHub's edition and the hub's.
_SPLITS = ("test.tsv", "test.jsonl", "dev.tsv", "validation.jsonl")
_TRAINING = ("train.tsv", "train.jsonl")
_TRAINED = re.compile(r"(?<![a-z])train(?![a-z])")

_YES_OR_NO = ("아니오", "예")
# Of each task the question, and its choices, or how many an item has of its own.
_TASKS = {
    "boolq": ("{paragraph} 질문: {question} 답변: ", _YES_OR_NO),
    "copa": ("{premise}  {connector}", 2),
    "hellaswag": ("문장: {context}", 4),
    "sentineg": ("문장: {sentence} 긍부정:", ("부정", "긍정")),
    "wic": (
        "문장1: {context_1} 문장2: {context_2} 두 문장에서 {word}가 같은 뜻으로 쓰였나?",
        _YES_OR_NO,
    ),
}
KOBEST = tuple(_TASKS)

# Columns of the published TSV files, and other spellings -> the fields of the hub's edition.
_COLUMNS = {
    "boolq": {"Text": "paragraph", "Question": "question"},
    "copa": {"sentence": "premise", "ask": "question"},
    "hellaswag": {},
    "sentineg": {"Text": "sentence"},
    "wic": {
        "Target": "word",
        "SENTENCE1": "context_1",
        "SENTENCE2": "context_2",
        "s1": "context_1",
        "s2": "context_2",
    },
}
_COLUMNS_OF_ALL = {"ID": "id", "Label": "label", "Answer": "label", "ANSWER": "label"}
_NUMBERED_CHOICES = ("alternative_{}", "ending_{}", "choice{}", "{}")


def _item(columns: dict, task: str) -> Item:
    names = _COLUMNS_OF_ALL | _COLUMNS[task]
    record = {names.get(name, name): value for name, value in columns.items()}
    prompt, choices = _TASKS[task]
    if isinstance(choices, int):
        for name in _NUMBERED_CHOICES:
            if name.format(1) in columns:
                record["choices"] = [columns[name.format(n + 1)] for n in range(choices)]
        choices = choices_of(record, choices)
    if task == "copa":
        record["connector"] = {"원인": "왜냐하면", "결과": "그래서"}[record["question"].strip()]
        if "1" in columns:  # the published table, which counts its choices from 1
            record["label"] = {"1": 0, "2": 1}.get(str(record["label"]), record["label"])
    record["label"] = {"true": 1, "false": 0}.get(str(record["label"]).lower(), record["label"])
    texts = {field: text_of(record, field) for field in re.findall(r"{(\w+)}", prompt)}
    return Item(
        str(record["id"]),
        prompt.format(**texts),
        tuple(f" {choice}" for choice in choices),
        label_of(record, "label", len(choices)),
        task,
    )
