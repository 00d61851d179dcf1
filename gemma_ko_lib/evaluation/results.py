"""What a model made of a suite: accuracies with their intervals and baselines."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from gemma_ko_lib.evaluation.choices import Score, score_choices
from gemma_ko_lib.evaluation.items import Suite
from gemma_ko_lib.evaluation.statistics import check_finite, share_interval
from gemma_ko_lib.models.loading import Model


@dataclasses.dataclass(frozen=True)
class SuiteResult:
    """What a model made of a suite.

    Attributes:
        name: the suite's.
        right: for each item, 1.0 if the model chose the answer (a share if choices tied).
        margins: nats (per character, if the suite is scored so) by which the answer is ahead of
            the best other choice; negative where the model chose wrong.
        groups: each item's phenomenon or category.
        majority: accuracy of always giving the most frequent answer's place.
        length_only: accuracy of always giving the shortest choice, or the longest, whichever is
            better.
    """

    name: str
    right: np.ndarray
    margins: np.ndarray
    groups: tuple[str, ...]
    majority: float
    length_only: float

    @property
    def micro(self) -> float:
        """Accuracy over items."""
        return float(self.right.mean())

    @property
    def macro(self) -> float:
        """Mean of the groups' accuracies."""
        return float(np.mean([accuracy for accuracy, _, _ in self.by_group().values()]))

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of `micro`."""
        return share_interval(self.right)

    def by_group(self) -> dict[str, tuple[float, tuple[float, float], int]]:
        """Accuracy, interval and number of items of each group."""
        members = defaultdict(list)
        for group, right in zip(self.groups, self.right, strict=True):
            members[group].append(right)
        return {
            group: (float(np.mean(found)), share_interval(found), len(found))
            for group, found in sorted(members.items())
        }

    def as_dict(self) -> dict:
        """The figures, for JSON."""
        return {
            "suite": self.name,
            "items": len(self.right),
            "micro": self.micro,
            "macro": self.macro,
            "interval": self.interval,
            "majority": self.majority,
            "length_only": self.length_only,
            "by_group": {
                group: {"accuracy": accuracy, "interval": interval, "items": items}
                for group, (accuracy, interval, items) in self.by_group().items()
            },
        }


def evaluate_suite(
    model: Model, suite: Suite, *, params: dict | None = None, progress: bool = False
) -> SuiteResult:
    """Score a suite's items with a model.

    Args:
        model: as from `models.load`.
        suite: from `load_suites`.
        params: weights to use instead of the model's own.
        progress: show progress.

    Raises:
        UserError: a score is not finite.
    """
    scores = score_choices(
        model,
        [item.prompt for item in suite.items],
        [item.choices for item in suite.items],
        params=params,
        progress=progress,
    )
    check_finite([score.nats for its in scores for score in its], model.name)
    return judge(suite, scores)


def judge(suite: Suite, scores: Sequence[Sequence[Score]]) -> SuiteResult:
    """Turn scores of a suite's choices, item by item, into a result."""
    right, margins = [], []
    for item, its in zip(suite.items, scores, strict=True):
        values = [
            score.nats / (len(choice.strip()) if suite.per_character else 1)
            for score, choice in zip(its, item.choices, strict=True)
        ]
        best_other = max(v for i, v in enumerate(values) if i != item.answer)
        margin = values[item.answer] - best_other
        tied = values.count(values[item.answer]) if margin == 0 else 1
        right.append(1 / tied if margin >= 0 else 0.0)
        margins.append(margin)
    return SuiteResult(
        suite.name,
        np.array(right),
        np.array(margins),
        tuple(item.group for item in suite.items),
        majority=max(Counter(item.answer for item in suite.items).values()) / len(suite.items),
        length_only=max(_by_length(suite, min), _by_length(suite, max)),
    )


def _by_length(suite: Suite, pick) -> float:
    """Accuracy of choosing by length alone; ties share."""
    hits = 0.0
    for item in suite.items:
        sizes = [len(choice) for choice in item.choices]
        chosen = [i for i, size in enumerate(sizes) if size == pick(sizes)]
        hits += (item.answer in chosen) / len(chosen)
    return hits / len(suite.items)


def format_results(results: Sequence[SuiteResult]) -> str:
    """A table for people: each suite, and its groups where it has several."""
    lines = [
        f"{'':<24}{'items':>7}{'accuracy':>10}{'95%':>15}{'macro':>8}{'majority':>10}{'length':>8}"
    ]
    for result in results:
        low, high = result.interval
        lines.append(
            f"{result.name:<24}{len(result.right):>7,}{result.micro:>10.1%}"
            f"{f'{low:.1%}–{high:.1%}':>15}{result.macro:>8.1%}{result.majority:>10.1%}"
            f"{result.length_only:>8.1%}"
        )
        groups = result.by_group()
        for group, (accuracy, (low, high), items) in groups.items() if len(groups) > 1 else ():
            lines.append(f"  {group:<22}{items:>7,}{accuracy:>10.1%}{f'{low:.1%}–{high:.1%}':>15}")
    lines.append(
        "accuracy over items (micro) and as mean of the groups (macro); majority: the commonest "
        "answer's place; length: the shortest choice or the longest, whichever is better"
    )
    return "\n".join(lines)
