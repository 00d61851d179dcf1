"""What a rule says about itself: its name in reports, a sentence, an example that a test runs."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of cleaning.

    Attributes:
        name: as counted in reports.
        what: what it does and why, in a sentence.
        example: a text that it changes or drops.
        becomes: the text after cleaning; None for a rule that drops documents.
        register: of the example.
    """

    name: str
    what: str
    example: str
    becomes: str | None = None
    register: str | None = None


def rule(
    example: str, becomes: str | None = None, register: str | None = None
) -> Callable[[Callable], Callable]:
    """Decorate the function that is a rule; its name and docstring become the rule's."""

    def with_rule(function: Callable) -> Callable:
        what = " ".join(function.__doc__.split("\n\n")[0].split())
        function.rule = Rule(function.__name__, what, example, becomes, register)
        return function

    return with_rule
