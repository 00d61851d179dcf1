"""What a model made of a suite: accuracies with their intervals and baselines."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from gemma_ko_lib.evaluation.choices import Score, score_choices
from gemma_ko_lib.evaluation.items import Suite
from gemma_ko_lib.evaluation.statistics import check_finite, cluster_interval, share_interval
from gemma_ko_lib.models.model import Model


@dataclasses.dataclass(frozen=True)
class SuiteResult:
    """What a model made of a suite.

    Attributes:
        suite: the questions.
        right: for each item, 1.0 if the model chose the answer (a share if choices tied).
        margins: nats (per character, if the suite is scored so) by which the answer is ahead of
            the best other choice; negative where the model chose wrong.
        chosen: the place of the choice that each item got.
    """

    suite: Suite
    right: np.ndarray
    margins: np.ndarray
    chosen: tuple[int, ...]

    @property
    def clusters(self) -> tuple[str, ...]:
        """Each item's cluster."""
        return tuple(item.cluster or item.id for item in self.suite.items)

    @property
    def majority(self) -> float:
        """Accuracy of always giving the most frequent answer's place."""
        places = Counter(item.answer for item in self.suite.items)
        return max(places.values()) / len(self.suite.items)

    @property
    def length_only(self) -> float:
        """Accuracy of always giving the shortest choice, or the longest, whichever is better."""
        return max(_by_length(self.suite, min), _by_length(self.suite, max))

    @property
    def micro(self) -> float:
        """Accuracy over items."""
        return float(self.right.mean())

    @property
    def mean_of_groups(self) -> float:
        """Mean of the groups' accuracies, each group counting alike."""
        return float(np.mean([accuracy for accuracy, _, _ in self.by_group().values()]))

    @property
    def macro_f1(self) -> float | None:
        """Mean of the classes' F1, as KoBEST publishes it; None where choices are no classes."""
        answers = [item.answer for item in self.suite.items]
        return macro_f1(answers, self.chosen) if self.suite.labels else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of `micro`; None where all items are of one cluster."""
        return _interval(self.right, self.clusters)

    def by_group(self) -> dict[str, tuple[float, tuple[float, float] | None, int]]:
        """Accuracy, interval and number of items of each group."""
        return self._by([item.group for item in self.suite.items])

    def by_level(self) -> dict[int, tuple[float, tuple[float, float] | None, int]]:
        """The same of each level, from easy to hard; empty where items are not graded."""
        levels = [item.level for item in self.suite.items]
        return self._by(levels) if any(levels) else {}

    def _by(self, names: Sequence) -> dict:
        members = defaultdict(list)
        for name, right, cluster in zip(names, self.right, self.clusters, strict=True):
            members[name].append((right, cluster))
        found = {}
        for name in sorted(members):
            right, clusters = zip(*members[name], strict=True)
            found[name] = (float(np.mean(right)), _interval(right, clusters), len(right))
        return found

    def as_dict(self) -> dict:
        """The figures, for JSON; accuracies and F1 are shares from 0 to 1."""
        figures = {
            "suite": self.suite.name,
            "unit": "share",
            "items": len(self.right),
            "clusters": len(set(self.clusters)),
            "shots": self.suite.shots,
            "accuracy": self.micro,
            "interval": self.interval,
            "mean_of_groups": self.mean_of_groups,
            "macro_f1": self.macro_f1,
            "baselines": {"majority": self.majority, "length": self.length_only},
            "by_item": list(zip(self.clusters, self.right.tolist(), strict=True)),
            **{
                name: {
                    part: {"accuracy": accuracy, "interval": interval, "items": items}
                    for part, (accuracy, interval, items) in parts.items()
                }
                for name, parts in (("by_group", self.by_group()), ("by_level", self.by_level()))
            },
        }
        if self.suite.shots:
            figures["shots_from"] = self.suite.shots_from
        if self.interval is None:
            figures["no_interval_because"] = "all items are of one cluster"
        return figures


def macro_f1(answers: Sequence[int], chosen: Sequence[int]) -> float:
    """Mean F1 over the classes that occur, as sklearn's f1_score(average="macro")."""
    answers, chosen = np.asarray(answers), np.asarray(chosen)
    scores = []
    for label in np.union1d(answers, chosen):
        both = np.sum((answers == label) & (chosen == label))
        scores.append(2 * both / (np.sum(answers == label) + np.sum(chosen == label)))
    return float(np.mean(scores))


def _interval(right, clusters) -> tuple[float, float] | None:
    """Wilson's where each item is a cluster of its own, and where not by drawing clusters.

    Clusters that all come out alike would leave no width at all, so the interval is never
    narrower than if the items were independent.
    """
    low, high = share_interval(right)
    if len(set(clusters)) == len(clusters):
        return low, high
    drawn = cluster_interval(right, clusters)
    return drawn and (min(low, drawn[0]), max(high, drawn[1]))


def evaluate_suite(model: Model, suite: Suite, *, progress: bool = False) -> SuiteResult:
    """Score a suite's items with a model.

    Args:
        model: as from `models.load`.
        suite: from `load_suites`.
        progress: show progress.

    Raises:
        UserError: a score is not finite.
    """
    scores = score_choices(
        model,
        [item.prompt for item in suite.items],
        [item.choices for item in suite.items],
        progress=progress,
    )
    check_finite([score.nats for its in scores for score in its], model.name)
    return judge(suite, scores)


def judge(suite: Suite, scores: Sequence[Sequence[Score]]) -> SuiteResult:
    """Turn scores of a suite's choices, item by item, into a result."""
    right, margins, chosen = [], [], []
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
        chosen.append(int(np.argmax(values)))
    return SuiteResult(suite, np.array(right), np.array(margins), tuple(chosen))


def _by_length(suite: Suite, pick) -> float:
    """Accuracy of choosing by length alone; ties share."""
    hits = 0.0
    for item in suite.items:
        sizes = [len(choice) for choice in item.choices]
        chosen = [i for i, size in enumerate(sizes) if size == pick(sizes)]
        hits += (item.answer in chosen) / len(chosen)
    return hits / len(suite.items)


def format_results(
    results: Sequence[SuiteResult],
    bands: Sequence[dict[str, tuple[float, float]]] | None = None,
) -> str:
    """A table for people: each suite, and its groups where it has several.

    Args:
        results: of the suites.
        bands: of each suite, what models without the skill get, by group (`null_models.band`).
    """
    lines = [
        f"{'':<24}{'items':>7}{'accuracy':>10}{'95%':>15}{'groups':>8}{'macro F1':>10}"
        f"{'majority':>10}{'length':>8}" + f"{'null models':>15}" * bool(bands)
    ]
    for result, band in zip(results, bands or [{}] * len(results), strict=True):
        suite, groups = result.suite, result.by_group()
        f1 = "–" if result.macro_f1 is None else f"{result.macro_f1:.1%}"
        lines.append(
            f"{suite.name:<24}{len(result.right):>7,}{result.micro:>10.1%}"
            f"{_span(result.interval):>15}{result.mean_of_groups:>8.1%}{f1:>10}"
            f"{result.majority:>10.1%}{result.length_only:>8.1%}"
            + (f"{_span(band['']):>15}" if band else "")
        )
        parts = {f"level {level}": found for level, found in result.by_level().items()}
        parts |= groups if len(groups) > 1 else {}
        for part, (accuracy, interval, items) in parts.items():
            lines.append(
                f"  {part:<22}{items:>7,}{accuracy:>10.1%}{_span(interval):>15}"
                + (f"{_span(band[part]):>51}" if part in band else "")
            )
        if suite.shots:
            lines.append(f"  {suite.shots} examples before every question: {suite.shots_from}")
    lines.append(
        "accuracy over items, and as mean of the groups; macro F1 where choices are classes; "
        "majority: the commonest answer's place; length: the shortest choice or the longest, "
        "whichever is better; intervals by clusters of items that are not independent"
        + "; null models: the range of seven models without the skill; others were outside of it, "
        "in a group by less than their interval, in a whole suite by up to 3 points" * bool(bands)
    )
    return "\n".join(lines)


def _span(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.1%}–{interval[1]:.1%}"
