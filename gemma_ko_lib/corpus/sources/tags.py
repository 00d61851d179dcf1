"""Marks that corpus makers put into a text: de-identification, system messages, noise.

A mark for something personal becomes the course's placeholder, so that a model meets one
word for a masked name, whoever masked it. A mark for something that nobody said goes.
Each function belongs to the corpora that use its marks: in other texts the same
characters mean what they say.
"""

import re

from gemma_ko_lib.corpus.placeholders import PLACEHOLDERS

# --- 모두의 말뭉치 ------------------------------------------------------------------------

_NIKL_KINDS = {
    "name": "name",
    "social-security-num": "rrn",
    "card-num": "card",
    "address": "address",
    "tel-num": "phone",
    "account": "account",
    "num": "number",
    "affiliation": "affiliation",
    "company-name": "company",
}
# &name&, &name1&, &other(s)&
_NIKL_IDENTITY = re.compile(r"&([a-z]{3,}(?:-[a-z]{1,20}){0,3})(?:\(s\))?\d{0,4}&")
_NIKL_SYSTEM = re.compile(
    r"\{(?:emoji|censored|laughing|clearing|singing|applausing"
    r"|(?:system|share) ?: ?[^{}\n]{1,40})\}"
)
# ((추정 전사)) is what was probably said; ((xx)) and (()) could not be understood.
_NIKL_GUESS = re.compile(r"\(\(([^()\n]*)\)\)")
_NOT_UNDERSTOOD = re.compile(r"[xX\s]*")
# -불완- 불완전: a word broken off, between two hyphens.
_BROKEN_OFF = re.compile(r"(?<!\S)-([가-힣]{1,20}(?: [가-힣]{1,20}){0,5})-(?!\S)")
_LENGTHENED = re.compile(r"(?<=[가-힣])~+")
_PARAGRAPH_TAG = re.compile(r"</?p>")


def map_nikl(text: str, spoken: bool = False) -> str:
    """Map the marks of 모두의 말뭉치; "" where there was nothing else.

    Args:
        text: a `form`.
        spoken: a transcript of speech, where "~" and "-…-" are marks, too. In a message
            they are what somebody typed.

    Example: "&name1&아 ((가자)) {laughing}" → "[이름]아 가자".
    """
    if "&" in text:
        text = _NIKL_IDENTITY.sub(
            lambda mark: PLACEHOLDERS[_NIKL_KINDS.get(mark[1], "other")], text
        )
    if "{" in text:
        text = _NIKL_SYSTEM.sub(" ", text)
    if "((" in text:
        text = _NIKL_GUESS.sub(_guess, text)
    if "<" in text:
        text = _PARAGRAPH_TAG.sub(" ", text)
    if spoken:
        text = _LENGTHENED.sub("", _BROKEN_OFF.sub(r"\1", text))
    return _one_line(text)


def _guess(match: re.Match) -> str:
    return " " if _NOT_UNDERSTOOD.fullmatch(match[1]) else match[1]


# --- AI-Hub: messages -----------------------------------------------------------------

_SNS_KINDS = {
    "이름": "name",
    "전번": "phone",
    "주소": "address",
    "계정": "account",
    "금융": "account",
    "번호": "number",
    "소속": "affiliation",
    "URL": "url",
    "신원": "other",
    "기타": "other",
}
_SNS_TAG = re.compile(r"#@(시스템#[^#\s]{1,20}|[^#\s]{1,20})#")


def map_sns(text: str) -> str:
    """Map the marks of AI-Hub's message corpora; "" where there was nothing else.

    Example: "#@이름#아 사진 봐 #@시스템#사진#" → "[이름]아 사진 봐".
    """
    if "#@" in text:
        text = _SNS_TAG.sub(lambda mark: PLACEHOLDERS.get(_SNS_KINDS.get(mark[1]), " "), text)
    return _one_line(text)


# --- AI-Hub: transcripts of speech ----------------------------------------------------

# Breath, noise, laughter, overlap, unintelligible: "b/ n/ l/ o/ u/" before or among the words.
_SPEECH_MARK = re.compile(r"(?<!\S)[bnlou]/(?!\S)")
# (3시)/(세 시): written form, then how it was pronounced.
_TWO_SPELLINGS = re.compile(r"\(([^()\n]*)\)/\([^()\n]*\)")
# 음/ 어/ are fillers; +는 a stutter, * what was hard to hear.
_WORD_MARK = re.compile(r"(?<=[가-힣])/(?!\S)|(?<=[가-힣])[+*]|[+*](?=[가-힣])")


def map_dialect(text: str) -> str:
    """Map the marks of AI-Hub's dialect corpora: those of 모두의 말뭉치, and two spellings.

    Example: "밥은 (뭇나)/(먹었니)? {laughing}" → "밥은 뭇나?".
    """
    return map_nikl(_TWO_SPELLINGS.sub(r"\1", text), spoken=True)


def is_speech_transcript(text: str) -> bool:
    """Whether a plain text carries the marks: one line in five starts with one."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = sum(1 for line in lines if _SPEECH_MARK.match(line.lstrip()))
    return 5 * marked >= len(lines) > 0


def map_speech(text: str) -> str:
    """Keep the written form of what was said, one utterance a line.

    Example: "n/ 음/ (3시)/(세 시)에 b/ 봐요" → "음 3시에 봐요".
    """
    text = _TWO_SPELLINGS.sub(r"\1", _SPEECH_MARK.sub(" ", text))
    text = _WORD_MARK.sub("", text)
    return "\n".join(filter(None, map(_one_line, text.splitlines())))


def _one_line(text: str) -> str:
    return " ".join(text.split())
