"""Mixtures: which group a document belongs to, and what share of the tokens each group gets.

A group is a language ("ko"), a register ("news") or both ("ko/news"). `mixed_shards` writes the
token shards with the shares that are computed here.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime import UserError

if TYPE_CHECKING:
    from datatrove.data import Document

GROUPINGS = ("language", "register", "language/register")
REST = "rest"


@dataclasses.dataclass(frozen=True)
class Mixture:
    """What to mix; by default everything in its natural proportions, once.

    Attributes:
        weights: share of each group, on any scale. A key is a language, a register,
            "language/register", or "rest" for documents that no other key names; the most exact key
            wins. Documents that no key names are left out.
        temperature: without weights, a group of n tokens gets a share in proportion to n^(1/T).
            1 leaves the sizes as they are, a large T makes all groups equal (Arivazhagan and
            others 2019, arXiv 1907.05019, with T = 5; mT5, arXiv 2010.11934: α = 1/T = 0.3).
        by: the groups that the temperature applies to, one of `GROUPINGS`.
        tokens: how many to write; by default as many as the groups have.
        once: a key of the weights whose documents all come exactly once. This sets the number of
            tokens; the other groups get their shares, as replay against forgetting wants it.

    Raises:
        UserError: a setting makes no sense, or two of them contradict each other.
    """

    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    temperature: float = 1.0
    by: str = GROUPINGS[-1]
    tokens: int | None = None
    once: str | None = None

    def __post_init__(self):
        for key, weight in self.weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise UserError(
                    f"The weight of '{key}' is {weight:g}; it must be above 0. Leave a group out "
                    "by not naming it."
                )
        if not (math.isfinite(self.temperature) and self.temperature >= 1):
            raise UserError(
                f"The temperature is {self.temperature:g}; give 1 (natural sizes) or more (towards "
                "equal shares)."
            )
        if self.weights and self.temperature != 1:
            raise UserError("Weights and a temperature both set the shares; give one of them.")
        if self.weights and self.by != GROUPINGS[-1]:
            raise UserError("Weights name their groups themselves; leave the grouping out.")
        if self.by not in GROUPINGS:
            raise UserError(f"No grouping by '{self.by}'; there are {', '.join(GROUPINGS)}.")
        if self.tokens is not None and self.tokens < 1:
            raise UserError(f"The number of tokens is {self.tokens:,}; give 1 or more.")
        if self.once is not None and (self.once not in self.weights or self.tokens):
            raise UserError(
                f"'{self.once}' is to come once, which sets the number of tokens from its weight; "
                "give it a weight, and no number of tokens."
            )


def parse_weights(given: Sequence[str]) -> dict[str, float]:
    """Read weights as they are typed: "ko=0.7", "news=2".

    Raises:
        UserError: not KEY=NUMBER, or a key is there twice.
    """
    weights: dict[str, float] = {}
    for text in given:
        key, _, number = text.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            key = ""
        if not key:
            raise UserError(f"A weight is KEY=NUMBER, e.g. ko=0.7 or ko/news=2, not '{text}'.")
        if key in weights:
            raise UserError(f"There are two weights for '{key}'; give one.")
        weights[key] = weight
    return weights


# --- Groups -------------------------------------------------------------------------------

_LOOKED_AT = 2000


def language_of(document: "Document") -> str:
    """Return a document's language: from its metadata, or else from its script."""
    from gemma_ko_lib.corpus.cleaning.language import identify

    known = document.metadata.get("language") or document.metadata.get("lang")
    return str(known) if known else identify(document.text[:_LOOKED_AT]).main


def group_of(language: str, register: str, mixture: Mixture) -> str | None:
    """Return the group that a document belongs to; None if it is left out.

    Raises:
        UserError: two keys name it, and neither is more exact than the other.
    """
    weights = mixture.weights
    if not weights:
        by = {"language": language, "register": register}
        return by.get(mixture.by, f"{language}/{register}")
    both = f"{language}/{register}"
    if both in weights:
        return both
    if language in weights and register in weights and language != register:
        raise UserError(
            f"Documents of {both} are named by '{language}' and by '{register}'; give a weight for "
            f"'{both}' too, or name each document once."
        )
    return next((key for key in (language, register, REST) if key in weights), None)


# --- Shares -------------------------------------------------------------------------------


def shares(mixture: Mixture, sizes: Mapping[str, int]) -> dict[str, Fraction]:
    """Compute each group's share of the tokens; the shares add up to 1.

    Args:
        mixture: holds weights or a temperature.
        sizes: tokens that each group has.
    """
    if mixture.weights:
        parts = {name: Fraction(mixture.weights[name]) for name in sizes}
    elif mixture.temperature == 1:
        parts = {name: Fraction(size) for name, size in sizes.items()}
    else:
        # Relative to the largest, so that no power is too large for a float.
        largest, power = max(sizes.values()), 1 / mixture.temperature
        parts = {name: Fraction((size / largest) ** power) for name, size in sizes.items()}
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}


def apportion(total: int, parts: Mapping[str, Fraction]) -> dict[str, int]:
    """Divide a whole number by shares that add up to 1, by the method of largest remainders.

    Each name gets its exact part rounded down; what is left goes, one by one, to the names with
    the largest remainders, and to the first in order of name where these are equal.
    """
    exact = {name: total * part for name, part in parts.items()}
    whole = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return whole
