"""Rules about Hangul itself: composing it, and joining syllables that were spaced out.

In goes a text, out comes the text, the same object when there is nothing to do.
"""

import re
import unicodedata

from gemma_ko_lib.corpus.cleaning.rules import rule

_CONJOINING = re.compile("[\u1100-\u11ff]")
# A conjoining letter that no neighbour can make a syllable with. Vowels and finals of
# old Hangul lie outside the modern ranges and keep their syllables together.
_ISOLATED_JAMO = re.compile(
    "[\u1100-\u1112](?![\u1160-\u11a7])"
    "|(?<![\u1100-\u115f])[\u1161-\u1175]"
    "|(?<![\u1160-\u11ff가-힣])[\u11a8-\u11c2]"
)
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_COMPATIBILITY = {
    **{chr(0x1100 + i): letter for i, letter in enumerate(_INITIALS)},
    **{chr(0x1161 + i): letter for i, letter in enumerate(_VOWELS)},
    **{chr(0x11A8 + i): letter for i, letter in enumerate(_FINALS)},
}


@rule("\u1112\u1161\u11ab\u1100\u1173\u11af \u110f\u110f", "한글 ㅋㅋ")
def compose_hangul(text: str) -> str:
    """Compose to NFC, and write lone conjoining letters as the letters one types.

    macOS stores names and some editors store texts decomposed (NFD): six code points
    where the tokenizer knows two syllables. Nothing is deleted, as dps does; old Hangul,
    which has no composed form, keeps its letters.

    Example: "한글" in NFD (6 code points) → "한글" (2); a lone U+110F → "ㅋ".
    """
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if _CONJOINING.search(text):
        text = _ISOLATED_JAMO.sub(lambda match: _COMPATIBILITY[match[0]], text)
    return text


_SPACED_OUT = re.compile(r"(?<![^\s\"'“‘(<\[])[가-힣](?: {1,4}[가-힣]){4,}(?![^\s.,!?~…\"'”’)>\]])")
# What every such run holds; `re` finds the space that it starts with fast.
_HINT = re.compile(" [가-힣] {1,4}[가-힣] {1,4}[가-힣] ")
_WIDE_GAP = re.compile(" {2,}")
# Endings and particles that are hardly ever words of their own, unlike 수, 것, 한 or 그.
_BOUND = frozenset("는를을은의에니습었았였겠까며면고게요다녕하려져랍께던됩합입")
# Longer than a word or two, and where the words end is lost.
_LONGEST_ALONE = 8
_ENDS = frozenset(["", *"\n.,!?~…\"'“”‘’()<>[]:;"])


def _join(match: re.Match) -> str:
    syllables = match[0].replace(" ", "")
    if sum(syllable in _BOUND for syllable in syllables) < 0.25 * len(syllables):
        return match[0]
    words = [word.replace(" ", "") for word in _WIDE_GAP.split(match[0])]
    if len(words) not in (1, len(syllables)):
        return " ".join(words)
    # All gaps are alike. In a sentence, spaces may just have slipped in ("할 수 있 는 게").
    text, before, after = match.string, match.start() - 1, match.end()
    while before >= 0 and text[before] == " ":
        before -= 1
    while after < len(text) and text[after] == " ":
        after += 1
    stands_alone = (before < 0 or text[before] in _ENDS) and text[after : after + 1] in _ENDS
    return syllables if stands_alone and len(syllables) <= _LONGEST_ALONE else match[0]


def is_spaced_out(text: str) -> bool:
    """Whether five single syllables in a row stand apart."""
    return _HINT.search(text) is not None and _SPACED_OUT.search(text) is not None


@rule("안 녕 하 세 요! 오 늘 은  날 씨 가  좋 다", "안녕하세요! 오늘은 날씨가 좋다")
def join_spaced_out(text: str) -> str:
    """Join syllables that were spaced out for emphasis, where it is certain what they spell.

    Five or more single syllables in a row are joined when a quarter of them are endings
    that do not stand alone ("너 나 할 것 다" stays), and when either wider gaps show the
    words or they are eight at most and all there is between line ends or punctuation. What
    is left in an article, `eojeol_length` drops.

    Example: "안 녕 하 세 요" → "안녕하세요"; "날 씨 가  좋 습 니 다" → "날씨가 좋습니다".
    """
    if not _HINT.search(text):
        return text
    return _SPACED_OUT.sub(_join, text)
