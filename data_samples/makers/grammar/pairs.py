"""Minimal pairs: two sentences alike but for one point of grammar, of which one is right.

A model knows the point when it finds `good` likelier than `bad` (BLiMP, arXiv 1912.00582).
A rule is one line, with the choice in brackets, good first, and the words in braces:

    {name:은} {act.place}에서 {act.object:을} [안|않] {act.verb:었다}.

`{name}` is drawn from the lexicon's list of that name, `{name2}` is another one, and what
follows the colon is a particle or an ending (`morphology`). Where good and bad
differ in length, as many pairs of a phenomenon have the longer one right as wrong, so that
nothing is won by preferring short sentences.
"""

import dataclasses
import itertools
import random
import re
import string
from collections.abc import Iterable, Iterator

from data_samples.makers.grammar import (
    clauses,
    english,
    particles,
    predicates,
    spelling,
    usage,
)
from data_samples.makers.grammar.lexicon import LEXICON

SEED = 20240613
PAIRS_OF_EACH = 72

_CHOICE = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


@dataclasses.dataclass(frozen=True)
class MinimalPair:
    """Two sentences that differ in one point of grammar.

    Attributes:
        id: the phenomenon and a number.
        phenomenon: what is tested, e.g. "negation".
        good: the sentence that is right.
        bad: the one that is not.
        note: the rule in words.
    """

    id: str
    phenomenon: str
    good: str
    bad: str
    note: str


def generate(
    phenomena: dict[str, str], lexicon: dict[str, list], seed: int = SEED
) -> list[MinimalPair]:
    """Fill every phenomenon's rules from the lexicon: `PAIRS_OF_EACH` pairs, never one twice.

    Raises:
        ValueError: a rule makes two equal sentences, or the rules make too few pairs.
    """
    pairs = []
    for phenomenon, rules in phenomena.items():
        rng = random.Random(f"{phenomenon} {seed}")
        chosen = _balanced(_distinct(phenomenon, rules, lexicon, rng))
        if len(chosen) < PAIRS_OF_EACH:
            raise ValueError(
                f"{phenomenon}: {len(chosen)} balanced pairs, {PAIRS_OF_EACH} wanted; add rules"
                " that make the right sentence the longer one where now it is the shorter, or back"
            )
        pairs += [
            MinimalPair(f"{phenomenon}-{number:03}", phenomenon, good, bad, note)
            for number, (good, bad, note) in enumerate(chosen[:PAIRS_OF_EACH], 1)
        ]
    return pairs


def korean_pairs(seed: int = SEED) -> list[MinimalPair]:
    """The pairs of `data_samples/grammar.jsonl`."""
    modules = (particles, predicates, clauses, usage, spelling)
    phenomena = {name: rules for module in modules for name, rules in module.PHENOMENA.items()}
    tables = {name: rows for module in modules for name, rows in module.TABLES.items()}
    return generate(phenomena, LEXICON | tables, seed)


def english_pairs(seed: int = SEED) -> list[MinimalPair]:
    """The pairs of `data_samples/grammar_en.jsonl`: what English was forgotten?"""
    return generate(english.PHENOMENA, english.TABLES, seed)


def _distinct(
    phenomenon: str, rules: str, lexicon: dict[str, list], rng: random.Random
) -> Iterator[tuple[str, str, str]]:
    """The pairs that a phenomenon's rules make, one of each rule in turn."""
    streams = []
    note = ""
    for line in filter(None, map(str.strip, rules.splitlines())):
        if line.startswith("#"):
            note = line.removeprefix("#").strip()
        else:
            streams.append(_fill(line, note, lexicon, rng))
    seen = set()
    for good, bad, note in filter(None, itertools.chain(*itertools.zip_longest(*streams))):
        if good == bad:
            raise ValueError(f"{phenomenon}: good and bad are both {good!r}")
        if not {good, bad} & seen:
            seen |= {good, bad}
            yield good, bad, note


def _fill(
    rule: str, note: str, lexicon: dict[str, list], rng: random.Random
) -> Iterator[tuple[str, str, str]]:
    """One rule with words drawn for its braces, again and again."""
    good_rule, bad_rule = (_CHOICE.sub(side, rule) for side in (r"\1", r"\2"))
    fields = (field for _, field, _, _ in string.Formatter().parse(good_rule + bad_rule) if field)
    slots = sorted({field.split(".")[0] for field in fields})
    for _ in range(PAIRS_OF_EACH if slots else 1):
        drawn: dict[str, object] = {}
        for slot in slots:
            rest = [word for word in lexicon[slot.rstrip("23")] if word not in drawn.values()]
            drawn[slot] = rng.choice(rest)
        yield good_rule.format(**drawn), bad_rule.format(**drawn), note


def _balanced(pairs: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Drop what is too much of one kind: good of more bytes than bad, or bad than good.

    The rest keeps its order, so that any even cut through it is balanced within one pair.
    """
    longer, shorter, equal = [], [], []
    for pair in pairs:
        difference = len(pair[0].encode()) - len(pair[1].encode())
        (longer if difference > 0 else shorter if difference < 0 else equal).append(pair)
    couples = [[*couple] for couple in zip(longer, shorter, strict=False)]
    share = max(1, round(len(equal) / max(1, len(couples))))
    batches = [equal[start : start + share] for start in range(0, len(equal), share)]
    mixed = itertools.chain(*itertools.zip_longest(couples, batches, fillvalue=[]))
    return list(itertools.chain(*mixed))
