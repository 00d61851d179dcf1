"""The rule against HTML: tags are taken out where they are HTML, and only there.

"a<b 이고 c>d" and "x<p>y" are comparisons, "<통영>" is a title, and a text about HTML names tags
that it does not use. So a tag needs a name and attributes that HTML knows, and a second sign:
its partner, an attribute with a value, or other tags of which that is sure.
"""

import html
import re
from collections import Counter

from gemma_ko_lib.corpus.cleaning.rules import rule

_ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|&nbsp")
_BLOCK = frozenset(
    "address article aside blockquote body br caption center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html "
    "legend li main menu nav noframes ol option p pre section select summary table tbody td tfoot "
    "th thead title tr ul".split()
)
_INLINE = frozenset(
    "a abbr acronym applet area audio b base basefont bdi bdo big blink button canvas cite code "
    "col colgroup data datalist del dfn em embed font i iframe img input ins kbd label link map "
    "mark marquee meta nobr noscript object optgroup output param picture progress q rp rt ruby s "
    "samp script small source span strike strong style sub sup svg template textarea time track tt "
    "u var video wbr".split()
)
_NAMES = _BLOCK | _INLINE
# No name of a variable, and never closed.
_LINE_BREAKS = frozenset(("br", "hr", "wbr"))
_CLOSED_BY_THE_NEXT = frozenset("dd dt li option p td th tr".split())
_ATTRIBUTE = (
    r"[A-Za-z_:][\w:.-]*+\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s\"'=<>`]++)"
    r"|(?:async|autoplay|checked|compact|controls|defer|disabled|hidden|loop|multiple|muted|noshade"
    r"|nowrap|open|readonly|required|reversed|selected)(?![\w=-])"
)
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:_.-]*+)"
    rf"(?P<attributes>(?:\s++(?:{_ATTRIBUTE}))*+)\s*+/?>"
)
# Up to the next opening at most, so that unclosed openings do not each scan the whole text.
_CODE = re.compile(
    r"<(script|style|svg)\b[^<>]*>((?:(?!<(?:script|style|svg)\b).)*?)</\1\s*>",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->|<!DOCTYPE [^<>]{0,200}>", re.DOTALL)
_PREFORMATTED = re.compile(r"<pre\b[^<>]*>((?:(?!<pre\b).)*?)</pre\s*>", re.IGNORECASE | re.DOTALL)
# A text that names tags is about them.
_NAMED = re.compile(
    r">[\"'`”’)]? ?(?:태그|요소|엘리먼트|주석|tags?\b|elements?\b)"
    r"|(?:태그|요소|엘리먼트|주석|\btags?|\belements?)(?:인|로는|는|은|에는)? ?[\"'`“‘(]?"
    r"<(?:/?[a-z][a-z0-9]{0,15}>|!--)"
    r"|HTML ?(?:code|source|코드|소스)"
)


def _unescape(match: re.Match) -> str:
    return html.unescape(f"&{match[1] or 'nbsp'};")


def _name(tag: re.Match) -> str:
    """The name in small letters, "" for "Del" or "Link": keys and components in manuals."""
    name = tag["name"]
    return name.lower() if name.islower() or name.isupper() else ""


def _is_glued(tag: re.Match) -> bool:
    """Whether something stands before it that "less than" would stand behind."""
    before = tag.string[tag.start() - 1 : tag.start()]
    return before.isascii() and (before.isalnum() or before in (")", "]", "_"))


def _surely_html(tags: list[re.Match]) -> set[str]:
    """The names whose tags are HTML beyond doubt; empty where the text is no HTML."""
    opened = Counter(_name(tag) for tag in tags if not tag["close"])
    closed = Counter(_name(tag) for tag in tags if tag["close"])
    # Tags that HTML does not know, closed as in XML: "o:p" is Word's.
    if any(name and name not in _NAMES and not re.search("[:-]", name) for name in closed):
        return set()
    sure = {name for name in closed if name in opened or closed[name] > 1}
    sure |= {_name(tag) for tag in tags if tag["attributes"].find("=") > 0}
    sure |= _LINE_BREAKS & (opened.keys() | closed.keys())
    for name in _CLOSED_BY_THE_NEXT & opened.keys():
        if opened[name] > 1 and not any(_is_glued(tag) for tag in tags if _name(tag) == name):
            sure.add(name)
    return sure & _NAMES


def _strip_tags(text: str) -> str:
    if _NAMED.search(text):
        return text
    text = _COMMENT.sub("", text)
    sure = _surely_html(list(_TAG.finditer(text)))
    if not sure:
        return text

    def is_html(tag: re.Match) -> bool:
        # Beside tags that are sure, others are believed.
        name = _name(tag)
        return ":" in name or (name in _NAMES and (name in sure or not _is_glued(tag)))

    def strip(tag: re.Match) -> str:
        if not is_html(tag):
            return tag[0]
        return "\n" if _name(tag) in _BLOCK or _name(tag) in ("br", "hr") else ""

    def fence(code: re.Match) -> str:
        lines = _TAG.sub(lambda tag: "" if is_html(tag) else tag[0], code[1]).strip("\n")
        return f"\n```\n{lines}\n```\n" if "\n" in lines and "```" not in lines else code[0]

    # A script of several lines with no other tags around it is what the text shows.
    is_page = bool(sure - {"script", "style", "svg"})
    text = _CODE.sub(lambda code: "" if is_page or "\n" not in code[2] else code[0], text)
    return _TAG.sub(strip, _PREFORMATTED.sub(fence, text)) if is_page else text


@rule("맛있다&nbsp;<b>진짜</b><br/>또 감", "맛있다 진짜\n또 감", "review")
def strip_html(text: str) -> str:
    """Decode entities and take out the tags of HTML; a block tag becomes a line break.

    Only with their semicolon are names entities: "?id=1&copy=2" stays as it is.

    Example: "a<b 이고 c>d" and "if (i<s && t>i)" stay.
    """
    if "&" in text:
        text = _ENTITY.sub(_unescape, text)
    if "<" in text and ">" in text:
        text = _strip_tags(text)
    return text
