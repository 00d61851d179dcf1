"""The same questions asked in another way: by letter with the choices shown, or after examples.

Published figures come from one way or the other. Small models do better when the likelihood of
the answers themselves is compared (cloze); KMMLU and CLIcK are usually reported by letter, and
with five examples.
"""

import dataclasses

from gemma_ko_lib.evaluation.items import Suite
from gemma_ko_lib.runtime import UserError

ASK = "\n정답:"
LETTERS = "ABCDEFGH"


def by_letter(suite: Suite) -> Suite:
    """Show the choices under each question; the answer is then a letter.

    Args:
        suite: of questions that end in "정답:": culture or knowledge.

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
        if not item.prompt.endswith(ASK):
            raise UserError(
                f"{suite.name} cannot be asked by letter: item {item.id} does not end in "
                "'정답:'. culture and knowledge can."
            )
        shown = zip(LETTERS, item.choices, strict=False)
        listed = "".join(f"\n{letter}.{choice}" for letter, choice in shown)
        letters = tuple(f" {letter}" for letter in LETTERS[: len(item.choices)])
        prompt = item.prompt.removesuffix(ASK) + listed + ASK
        items.append(dataclasses.replace(item, prompt=prompt, choices=letters))
    return dataclasses.replace(suite, items=tuple(items), per_character=False)


def few_shot(suite: Suite, shots: int) -> Suite:
    """Put examples with their answers before every question.

    They are `shots` items of the suite itself, evenly spaced, which are then not asked. All
    questions have the same ones, so that a row of questions computes them once.

    Args:
        suite: of questions.
        shots: how many examples.

    Raises:
        UserError: the suite has minimal pairs, or no more items than examples.
    """
    if not all(item.prompt for item in suite.items):
        raise UserError(f"{suite.name} has minimal pairs, which are not asked after examples.")
    if shots >= len(suite.items):
        raise UserError(
            f"{suite.name} has {len(suite.items)} items, too few for {shots} examples "
            "and a question."
        )
    chosen = [(2 * n + 1) * len(suite.items) // (2 * shots) for n in range(shots)]
    examples = [suite.items[place] for place in chosen]
    before = "".join(f"{item.prompt}{item.choices[item.answer]}\n\n" for item in examples)
    items = tuple(
        dataclasses.replace(item, prompt=before + item.prompt)
        for item in suite.items
        if item not in examples
    )
    return dataclasses.replace(suite, items=items)
