"""Personal data: text in, where it stands or the text without it out.

`find_pii` names what stands where, `mask_pii` replaces it, by a placeholder such as
[전화번호] or by a surrogate: another number of the same form. How each kind is recognised is
in `numbers`, `mixed`, `links`, `secrets` and, on request only, `names`.
"""

import string
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gemma_ko_lib.corpus.pii import links, mixed, numbers, secrets
from gemma_ko_lib.corpus.pii.surrogates import surrogate
from gemma_ko_lib.corpus.pii.written_forms import BLOCK, plain_forms
from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS
from gemma_ko_lib.runtime import UserError

REPLACEMENTS = ("placeholder", "surrogate")
URLS = ("personal", "all", "keep")


class PiiSpan(NamedTuple):
    """A piece of personal data.

    Attributes:
        kind: a key of `placeholders.PLACEHOLDERS`.
        start: of its first character.
        end: after its last character.
    """

    kind: str
    start: int
    end: int


# What stands beside an identifier may speak against it and be personal itself: once it is
# masked, the identifier is looked at again. A masked text masked again thus stays the same.
_ROUNDS = 4
_LETTERS, _DIGITS = string.ascii_letters.encode(), string.digits.encode()


def find_pii(text: str, urls: str = "personal", names: bool = False) -> list[PiiSpan]:
    """Find personal data; the spans are sorted and do not overlap.

    Args:
        text: a document.
        urls: which links count: "personal" (to a person's page), "all", or none ("keep").
        names: find Korean names and dates of birth too, with the analyser Kiwi (slow): of
            KLUE's persons two in three with three syllables, hardly any with two, none that
            is foreign; one in twenty of what it reports is a place or a firm.

    Raises:
        UserError: for another value of `urls`.

    Example: find_pii("전화는 010-0123-4567로") → [PiiSpan("phone", 4, 17)].
    """
    if urls not in URLS:
        raise UserError(f"urls is one of {', '.join(URLS)}, not {urls}.")
    spans: list[PiiSpan] = []
    for _ in range(_ROUNDS):
        found = _find(plain_forms(text), urls, names and not spans)
        if not found:
            break
        spans += found
        # Nothing runs through it, as if it were masked.
        text = _replaced(text, found, lambda _, identifier: BLOCK * len(identifier))
    return sorted(spans, key=lambda span: span.start)


def _replaced(text: str, spans: Iterable[PiiSpan], new: Callable[[str, str], str]) -> str:
    """The text with what `new` makes of each span's kind and identifier in its place."""
    pieces, done = [], 0
    for kind, start, end in spans:
        pieces += [text[done:start], new(kind, text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])


_FIND_LINKS = {"personal": links.find_links, "all": links.find_all_links, "keep": lambda text: ()}
# Rank, kind, the fewest Latin letters and digits of a text that may hold some, what finds them.
# In the order of their ranks they claim a place; 0 is that of links, 3 to 10 are those of numbers.
_FINDERS = (
    (-1, "secret", 1, 0, secrets.find_secrets),
    (1, "email", 0, 0, mixed.find_emails),
    (2, "passport", 1, numbers.FEWEST_DIGITS, mixed.find_passports),
    (50, "address", 0, 1, mixed.find_addresses),
    (51, "vehicle_plate", 0, mixed.FEWEST_DIGITS_OF_A_PLATE, mixed.find_plates),
    (52, "ip", 0, 1, mixed.find_ips),
)


def _find(plain: str, urls: str, names: bool) -> list[PiiSpan]:
    """What is found at once in a text of plain forms."""
    candidates = _find_names(plain) if names else []
    # Counting letters and digits among bytes costs less than looking for one of these kinds.
    latin = plain.encode("ascii", "ignore")
    letters = len(latin) - len(latin.translate(None, _LETTERS))
    digits = len(latin) - len(latin.translate(None, _DIGITS))
    if not letters and not digits:
        return _without_overlaps(plain, candidates)
    if letters:
        candidates += [(0, *span, "url") for span in _FIND_LINKS[urls](plain)]
    for rank, kind, fewest_letters, fewest_digits, find in _FINDERS:
        if letters >= fewest_letters and digits >= fewest_digits:
            candidates += [(rank, *span, kind) for span in find(plain)]
    if digits >= numbers.FEWEST_DIGITS:
        candidates += [
            (3 + rank, start, end, kind)
            for rank, start, end, kind in numbers.find_numbers(plain)
            if not links.is_in_link(plain, start)
        ]
    return _without_overlaps(plain, candidates)


def _find_names(plain: str) -> list[tuple[int, int, int, str]]:
    # Kiwi's package takes a second to import, and most runs do without.
    from gemma_ko_lib.corpus.pii.names import find_birth_dates, find_names

    found = [(49, *span, "birth_date") for span in find_birth_dates(plain)]
    return found + [(60, *span, "name") for span in find_names(plain)]


def _without_overlaps(plain: str, candidates: Iterable[tuple[int, int, int, str]]) -> list[PiiSpan]:
    """The candidates that no candidate of a lower rank overlaps."""
    spans, taken = [], bytearray(len(plain))
    for _, start, end, kind in sorted(candidates):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            spans.append(PiiSpan(kind, start, end))
    return sorted(spans, key=lambda span: span.start)


def mask_pii(
    text: str,
    replacement: str = "placeholder",
    seed: int = 0,
    *,
    urls: str = "personal",
    names: bool = False,
) -> str:
    """Replace personal data; see `find_pii` and `mask_spans`.

    Example: mask_pii("전화는 010-0123-4567로") → "전화는 [전화번호]로".
    """
    return mask_spans(text, find_pii(text, urls, names), replacement, seed)


def mask_spans(
    text: str, spans: Iterable[PiiSpan], replacement: str = "placeholder", seed: int = 0
) -> str:
    """Replace the spans that `find_pii` found, for who wants to count them too.

    Args:
        text: where they were found.
        spans: sorted, not overlapping.
        replacement: "placeholder", one word for each kind, or "surrogate", another identifier
            of the same form, made from the identifier and the seed alone: the same one gets
            the same surrogate in every document.
        seed: of the surrogates.

    Raises:
        UserError: for another replacement.
    """
    if replacement not in REPLACEMENTS:
        raise UserError(f"replacement is one of {', '.join(REPLACEMENTS)}, not {replacement}")
    if replacement == "placeholder":
        return _replaced(text, spans, lambda kind, _: PLACEHOLDERS[kind])
    return _replaced(text, spans, lambda kind, identifier: surrogate(kind, identifier, seed))
