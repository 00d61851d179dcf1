"""KoBEST (arXiv 2204.04541) from local files, in lm-evaluation-harness' words.

Prompts and choices are those of the harness' tasks of the same names, so that figures can be
compared; a space stands between a prompt and its choice.
"""

import re
from collections.abc import Callable, Sequence
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
            to_item = _published(_ITEMS[task])
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

# Columns of the published TSV files -> the fields of the hub's edition.
_COLUMNS = {
    "ID": "id",
    "Text": "paragraph",
    "Question": "question",
    "1": "alternative_1",
    "2": "alternative_2",
    "Target": "word",
    "SENTENCE1": "context_1",
    "SENTENCE2": "context_2",
    "Label": "label",
}


def _published(read: Callable[[dict], Item]) -> Callable[[dict], Item]:
    """The same for a record with the published columns, too."""

    def item(record: dict) -> Item:
        columns = record
        record = {_COLUMNS.get(name, name): value for name, value in columns.items()}
        if "Text" in columns and "Question" not in columns:
            record["sentence"] = columns["Text"]  # SentiNeg's; BoolQ's is a paragraph
        if "choice1" in columns:
            record["choices"] = [columns[f"choice{n}"] for n in range(1, 5)]
        answer = next((columns[name] for name in ("Answer", "ANSWER") if name in columns), None)
        if answer is not None:
            # COPA counts its alternatives from 1.
            record["label"] = {"true": 1, "false": 0}.get(str(answer).lower(), answer)
            if str(answer) in ("1", "2") and "1" in columns:
                record["label"] = int(answer) - 1
        return read(record)

    return item


def _boolq(record: dict) -> Item:
    prompt = f"{text_of(record, 'paragraph')} 질문: {text_of(record, 'question')} 답변: "
    return _yes_or_no(record, prompt, ("아니오", "예"), "boolq")


def _copa(record: dict) -> Item:
    asked = record["ask"] if "ask" in record else record["question"]
    connector = {"원인": "왜냐하면", "결과": "그래서"}[asked.strip()]
    choices = tuple(f" {choice}" for choice in choices_of(record, 2))
    premise = text_of(record, "premise" if "premise" in record else "sentence")
    prompt = f"{premise}  {connector}"
    return Item(str(record["id"]), prompt, choices, label_of(record, "label", 2), "copa")


def _hellaswag(record: dict) -> Item:
    choices = tuple(f" {choice}" for choice in choices_of(record, 4))
    prompt = f"문장: {text_of(record, 'context')}"
    return Item(str(record["id"]), prompt, choices, label_of(record, "label", 4), "hellaswag")


def _sentineg(record: dict) -> Item:
    prompt = f"문장: {text_of(record, 'sentence')} 긍부정:"
    return _yes_or_no(record, prompt, ("부정", "긍정"), "sentineg")


def _wic(record: dict) -> Item:
    first, second = (
        text_of(record, name if name in record else other)
        for name, other in (("s1", "context_1"), ("s2", "context_2"))
    )
    word = text_of(record, "word")
    prompt = f"문장1: {first} 문장2: {second} 두 문장에서 {word}가 같은 뜻으로 쓰였나?"
    return _yes_or_no(record, prompt, ("아니오", "예"), "wic")


def _yes_or_no(record: dict, prompt: str, words: tuple[str, str], group: str) -> Item:
    choices = tuple(f" {word}" for word in words)
    return Item(str(record["id"]), prompt, choices, label_of(record, "label", 2), group)


_ITEMS = {
    "boolq": _boolq,
    "copa": _copa,
    "hellaswag": _hellaswag,
    "sentineg": _sentineg,
    "wic": _wic,
}

KOBEST = tuple(_ITEMS)
