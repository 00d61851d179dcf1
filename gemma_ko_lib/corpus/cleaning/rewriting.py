"""Rules that rewrite characters: HTML, invisible characters, runs, white space.

Each rule takes a text and returns it, the same object when it has nothing to do. Every
rule starts with a cheap test, since most texts need none of them. All patterns are linear
in the text's length: they also run on text that somebody made to hurt.
"""

import html
import re

from gemma_ko_lib.corpus.cleaning.hangul import is_spaced_out

# --- Most texts -------------------------------------------------------------------------

_WORD = r"[가-힣0-9A-Za-z,'\"():/*+\-]"
_RUN_CHARACTER = r"[ㄱ-ㅣ!?~^;.]"
# Words and runs of one or two, with at most one space after each and none at the end.
# Possessive, so that a text that does not match is given up at once.
_CLEAN = re.compile(rf"(?:(?:{_WORD}++|{_RUN_CHARACTER}{{1,2}}+(?!{_RUN_CHARACTER})) ?+)*+(?<! )")


def is_clean(text: str) -> bool:
    """Whether no rule about characters has anything to do; False means that one may have.

    Three of four reviews are, and asking costs a quarter of asking every rule.
    """
    return _CLEAN.fullmatch(text) is not None and not is_spaced_out(text)


# --- HTML -----------------------------------------------------------------------------

_ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|&nbsp")
_BLOCK_TAGS = (
    "address|article|blockquote|body|br|center|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]"
    "|head|header|hr|html|li|ol|p|section|table|tbody|td|th|thead|title|tr|ul"
)
_INLINE_TAGS = (
    "a|abbr|b|big|button|cite|code|del|em|embed|font|i|iframe|img|input|ins|label|link|mark|meta"
    "|nobr|noscript|o:p|object|param|pre|q|s|script|small|span|strike|strong|style|sub|sup|svg"
    "|textarea|tt|u|video"
)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
# Not "<Del>" or "<Link>", which are keys and components in manuals.
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE_TAGS}|{_INLINE_TAGS.upper()})(?:\s[^<>]*)?/?>")
# Up to the next opening at most, so that unclosed openings do not each scan the whole text.
_CODE = re.compile(
    r"<(script|style)\b[^<>]*>(?:(?!<(?:script|style)\b).)*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)


def _unescape(match: re.Match) -> str:
    return html.unescape(f"&{match[1] or 'nbsp'};")


def strip_html(text: str) -> str:
    """Decode entities and take out tags; a block tag becomes a line break.

    Only names of HTML are tags, and only with their semicolon are names entities:
    "a < b", "<3", "<통영>" and "?id=1&copy=2" stay as they are.

    Example: "맛있다&nbsp;<b>진짜</b><br/>또 감" → "맛있다 진짜⏎또 감".
    """
    if "&" in text:
        text = _ENTITY.sub(_unescape, text)
    if "<" in text and ">" in text:
        text = _COMMENT.sub("", _CODE.sub("", text))
        text = _INLINE_TAG.sub("", _BLOCK_TAG.sub("\n", text))
    return text


# --- Characters that nobody sees ------------------------------------------------------

# What most texts consist of; none of the substitutions below touches it.
_VISIBLE = re.compile("[\n -~가-힣ㄱ-ㅣ·…“”‘’★☆♡♥～]*")
_LINE_BREAKS = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
# U+3164 and U+FFA0 are Hangul fillers, typed for a blank that forums do not strip.
_SPACES = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0]")
# Controls, soft hyphen, zero-width and direction marks, byte order mark, halves of a
# surrogate pair, noncharacters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
# A joiner has a purpose only inside an emoji.
_JOINER = "\u200d"
_IDLE_JOINER = re.compile(
    f"{_JOINER}(?![\u2190-\u2bff\U0001f000-\U0001faff])"
    f"|(?<![\ufe0f\u2190-\u2bff\U0001f000-\U0001faff]){_JOINER}"
)


def remove_invisible(text: str) -> str:
    r"""Drop zero-width and control characters; every blank becomes a space.

    Two texts that look the same are then the same, for the tokenizer and for
    deduplication.

    Example: "좋\u200b아요\u00a0정말\r\n" → "좋아요 정말⏎".
    """
    if _VISIBLE.fullmatch(text):
        return text
    text = _LINE_BREAKS.sub("\n", text.replace("\r\n", "\n"))
    text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    return _IDLE_JOINER.sub("", text) if _JOINER in text else text


# --- Runs -----------------------------------------------------------------------------

_EMOTICON_RUN = re.compile(r"([ㄱ-ㅣ!?~^;…～！？♡♥ㆍ])\1{2,}")
_DOT_RUN = re.compile(r"\.{4,}")
_MIDDLE_DOT_RUN = re.compile("·{4,}")


def shorten_runs(text: str) -> str:
    """Shorten ㅋㅋㅋㅋ, ㅠㅠㅠ, ^^^, !!!, ~~~ and … to two, and dots to the three of an ellipsis.

    Only equal characters are a run, so the syllable before it is never touched.

    Example: "하하ㅋㅋㅋ 대박!!!! 그런데....." → "하하ㅋㅋ 대박!! 그런데...".
    """
    if _EMOTICON_RUN.search(text):
        text = _EMOTICON_RUN.sub(r"\1\1", text)
    if "...." in text:
        text = _DOT_RUN.sub("...", text)
    if "····" in text:
        text = _MIDDLE_DOT_RUN.sub("···", text)
    return text


# --- White space ----------------------------------------------------------------------

_SPACE_RUN = re.compile(" {2,}")
_SPACE_AT_LINE_END = re.compile(" *\n *")
_BLANK_LINES = re.compile("\n{3,}")


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
