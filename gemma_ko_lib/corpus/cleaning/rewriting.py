"""Rules that rewrite characters: invisible ones, runs, white space.

Each rule takes a text and returns it, the same object when it has nothing to do. Every
rule starts with a cheap test, since most texts need none of them. All patterns are linear
in the text's length: they also run on text that somebody made to hurt.
"""

import re

from gemma_ko_lib.corpus.cleaning.hangul import is_spaced_out
from gemma_ko_lib.corpus.cleaning.rules import rule

# --- Most texts -------------------------------------------------------------------------

# All of it is in `_ORDINARY`; what starts HTML, code or a formula is not in it.
_WORD = (
    "[가-힣0-9A-Za-z,'\"():/*+%\\[\\]@#_|©\u2010-\u2025\u2027\u2030-\u205e\u2190-\u22ff\u2460-\u25ff"
    "\u2605\u2606\u3008-\u301b\u3200-\u33ff-]"
)
_RUN_CHARACTER = "[ㄱ-ㅣ!?~^.·…～\u2600-\u2604\u2607-\u27bf]"
# Words and runs of one or two, with at most one space or empty line after each and none at the
# end. Possessive, so that a text that does not match is given up at once.
_CLEAN = re.compile(
    rf"(?:(?:{_WORD}++|=(?! )|(?:{_RUN_CHARACTER}{{1,2}}+|\.\.\.)(?!{_RUN_CHARACTER}))"
    r"(?: |\n{1,2}+)?+)*+(?<![ \n])"
)


def is_clean(text: str) -> bool:
    """Whether no rule about characters has anything to do; False means that one may have.

    Two of three texts are, and asking costs a quarter of asking every rule.
    """
    # Lines of Python are code.
    is_code = "\n" in text and "import " in text
    return not is_code and _CLEAN.fullmatch(text) is not None and not is_spaced_out(text)


# --- Characters that nobody sees ------------------------------------------------------

# What most texts consist of: in it, nothing is invisible, decomposed or decoded wrongly.
_ORDINARY = re.compile(
    "[\n -~가-힣ㄱ-ㅣ·©～\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2460-\u27bf\u3008-\u301b"
    "\u3200-\u33ff]*"
)
_LINE_BREAKS = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
# Beside another control of its block it breaks no line: they are the bytes of a lost character.
_BYTE_85 = re.compile("(?<=[\x80-\x84\x86-\x9f])\x85|\x85(?=[\x80-\x84\x86-\x9f])")
# U+3164 and U+FFA0 are Hangul fillers, typed for a blank that forums do not strip.
_SPACES = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0]")
# Controls, soft hyphen, zero-width and direction marks, byte order mark, halves of a
# surrogate pair, noncharacters.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ufdd2-\ufdef\ufffe\uffff]"
)
# A joiner has a purpose only inside an emoji.
_JOINER = "\u200d"
_IDLE_JOINER = re.compile(
    f"{_JOINER}(?![\u2190-\u2bff\U0001f000-\U0001faff])"
    f"|(?<![\ufe0f\u2190-\u2bff\U0001f000-\U0001faff]){_JOINER}"
)


def is_ordinary(text: str) -> bool:
    """Whether a text holds only characters that no rule of decoding looks at."""
    return _ORDINARY.fullmatch(text) is not None


@rule("좋\u200b아요\u00a0정말", "좋아요 정말")
def remove_invisible(text: str) -> str:
    r"""Drop zero-width and control characters; every blank becomes a space.

    Two texts that look the same are then the same, for the tokenizer and for
    deduplication.

    Example: "좋\u200b아요\u00a0정말\r\n" → "좋아요 정말⏎".
    """
    if is_ordinary(text):
        return text
    if "\x85" in text:
        text = _BYTE_85.sub("", text)
    text = _LINE_BREAKS.sub("\n", text.replace("\r\n", "\n"))
    text = INVISIBLE.sub("", _SPACES.sub(" ", text))
    return _IDLE_JOINER.sub("", text) if _JOINER in text else text


# --- Runs -----------------------------------------------------------------------------

# Stars are ratings: five are not two. ㅇㅇㅇ stands for a name that is not said.
_EMOTICON_RUN = re.compile(
    "([ㄱ-ㅆㅈ-ㅣ!?~^;…～！？♡♥ㆍ\u2600-\u2604\u2607-\u27bf\U0001f300-\U0001faff])\\1{2,}"
)
_EMOJI_RUN = re.compile("([\u2600-\u27bf]\ufe0f)\\1{2,}")
_CIRCLE_RUN = re.compile("ㅇ{5,}")
_DOT_RUN = re.compile(r"\.{4,}")
_MIDDLE_DOT_RUN = re.compile("·{4,}")


@rule("하하ㅋㅋㅋ 대박!!!! 그런데.....", "하하ㅋㅋ 대박!! 그런데...")
def shorten_runs(text: str) -> str:
    """Shorten ㅋㅋㅋㅋ, ㅠㅠㅠ, ^^^, !!!, ♥♥♥ and … to two, and dots to the three of an ellipsis.

    Only equal characters are a run, so the syllable before it is never touched. Of ㅇ, which also
    stands for the syllables of a name, three and four stay.

    Example: "하하ㅋㅋㅋ 대박!!!! 그런데....." → "하하ㅋㅋ 대박!! 그런데...".
    """
    if _EMOTICON_RUN.search(text):
        text = _EMOTICON_RUN.sub(r"\1\1", text)
    if "\ufe0f" in text:
        text = _EMOJI_RUN.sub(r"\1\1", text)
    if "ㅇㅇㅇㅇㅇ" in text:
        text = _CIRCLE_RUN.sub("ㅇㅇ", text)
    if "...." in text:
        text = _DOT_RUN.sub("...", text)
    if "····" in text:
        text = _MIDDLE_DOT_RUN.sub("···", text)
    return text


# --- White space ----------------------------------------------------------------------

_SPACE_RUN = re.compile(" {2,}")
_SPACE_AT_LINE_END = re.compile(" *\n *")
_BLANK_LINES = re.compile("\n{3,}")


@rule("  첫째  문단 \n\n\n\n 둘째 문단", "첫째 문단\n\n둘째 문단", "review")
def tidy_whitespace(text: str) -> str:
    """One space between words, none at a line's ends, at most one empty line between paragraphs.

    Line breaks stay: they are what paragraphs, lists and chats are made of.

    Example: "  첫째  문단 ⏎⏎⏎⏎ 둘째 문단" → "첫째 문단⏎⏎둘째 문단".
    """
    if "  " in text:
        text = _SPACE_RUN.sub(" ", text)
    if " \n" in text or "\n " in text:
        text = _SPACE_AT_LINE_END.sub("\n", text)
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip(" \n")
