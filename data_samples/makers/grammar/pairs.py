"""Minimal pairs in twins: what is right in one sentence is wrong in the other.

A model knows a point of grammar when it finds the right sentence of a pair likelier than the
wrong one (BLiMP, arXiv 1912.00582). But a model may just prefer one of the two forms wherever it
stands, because it is commoner or shorter. So a rule is a line with two sentences, each with its
choice in brackets, right form first:

    {act.object:을} [안|않] {act.verb:었다}. / {act.object:을} {act.verb:지} [않고|안고] 왔다.

`{name}` is drawn from the lexicon's list of that name, `{name2}` is another one, `{name_c}` and
`{name_o}` one that ends in a consonant or a vowel, and what follows the colon is a particle or an
ending (`morphology`). Of what is drawn only real twins are kept: the letters that differ are the
same in both sentences and change sides, and so does the difference in length, in bytes and in the
tokens of nano, Gemma 1 and Gemma 3. Whoever goes by the form alone, or by length, is then right in
exactly half of the sentences.
"""

import dataclasses
import os
import random
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from data_samples.makers.grammar import clauses, english, particles, predicates, spelling, usage
from data_samples.makers.grammar.lexicon import LEXICON

SEED = 20240613
PAIRS_OF_EACH = 72
_TRIES = 600

_CHOICE = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")
_Pair = tuple[str, str]  # the right sentence and the wrong one


@dataclasses.dataclass(frozen=True)
class MinimalPair:
    """Two sentences that differ in one point of grammar.

    Attributes:
        id: the phenomenon and a number; 2n - 1 and 2n are twins.
        phenomenon: what is tested, e.g. "negation".
        frame: the rule that made the pair and its twin; pairs of one frame are not independent.
        good: the sentence that is right.
        bad: the one that is not.
        note: the rule in words.
    """

    id: str
    phenomenon: str
    frame: str
    good: str
    bad: str
    note: str


def korean_pairs(tokenizers: Sequence, seed: int = SEED) -> list[MinimalPair]:
    """The pairs of `data_samples/grammar.jsonl`."""
    modules = (particles, predicates, clauses, usage, spelling)
    phenomena = {name: rules for module in modules for name, rules in module.PHENOMENA.items()}
    tables = {name: rows for module in modules for name, rows in module.TABLES.items()}
    return generate(phenomena, LEXICON | tables, tokenizers, seed)


def english_pairs(tokenizers: Sequence, seed: int = SEED) -> list[MinimalPair]:
    """The pairs of `data_samples/grammar_en.jsonl`: what English was forgotten?"""
    return generate(english.PHENOMENA, english.TABLES, tokenizers, seed)


def generate(
    phenomena: dict[str, str], lexicon: dict[str, list], tokenizers: Sequence, seed: int = SEED
) -> list[MinimalPair]:
    """Fill every phenomenon's rules from the lexicon: `PAIRS_OF_EACH` pairs, never one twice.

    Args:
        phenomena: lines of rules by name; a line that starts with # is the note of those below.
        lexicon: the words, by the names that stand in braces.
        tokenizers: in whose tokens lengths are to be balanced, beside bytes.
        seed: draws other words.

    Raises:
        ValueError: the rules of a phenomenon make too few twins.
    """
    pairs = []
    for phenomenon, text in phenomena.items():
        streams, note = [], ""
        for line in _joined(text):
            if line.startswith("#"):
                note = line.removeprefix("#").strip()
                continue
            frame = f"{phenomenon}/{len(streams) + 1}"
            rng = random.Random(f"{frame} {seed}")
            streams.append((frame, note, _twins(line, lexicon, tokenizers, rng)))
        chosen, seen = [], set()
        while streams and len(chosen) < PAIRS_OF_EACH:  # one of each frame in turn
            frame, note, stream = streams.pop(0)
            for twins in stream:
                sentences = {sentence for pair in twins for sentence in pair}
                if len(sentences) == 4 and not sentences & seen:
                    seen |= sentences
                    chosen += [(frame, note, *pair) for pair in twins]
                    streams.append((frame, note, stream))
                    break
        if len(chosen) < PAIRS_OF_EACH:
            raise ValueError(
                f"{phenomenon}: {len(chosen)} pairs with a twin, {PAIRS_OF_EACH} wanted; add rules "
                "or words in which the same two forms are right and wrong by turns"
            )
        pairs += [
            MinimalPair(f"{phenomenon}-{number:03}", phenomenon, frame, good, bad, note)
            for number, (frame, note, good, bad) in enumerate(chosen, 1)
        ]
    return pairs


def _joined(text: str) -> list[str]:
    """Lines of rules; a note, and a rule before its slash, may go on in the next line."""
    text = re.sub(r"(?m)(^ *#.*)\n *#", r"\1", text)
    return [line.strip() for line in re.sub(r"\n */", " /", text).splitlines() if line.strip()]


def _twins(
    rule: str, lexicon: dict[str, list], tokenizers: Sequence, rng: random.Random
) -> Iterator[tuple[_Pair, _Pair]]:
    """A rule with words drawn for its braces: those fillings that make twins."""
    first, second = rule.split(" / ")
    sides = [_CHOICE.sub(rf"\{side}", half) for half in (first, second) for side in (1, 2)]
    fields = (field for side in sides for _, field, _, _ in string.Formatter().parse(side))
    slots = sorted({field.split(".")[0] for field in fields if field})
    for _ in range(_TRIES):
        drawn: dict[str, object] = {}
        for slot in slots:
            rest = [word for word in _words(slot, lexicon) if word not in drawn.values()]
            drawn[slot] = rng.choice(rest)
        a_good, a_bad, b_good, b_bad = (side.format(**drawn) for side in sides)
        if are_twins((a_good, a_bad), (b_good, b_bad), tokenizers):
            yield (a_good, a_bad), (b_good, b_bad)


def _words(slot: str, lexicon: dict[str, list]) -> list:
    """The list of a slot, or its part that ends in a consonant (_c) or a vowel (_o)."""
    name = slot.rstrip("23")
    if name in lexicon:
        return lexicon[name]
    name, _, last = name.rpartition("_")
    closed = {"c": True, "o": False}[last]
    return [w for w in lexicon[name] if _is_closed(getattr(w, "noun", w)) == closed]


def _is_closed(word: str) -> bool:
    return (ord(word[-1]) - 0xAC00) % 28 > 0


def are_twins(first: _Pair, second: _Pair, tokenizers: Sequence) -> bool:
    """Whether the same letters differ, the other way round, at the same cost in tokens."""
    if difference(*first) != difference(*second)[::-1]:
        return False
    lengths: list[Callable[[str], int]] = [lambda text: len(text.encode())]
    lengths += [lambda text, of=of: len(of.encode([text])[0]) for of in tokenizers]
    return all(
        length(first[0]) - length(first[1]) == length(second[1]) - length(second[0])
        for length in lengths
    )


def difference(good: str, bad: str) -> tuple[str, str]:
    """What is left of two sentences, in letters (자모), without the beginning and end in common."""
    good, bad = (unicodedata.normalize("NFD", text) for text in (good, bad))
    start = len(os.path.commonprefix([good, bad]))  # noqa: RUF071
    good, bad = good[start:], bad[start:]
    end = len(os.path.commonprefix([good[::-1], bad[::-1]]))  # noqa: RUF071
    return good[: len(good) - end], bad[: len(bad) - end]
