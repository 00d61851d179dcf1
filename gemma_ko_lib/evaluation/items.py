"""Multiple-choice items, and reading them from JSONL files into suites."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import UserError, json_object, numbered_records


@dataclasses.dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        id: unique in its suite.
        prompt: what stands before the choice; empty for a minimal pair.
        choices: the texts that may follow.
        answer: index of the right one.
        group: phenomenon or category.
        cluster: items of one cluster come from one frame and are not independent; each item is
            one of its own where this is empty.
        level: how hard it is by its author's judgement, from 1; 0 where nobody graded it.
    """

    id: str
    prompt: str
    choices: tuple[str, ...]
    answer: int
    group: str
    cluster: str = ""
    level: int = 0


@dataclasses.dataclass(frozen=True)
class Examples:
    """Items of a suite's training split, which `few_shot` draws from.

    Attributes:
        items: none is asked.
        source: their files, for people.
        by_group: each group has its own, as KMMLU's subjects have.
    """

    items: tuple[Item, ...]
    source: str
    by_group: bool = False


@dataclasses.dataclass(frozen=True)
class Suite:
    """Items that are scored alike.

    Attributes:
        name: how it is called in reports.
        items: the questions.
        per_character: choose by log-likelihood per character, so that a long answer is not
            less likely only for its length; lm-evaluation-harness calls it acc_norm.
        labels: the choices are classes that mean the same in every item, so that macro F1 says
            something.
        rejects: lines that could not be read: "file, line n: why".
        examples: of its training split, where they were asked for and are there.
        shots: examples before every question.
        shots_from: where these come from.
    """

    name: str
    items: tuple[Item, ...]
    per_character: bool = False
    labels: bool = False
    rejects: tuple[str, ...] = ()
    examples: Examples | None = None
    shots: int = 0
    shots_from: str = ""

    def with_examples(self, split: "Suite", source: str, by_group: bool = False) -> "Suite":
        """The suite with another one's items as its `Examples`, and the rejects of both."""
        return dataclasses.replace(
            self,
            rejects=self.rejects + split.rejects,
            examples=Examples(split.items, source, by_group),
        )

    def drawn(self, count: int | None) -> "Suite":
        """Draw some items, the same in every run; pairs that have a twin come with it."""
        if not count or count >= len(self.items):
            return self
        size = 2 if self.items[0].cluster else 1
        order = np.random.default_rng(0).permutation(len(self.items) // size)
        chosen = sorted(order[: max(1, count // size)])
        kept = tuple(self.items[size * i + n] for i in chosen for n in range(size))
        return dataclasses.replace(self, items=kept)


def read_suite(
    name: str,
    path: Path,
    to_item: Callable[[dict], Item | None],
    per_character: bool = False,
    labels: bool = False,
    parse: Callable[[str], dict] = json_object,
) -> Suite:
    """Read one file of items.

    Args:
        name: the suite's.
        path: its file, as for `runtime.numbered_records`.
        to_item: makes an `Item` of a record, or None of one that is not a question; raises
            KeyError, TypeError or ValueError if it cannot.
        per_character, labels: see `Suite`.
        parse: makes a record of a line of text; raises ValueError if it cannot.

    Raises:
        UserError: the file is missing, or holds nothing readable.
    """
    items: dict[str, Item] = {}
    rejects = []
    try:
        for number, record in numbered_records(path, parse):
            try:
                if isinstance(record, ValueError):
                    raise record
                record.setdefault("id", str(number))
                if (item := to_item(record)) is None:
                    continue
                if item.id in items:
                    raise ValueError(f"a second item with the id {item.id}")
                items[item.id] = item
            except KeyError as error:
                rejects.append(f"{path.name}, line {number}: no field {error}")
            except (ValueError, TypeError, AttributeError) as error:
                rejects.append(f"{path.name}, line {number}: {error}")
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}); the suite {name} needs it.") from None
    if not items:
        why = f" (the first of {len(rejects)} lines: {rejects[0]})" if rejects else ""
        raise UserError(f"{path} has no item for the suite {name}{why}; check the file's format.")
    return Suite(name, tuple(items.values()), per_character, labels, tuple(rejects))


def text_of(record: dict, field: str) -> str:
    """Read a field that must hold text."""
    value = record[field]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field} is {value!r}, not a text")
    return value


def choices_of(record: dict, count: int) -> list[str]:
    """Read `count` different choices, given as one list."""
    found = record["choices"]
    if len(found) != count or len(set(found)) != count or not all(map(str.strip, found)):
        raise ValueError(f"{found} are not {count} different choices")
    return found


def label_of(record: dict, field: str, count: int) -> int:
    """Read the index of the right one of `count` choices, a number or, in a table, its digits."""
    value = record[field]
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or not 0 <= value < count:
        raise ValueError(f"{field} is {value!r}, not a number from 0 to {count - 1}")
    return value
