"""Cleaning one text: rewriting rules to a fixed point, then filters.

In goes a raw text and its register, out comes the cleaned text and, when the document
should not be trained on, the name of the rule that says so. What a rule does stands
beside it, in `rewriting`, `boilerplate` and `filters`.
"""

import dataclasses
from collections.abc import Callable

from gemma_ko_lib.corpus.boilerplate import remove_boilerplate
from gemma_ko_lib.corpus.filters import failed_filter, settings_for
from gemma_ko_lib.corpus.rewriting import (
    compose_hangul,
    is_clean,
    remove_invisible,
    shorten_runs,
    strip_html,
    tidy_whitespace,
)

Rewrite = Callable[[str], str]
# Decoding comes first, since what it uncovers the others clean. News boilerplate is looked
# for after them, in the registers that have it; the gaps it leaves are tidied in the next pass.
REWRITES: list[tuple[str, Rewrite]] = [
    ("compose_hangul", compose_hangul),
    ("strip_html", strip_html),
    ("remove_invisible", remove_invisible),
    ("shorten_runs", shorten_runs),
    ("tidy_whitespace", tidy_whitespace),
]
BOILERPLATE: tuple[str, Rewrite] = ("remove_boilerplate", remove_boilerplate)
_MOST_PASSES = 12


@dataclasses.dataclass(frozen=True, slots=True)
class CleanResult:
    """What became of a text.

    Attributes:
        text: the cleaned text, also of a dropped document.
        dropped_by: name of the rule that drops the document, or None.
        changed_by: names of the rules that changed the text; not part of what is compared,
            so that cleaning twice gives an equal result.
    """

    text: str
    dropped_by: str | None
    changed_by: tuple[str, ...] = dataclasses.field(default=(), compare=False)


def clean_text(text: str, register: str | None = None) -> CleanResult:
    """Clean one Korean text and decide whether to keep it.

    Cleaning a cleaned text changes nothing, so a corpus can be cleaned again after a rule
    was added: the rules run until none of them finds anything to do.

    Args:
        text: a document, as it was found.
        register: "news", "encyclopedia", "book", "blog", "community", "notice", "review",
            "comment" or "chat"; any other name, or None, means moderate settings chosen
            by the text's length.

    Example:
        >>> clean_text("하하ㅋㅋㅋㅋ 최고예요!!!!<br>", "review").text
        '하하ㅋㅋ 최고예요!!'
    """
    changed: dict[str, None] = {}
    limits = settings_for(text, register)
    for _ in range(_MOST_PASSES):
        before = text
        rules = [] if is_clean(text) else REWRITES
        for name, rewrite in [*rules, BOILERPLATE] if limits.boilerplate else rules:
            rewritten = rewrite(text)
            if rewritten != text:
                changed[name] = None
                text = rewritten
        if text == before:
            return CleanResult(text, failed_filter(text, limits), (*changed,))
        limits = settings_for(text, register)
    # Only layers of escapes that somebody piled up on purpose get here.
    return CleanResult(text, "nested_markup", (*changed,))
