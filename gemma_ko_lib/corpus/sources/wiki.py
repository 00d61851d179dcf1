"""Wiki markup, of MediaWiki and of namuwiki, → plain text; the pages of a MediaWiki dump.

What a reader of the page does not read goes: templates, tables, footnotes, files, categories and
what is struck out. Code and formulas stay as they are written.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from gemma_ko_lib.corpus.sources.records import Passage, Reject, rejects_empty
from gemma_ko_lib.corpus.sources.streams import xml_elements

_REDIRECT = re.compile(r"#(?:redirect|넘겨주기)\b\s*:?[^\n]*", re.IGNORECASE)
_SURE = re.compile(
    r"\[\[(?:분류|파일|틀|그림|Category|File|Image):|^\[목차\]|^ ?={2,6} ?[^=\n]+ ?={2,6} *$",
    re.MULTILINE,
)


def is_redirect(text: str) -> bool:
    """Whether a page only leads to another one."""
    return _REDIRECT.fullmatch(text.strip()) is not None


def is_wiki(text: str) -> bool:
    """Whether a text is written in wiki markup, by links in it and what else only wikis have."""
    return "[[" in text and "]]" in text and (_SURE.search(text) is not None)


# --- Markup that nests ------------------------------------------------------------------------

_CLOSE = {"{{{": "}}}", "{{": "}}", "[[": "]]", "{|": "|}", "[*": "]", "<ref": "</ref>"}
_TOKEN = re.compile(
    r"\{\{\{|\}\}\}|\{\{|\}\}|\[\[|\]\]|(?<![^\n])\{\||(?<![^\n])\|\}|\[\*|\]|</ref>"
    r"|<ref\b[^<>]*/>|<ref\b[^<>]*>"
)
# Code, formulas and what the writer wants as it stands; and comments.
_VERBATIM = re.compile(
    r"<(nowiki|pre|math|source|syntaxhighlight)\b[^<>]*>|\{\{\{#!syntax[^\n]*\n|<!--"
)
# Deeper brackets are taken as they are, so that time stays linear.
_DEEPEST = 20
_NO_TEXT = re.compile(
    r":?(?:분류|파일|틀|그림|category|file|image|template):|[a-z]{2,3}(?:-[a-z]+)?:[^|]*\Z",
    re.IGNORECASE,
)
_STYLE = re.compile(r"(?:#[\w,#-]+|[+-]\d) ")


def _block(content: str) -> str:
    """What namuwiki has in {{{ }}}: a style and a text, or code."""
    if content.startswith("#!html"):
        return ""
    if content.startswith("#!"):
        return content.partition("\n")[2]
    return content[style.end() :] if (style := _STYLE.match(content)) else content


def _template(content: str) -> str:
    name, _, rest = content.partition("|")
    return rest.rpartition("|")[2] if name.strip().lower() in ("lang", "llang") else ""


def _link(content: str) -> str:
    if _NO_TEXT.match(content):
        return ""
    target, _, label = content.partition("|")
    return label.rpartition("|")[2] or target.lstrip(":")


_MEANING: dict[str, Callable[[str], str]] = {"{{{": _block, "{{": _template, "[[": _link}


def _set_aside(text: str, kept: list[str]) -> str:
    """Put what is verbatim into a list, and its place there, between zero bytes, into the text."""
    out, at = [], 0
    missing: set[str] = set()
    while match := _VERBATIM.search(text, at):
        closing = f"</{match[1]}>" if match[1] else "-->" if match[0] == "<!--" else "}}}"
        end = -1 if closing in missing else text.find(closing, match.end())
        out.append(text[at : match.start()])
        at = match.end()
        if end < 0:
            missing.add(closing)
            out.append(match[0])
            continue
        if closing != "-->":
            out.append(f"\0{len(kept)}\0")
            kept.append(text[at:end])
        at = end + len(closing)
    return "".join((*out, text[at:]))


def _without_brackets(text: str) -> str:
    out: list[str] = []
    # Kind, opening as written, and length of `out` at the opening.
    opened: list[tuple[str, str, int]] = []
    at = 0
    for match in _TOKEN.finditer(text):
        out.append(text[at : match.start()])
        at, token = match.end(), match[0]
        if token.endswith("/>"):
            continue
        kind = "<ref" if token.startswith("<ref") else token
        if kind in _CLOSE and len(opened) < _DEEPEST:
            opened.append((kind, token, len(out)))
        elif opened and token == _CLOSE[opened[-1][0]]:
            kind, _, start = opened.pop()
            content = "".join(out[start:])
            del out[start:]
            out.append(_MEANING[kind](content) if kind in _MEANING else "")
        else:
            out.append(token)
    out.append(text[at:])
    for _, token, start in reversed(opened):
        out.insert(start, token)
    return "".join(out)


# --- Markup of a line ---------------------------------------------------------------------------

_RULES = (
    (re.compile(r"^[ \t]*\|\|[^\n]*(?:\n|\Z)|^-{4,}\s*?$", re.MULTILINE), ""),
    (re.compile(r"^ ?(={1,6})#? ?([^=\n]+?) ?#?\1[ \t]*$", re.MULTILINE), r"\2"),
    (re.compile(r"'{2,5}"), ""),
    (
        re.compile(r"~~(?=\S)[^~\n]{1,500}(?<=\S)~~|(?<!-)--(?=[^\s-])[^-\n]{1,500}(?<=\S)--(?!-)"),
        "",
    ),
    (re.compile(r"\[(?:목차|tableofcontents|각주|footnote|clearfix|date|datetime)\]"), ""),
    (re.compile(r"\[br\]|<br ?/?>"), "\n"),
    (re.compile(r"\[(?:math|ruby)\(([^\n]*?)(?:, ?ruby=[^\n)]*)?\)\]"), r"\1"),
    (
        re.compile(
            r"\[(?:youtube|kakaotv|navertv|vimeo|nicovideo|include|anchor|age|dday)"
            r"\([^\n\]]*\)\]"
        ),
        "",
    ),
    (re.compile(r"\[https?://[^\s\]]+(?: ([^\n\]]*))?\]"), r"\1"),
    (re.compile(r"__(?:TOC|NOTOC|NOEDITSECTION|FORCETOC)__"), ""),
    (
        re.compile(r"__(?=\S)([^_\n]{1,500})__|\^\^([^^\n]{1,100})\^\^|,,([^,\n]{1,100}),,"),
        r"\1\2\3",
    ),
    (re.compile(r"^[ \t]*[*#:;>]+[ \t]*|^[ \t]+|[ \t]+$", re.MULTILINE), ""),
    (re.compile(r" {2,}"), " "),
    (re.compile(r"\n{3,}"), "\n\n"),
)


_ASIDE = re.compile("\0(\\d+)\0")


def plain_text(text: str) -> str:
    """What a reader of the page reads.

    Example: "'''도서관'''은 [[군산시|군산]]에 있다.[* 2023년]" → "도서관은 군산에 있다."
    """
    kept: list[str] = []
    text = _without_brackets(_set_aside(text.replace("\0", ""), kept))
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _ASIDE.sub(lambda place: kept[int(place[1])], text).strip()


# --- Dumps ------------------------------------------------------------------------------------


@rejects_empty("no pages in the dump")
def read_dump(name: str, stream: BinaryIO) -> Iterator[tuple[int, Passage] | Reject]:
    """The articles of a MediaWiki dump (pages-articles.xml), in their number; of all name spaces
    only the first holds articles.
    """
    try:
        for number, page in enumerate(xml_elements(stream, "page"), 1):
            field = functools.partial(page.findtext, default="")
            if field("{*}ns", default="0") == "0":
                text, title = field("{*}revision/{*}text"), field("{*}title")
                yield number, Passage(text, field("{*}id") or None, {"title": title})
    except (ParseError, ValueError) as error:
        yield Reject(name, None, f"damaged dump; what came before was kept ({error})")
