"""Public Korean exams from local files, in the layouts that their authors publish.

KMMLU (arXiv 2402.11548), KMMLU-Redux (2507.08924), HAE-RAE Bench (2309.02706), CLIcK (2403.06412),
KoGEM (aclanthology.org/2025.acl-long.492) and KoBALT (2505.16125). All show the choices and ask
for a letter. Where lm-evaluation-harness has the task (KMMLU, HAE-RAE, CLIcK), prompts and choices
are its own; only CLIcK's questions of five choices, of which it shows four, are shown whole.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from gemma_ko_lib.corpus.sources.open_corpora import HUB, fetch
from gemma_ko_lib.evaluation.items import Item, Suite, read_suite, text_of
from gemma_ko_lib.evaluation.prompts import LETTERS
from gemma_ko_lib.runtime import UserError

_SUFFIXES = {".jsonl", ".json", ".csv", ".parquet"}
_SPLIT = re.compile(r"(?<![a-z])(?:test|dev|train)(?![a-z])")
_LETTERED = re.compile(r"^\s*\(?([A-J])\s*[:.)]", re.MULTILINE)


def read_exam(name: str, data: str | Path | None, examples: bool = False) -> Suite:
    """Read a public exam.

    Args:
        name: of `EXAMS`.
        data: its file, or a folder with its files (.jsonl, .json, .csv, .parquet), here or on the
            hub (hf://datasets/HAERAE-HUB/KMMLU/data/*-test.csv, for one); of a folder
            those with "test" in their names (or their folder's, as Law/test/0000.parquet) are
            taken, or all where none has.
        examples: also read the split for examples, where there is a test set beside it: files
            with "dev" in their names, as KMMLU's, or else "train".

    Raises:
        UserError: no file is given or found, none holds a question, or the hub is not reached.
    """
    if data is None:
        raise UserError(
            f"{name} is read from files: give its file or folder with --data, or its place on the "
            "hub, hf://datasets/OWNER/NAME/PATH."
        )
    files, folder = _on_the_hub(str(data)) if str(data).startswith(HUB) else _here(data)
    if not files:
        raise UserError(f"{data} has no file for {name}: .jsonl, .json, .csv or .parquet.")
    tested = _of_split("test", files, folder)
    suite = _read(name, tested or files, folder)
    others = _of_split("dev", files, folder) or _of_split("train", files, folder)
    if not examples or not tested or not others:
        return suite
    split = _read(name, others, folder)
    shown = str(others[0].relative_to(folder))
    source = shown if len(others) == 1 else f"{len(others)} files such as {shown}"
    # KMMLU has five for each subject.
    by_group = {item.group for item in suite.items} <= {item.group for item in split.items}
    return suite.with_examples(split, source, by_group)


def _here(data: str | Path) -> tuple[list[Path], Path]:
    """The files that may hold questions, and the folder that they are named in."""
    path = Path(data).expanduser()
    if path.is_file():
        return [path], path.parent
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES), path


def _on_the_hub(data: str) -> tuple[list[Path], Path]:
    """The same of a data set of the hub: its rows in the cache, in files named after its own."""
    files = [Path(file.path) for file in fetch(data)]
    return files, files[0].parent if files else Path()


def _of_split(split: str, files: Sequence[Path], folder: Path) -> list[Path]:
    """The files that say by their names, or their folders', that they are of a split."""
    return [
        file
        for file in files
        if split in _SPLIT.findall(str(file.relative_to(folder).with_suffix("")).lower())[-1:]
    ]


def _read(name: str, files: Sequence[Path], folder: Path) -> Suite:
    items, rejects = [], []
    for file in files:
        suite = read_suite(name, file, lambda record, at=file.stem: EXAMS[name](record, at))
        rejects += suite.rejects
        items += [
            # Not the file's name alone: the hub's editions have one "0000.parquet" a subject.
            dataclasses.replace(item, id=f"{file.relative_to(folder).with_suffix('')}:{item.id}")
            if len(files) > 1
            else item
            for item in suite.items
        ]
    return Suite(name, tuple(items), rejects=tuple(rejects))


def _kmmlu(record: dict, file: str) -> Item:
    choices = [text_of(record, letter) for letter in LETTERS[:4]]
    group = record.get("Category") or re.sub("-(test|dev|train)$", "", file)
    return _asked(record, text_of(record, "question"), choices, record["answer"], group)


def _kmmlu_redux(record: dict, file: str) -> Item:
    group = record.get("category") or file
    choices = _without_numbers(record["options"])
    return _asked(record, text_of(record, "question"), choices, record["solution"], group)


def _kogem(record: dict, file: str) -> Item:
    parts = [record.get("passage"), text_of(record, "question"), record.get("paragraph")]
    question = "\n".join(part.strip() for part in parts if part and part.strip())
    choices = _without_numbers(record["choices" if "choices" in record else "candidates"])
    return _asked(record, question, choices, record["label"], record.get("level_1") or file)


def _kobalt(record: dict, file: str) -> Item:
    question = text_of(record, "Question").rstrip()
    letters = sorted(set(_LETTERED.findall(question)))
    if len(letters) < 2:
        raise ValueError("Question shows no choices A, B … at the beginning of lines")
    answer = _place(record["Answer"].strip(), letters)
    choices = tuple(f" {letter}" for letter in letters)
    level = int(record.get("Level") or 0)
    name = str(record.get("ID", record["id"]))
    return Item(
        name, f"{question}\n정답:", choices, answer, record.get("Class") or file, level=level
    )


def _haerae(record: dict, file: str) -> Item:
    shown = [f"({letter})" for letter in LETTERS[:5]]
    answer = _place(record["answer"].strip(), shown)
    choices = tuple(f" {letter}" for letter in shown)
    group = record.get("category") or file
    return Item(str(record["id"]), text_of(record, "query"), choices, answer, group)


def _click(record: dict, file: str) -> Item:
    choices = [str(choice) for choice in record["choices"]]
    answer = _place(record["answer"], choices)
    letters = LETTERS[: len(choices)]
    named = ", ".join(f"{a}: {choice}" for a, choice in zip(letters, choices, strict=True))
    named = named.replace("A: ", "A:", 1)  # as the harness writes it
    which = ", ".join(letters[:4])
    question = text_of(record, "question")
    if record.get("paragraph"):
        how = "주어진 맥락을 천천히 읽고, 질문에 대한 적절한 정답을"
        question = f"맥락: {record['paragraph']}\n질문: {question}"
    else:
        how, question = "주어진 질문을 천천히 읽고, 적절한 정답을", f"질문: {question}"
    prompt = f"{how} {which} 중에 골라 알파벳 하나로 답하시오.\n\n{question}\n보기:\n{named}\n정답:"
    group = record.get("subcategory") or file
    return Item(str(record["id"]), prompt, tuple(f" {a}" for a in letters), answer, group)


def _asked(record: dict, question: str, choices: Sequence[str], number, group: str) -> Item:
    """A question in the words of the harness' kmmlu, which ends in a full-width colon.

    Its answer is the `number`-th of the choices, counted from 1.
    """
    answer = int(number) - 1
    if not 2 <= len(choices) <= len(LETTERS) or not all(map(str.strip, choices)):
        raise ValueError(f"{choices} are no choices")
    if not 0 <= answer < len(choices):
        raise ValueError(f"the answer is {number}, of {len(choices)} choices")
    shown = "".join(f"\n{a}. {choice}" for a, choice in zip(LETTERS, choices, strict=False))
    letters = tuple(f" {letter}" for letter in LETTERS[: len(choices)])
    return Item(str(record["id"]), f"{question.strip()}{shown}\n정답：", letters, answer, group)


def _without_numbers(choices: Sequence[str]) -> list[str]:
    """Choices without their own ①, ② … or 1., 2. …, where each has its number."""
    marks = [
        # Not the 1. of 1.5 m.
        re.match(rf"\s*(?:{chr(ord('①') + n)}|{n + 1}[.)](?!\d))\s*", choice)
        for n, choice in enumerate(choices)
    ]
    if not all(marks):
        return list(choices)
    return [choice[mark.end() :].strip() for mark, choice in zip(marks, choices, strict=True)]


def _place(answer: str, choices: Sequence[str]) -> int:
    if answer not in choices:
        raise ValueError(f"the answer {answer!r} is none of the choices, {', '.join(choices)}")
    return choices.index(answer)


EXAMS: dict[str, Callable[[dict, str], Item]] = {
    "kmmlu": _kmmlu,
    "kmmlu_redux": _kmmlu_redux,
    "haerae": _haerae,
    "click": _click,
    "kogem": _kogem,
    "kobalt": _kobalt,
}
