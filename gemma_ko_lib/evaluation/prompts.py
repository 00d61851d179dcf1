"""The same questions asked in another way: by letter with the choices shown, or after examples.

Published figures come from one way or the other. Small models do better when the likelihood of
the answers themselves is compared (cloze); KMMLU and CLIcK are usually reported by letter, and
with five examples.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gemma_ko_lib.evaluation.items import Item, Suite
from gemma_ko_lib.runtime import UserError

ASK = "\n정답:"
LETTERS = "ABCDEFGHIJ"  # KoBALT has ten choices


def by_letter(suite: Suite) -> Suite:
    """Show the choices under each question; the answer is then a letter.

    Args:
        suite: of questions that end in "정답:": culture or knowledge. A question that is asked by
            letter already stays as it is.

    Raises:
        UserError: it has other items.

    Example:
        >>> from gemma_ko_lib.evaluation import load_suites
        >>> (culture,) = load_suites("culture")
        >>> by_letter(culture).items[0].choices
        (' A', ' B', ' C', ' D')
    """
    items = []
    for item in suite.items:
        letters = tuple(f" {letter}" for letter in LETTERS[: len(item.choices)])
        if item.choices in (letters, tuple(f" ({letter.strip()})" for letter in letters)):
            items.append(item)
            continue
        if not item.prompt.endswith(ASK):
            raise UserError(
                f"{suite.name} cannot be asked by letter: item {item.id} does not end in "
                "'정답:'. culture and knowledge can."
            )
        shown = zip(LETTERS, item.choices, strict=False)
        listed = "".join(f"\n{letter}.{choice}" for letter, choice in shown)
        prompt = item.prompt.removesuffix(ASK) + listed + ASK
        items.append(dataclasses.replace(item, prompt=prompt, choices=letters))
    return dataclasses.replace(suite, items=tuple(items), per_character=False)


def few_shot(suite: Suite, shots: int, seed: int = 0) -> Suite:
    """Put examples with their answers before every question.

    They are drawn from the training split, as in the papers, where `load_suites` has read one:
    for each group its own where the split is made so, and never an item that is asked. Without
    it they are items of the suite itself, evenly spaced, which are then not asked. All questions
    (of a group) have the same ones, so that a row of questions computes them once.

    Args:
        suite: of questions.
        shots: how many examples.
        seed: of the draw.

    Returns:
        The suite, which says in `shots_from` where its examples come from.

    Raises:
        UserError: the suite has minimal pairs, or too few items for so many examples.
    """
    if not all(item.prompt for item in suite.items):
        raise UserError(f"{suite.name} has minimal pairs, which are not asked after examples.")
    if suite.examples:
        items, before = suite.items, _from_split(suite, shots, seed)
        source = f"the training split, {suite.examples.source}, drawn with seed {seed}"
    elif shots >= len(suite.items):
        raise UserError(
            f"{suite.name} has {len(suite.items)} items, too few for {shots} examples "
            "and a question."
        )
    else:
        chosen = [(2 * n + 1) * len(suite.items) // (2 * shots) for n in range(shots)]
        examples = [suite.items[place] for place in chosen]
        items = [item for item in suite.items if item not in examples]
        before = dict.fromkeys((item.group for item in items), _solved(examples))
        source = "items of the tested file, evenly spaced, which are not asked"
    items = tuple(
        dataclasses.replace(item, prompt=before[item.group] + item.prompt) for item in items
    )
    return dataclasses.replace(suite, items=items, shots=shots, shots_from=source)


def _from_split(suite: Suite, shots: int, seed: int) -> dict[str, str]:
    """Examples of the training split, by the group that is asked after them."""
    asked = {item.prompt for item in suite.items}
    others = [item for item in suite.examples.items if item.prompt not in asked]
    by_group = suite.examples.by_group
    before = {}
    for group in dict.fromkeys(item.group for item in suite.items):
        its = [item for item in others if item.group == group] if by_group else others
        if len(its) < shots:
            where = f" for {group}" if by_group else ""
            raise UserError(
                f"{suite.name} has {len(its)} examples{where} in {suite.examples.source}, too "
                f"few for --shots {shots}. Ask for fewer, or leave those files out of --data: "
                "then examples are taken from the tested file."
            )
        chosen = np.random.default_rng(seed).choice(len(its), shots, replace=False)
        before[group] = _solved([its[place] for place in chosen])
    return before


def _solved(examples: Sequence[Item]) -> str:
    return "".join(f"{item.prompt}{item.choices[item.answer]}\n\n" for item in examples)
