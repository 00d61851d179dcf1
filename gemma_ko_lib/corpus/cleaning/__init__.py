"""Cleaning one text: rewriting rules to a fixed point, then filters, then scores.

In goes a raw text, its register and what the corpus says about its language; out comes the
cleaned text, the name of the rule that drops it if one does, and scores worth keeping. Each
rule stands in a module of its own kind (`markup`, `rewriting`, `boilerplate`, `filters` …), with
its example for people; `REWRITING` and `DROPPING` list them in the order in which they run.
"""

import dataclasses
from collections.abc import Callable, Iterable

from gemma_ko_lib.corpus.cleaning.boilerplate import remove_boilerplate
from gemma_ko_lib.corpus.cleaning.filters import (
    LINE_FILTERS,
    TEXT_FILTERS,
    Measured,
    RegisterSettings,
    failed_filter,
    for_other_language,
    settings_for,
)
from gemma_ko_lib.corpus.cleaning.hangul import compose_hangul, join_spaced_out
from gemma_ko_lib.corpus.cleaning.language import Languages, identify, known_languages
from gemma_ko_lib.corpus.cleaning.markup import strip_html
from gemma_ko_lib.corpus.cleaning.mojibake import repair_mojibake
from gemma_ko_lib.corpus.cleaning.repeats import collapse_repeats
from gemma_ko_lib.corpus.cleaning.rewriting import (
    is_clean,
    is_ordinary,
    remove_invisible,
    shorten_runs,
    tidy_whitespace,
)
from gemma_ko_lib.corpus.cleaning.rules import Rule
from gemma_ko_lib.corpus.cleaning.scores import ADVERT, advert_score, profanity_score
from gemma_ko_lib.corpus.cleaning.verbatim import hide, restore

Rewrite = Callable[[str], str]
Step = tuple[str, str, str]  # a rule, the text before it and after it
# Decoding comes first, since what it uncovers the others clean. These two also see code.
_DECODING: tuple[Rewrite, ...] = (repair_mojibake, compose_hangul)
# Joining needs the wide gaps that tidying takes away.
_CHARACTERS: tuple[Rewrite, ...] = (
    remove_invisible,
    shorten_runs,
    join_spaced_out,
    tidy_whitespace,
)
_OF_ODD_CHARACTERS = {*_DECODING, remove_invisible}
CHARACTER_RULES = (*_DECODING, strip_html, *_CHARACTERS)
# The gaps that the last two leave are tidied in the next pass.
REWRITING = tuple(
    rewrite.rule for rewrite in (*CHARACTER_RULES, collapse_repeats, remove_boilerplate)
)
_NESTED = Rule(
    "nested_markup",
    "Layers of escapes without end, which somebody piled up on purpose.",
    "글 &" + "#38;" * 30 + "lt; 글",
)
_FOREIGN = Rule(
    "foreign",
    "Less than half of the text, in bytes of letters, is in a language that is wanted.",
    "한국어 페이지\nThe rest of this page has never been translated into Korean at all.",
)
DROPPING = (
    _NESTED,
    _FOREIGN,
    *(fails.rule for fails in (*TEXT_FILTERS, *LINE_FILTERS)),
    ADVERT,
)
_MOST_PASSES = 12
# Less than half of it in a wanted language, and it is a foreign text with Korean in it.
_LEAST_WANTED = 0.5
_ADVERT = 0.8


# Not frozen: that would take three times as long to make, for every document.
@dataclasses.dataclass(slots=True)
class CleanResult:
    """What became of a text.

    Attributes:
        text: the cleaned text, also of a dropped document.
        dropped_by: name of the rule that drops the document, or None.
        changed_by: names of the rules that changed the text; not part of what is compared,
            so that cleaning twice gives an equal result.
        lost: characters that each of these rules took away, in the same order; below 0 where it
            added some.
        scores: what is worth knowing about a kept text, only where there is something to
            say: "language" where it is not Korean or not what the corpus says,
            "language_score" where a model was asked, "language_share" where part of the
            text is in other languages, "advert" and "profanity" above 0.
        steps: each rewriting that changed the text: rule, text before, text after; to show
            examples.
    """

    text: str
    dropped_by: str | None
    changed_by: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    lost: tuple[int, ...] = dataclasses.field(default=(), compare=False)
    scores: dict[str, float | str] = dataclasses.field(default_factory=dict)
    steps: list[Step] = dataclasses.field(default_factory=list, compare=False, repr=False)


def clean_text(
    text: str,
    register: str | None = None,
    *,
    languages: str | Iterable[str] = ("ko",),
    quality: bool = False,
    language: str | None = None,
) -> CleanResult:
    """Clean one text and decide whether to keep it.

    Cleaning a cleaned text changes nothing, so a corpus can be cleaned again after a rule
    was added: the rules run until none of them finds anything to do.

    Args:
        text: a document, as it was found.
        register: a key of `filters.REGISTERS`; any other name, or None, means moderate
            settings chosen by the text's length.
        languages: codes of the languages to keep: "ko", "en", "zh", "ja".
        quality: also apply FineWeb-2's measures, with words from the analyser Kiwi.
        language: what the corpus says, None if it says nothing.

    Raises:
        UserError: another language is to be kept.

    Example:
        >>> clean_text("하하ㅋㅋㅋㅋ 최고예요!!!!<br>", "review").text
        '하하ㅋㅋ 최고예요!!'
    """
    wanted = known_languages(languages)
    steps: list[Step] = []
    cleaned = _rewrite(text, register, steps)
    by_rule: dict[str, int] = {}
    for name, before, after in steps:
        by_rule[name] = by_rule.get(name, 0) + len(before) - len(after)
    changed, lost = tuple(by_rule), tuple(by_rule.values())
    if cleaned is None:
        return CleanResult(steps[-1][2], _NESTED.name, changed, lost, steps=steps)
    measured = Measured(cleaned)
    found = _languages(measured, wanted, language)
    limits = settings_for(cleaned, register)
    if found.main != "ko":
        limits = for_other_language(limits, found.main)
    dropped_by, scores = _judge(measured, limits, found, quality)
    if dropped_by is None and (found.main != "ko" or language not in (None, "ko")):
        scores["language"] = found.main
    return CleanResult(cleaned, dropped_by, changed, lost, scores, steps)


def _rewrite(text: str, register: str | None, steps: list[Step]) -> str | None:
    """Rewrite to a fixed point, adding to `steps`; None if there seems to be none."""
    parts: list[str] = []  # what is hidden from the rules
    settled: set[Rewrite] = set()  # rules that have nothing to do with the text as it is

    def apply(*rules: Rewrite) -> None:
        nonlocal text
        for rewrite in rules:
            if rewrite in settled and not parts:
                continue
            rewritten = rewrite(text)
            if rewritten == text:
                settled.add(rewrite)
            else:
                steps.append((rewrite.__name__, restore(text, parts), restore(rewritten, parts)))
                text = rewritten
                settled.clear()

    for _ in range(_MOST_PASSES):
        before = text
        if not is_clean(text):
            if is_ordinary(text):
                settled |= _OF_ODD_CHARACTERS
            apply(*_DECODING)
            if "<" in text or "&" in text:
                # Code in HTML is found when its tags are gone.
                text = hide(text, parts, code=False)
                apply(strip_html)
            text = hide(text, parts)
            apply(*_CHARACTERS)
        apply(collapse_repeats)
        # Boilerplate is looked for in the registers that have it.
        if settings_for(text, register).boilerplate:
            apply(remove_boilerplate)
        if parts:
            text = restore(text, parts)
            parts.clear()
            settled.clear()
        if text == before:
            return text
    # Only layers of escapes that somebody piled up on purpose get here.
    return None


def _languages(measured: Measured, wanted: tuple[str, ...], hint: str | None) -> Languages:
    # Every byte that is neither Hangul nor white space counts as if it were foreign: nearly
    # every Korean text passes this and needs no look at its paragraphs.
    if "ko" in wanted and measured.hangul_bytes > 0.8 * measured.visible_bytes:
        return Languages("ko", 1.0)
    return identify(measured.text, wanted, hint)


def _judge(
    measured: Measured, limits: RegisterSettings, found: Languages, quality: bool
) -> tuple[str | None, dict[str, float | str]]:
    scores: dict[str, float | str] = {}
    if found.wanted < _LEAST_WANTED:
        return _FOREIGN.name, scores
    if found.wanted < 0.995:
        scores["language_share"] = round(found.wanted, 2)
    if found.score is not None:
        scores["language_score"] = found.score
    if dropped_by := failed_filter(measured, limits):
        return dropped_by, scores
    if advert := advert_score(measured.text):
        if advert >= _ADVERT:
            return ADVERT.name, scores
        scores["advert"] = advert
    if quality and found.main == "ko" and limits.quality:
        # Kiwi's package takes a second to import, and most runs do without.
        from gemma_ko_lib.corpus.cleaning.quality import failed_measure

        if dropped_by := failed_measure(measured):
            return dropped_by, scores
    if profanity := profanity_score(measured.text):
        scores["profanity"] = profanity
    return None, scores
