"""Web crawls and saved pages: WARC and WET records, HTML files → text.

A page is cut down to its paragraphs: navigation, lists of links and scripts are no text.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from gemma_ko_lib.corpus.cleaning.markup import strip_html
from gemma_ko_lib.corpus.sources.records import (
    LONGEST_RECORD,
    Passage,
    Reject,
    iso_date,
    rejects_empty,
    too_long,
    without_unknown,
)
from gemma_ko_lib.corpus.sources.sniffing import is_cp949

_CHARSET = re.compile(rb"charset\s*+=\s*+[\"']?([A-Za-z0-9_-]{2,20})", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*+>([^<]{0,500}+)<", re.IGNORECASE)
# Elements whose content nobody reads.
_ASIDE = frozenset(
    "head title script style nav footer aside noscript select button template svg iframe".split()
)
_BLOCKS = frozenset(
    "p div br li ul ol tr td th table section article main header form h1 h2 h3 h4 h5 h6 "
    "blockquote dd dt dl pre figure figcaption hr body".split()
)
# A comment, a tag, text, or a bracket that is none of them. One pass: it takes linear time.
_TOKEN = re.compile(
    r"<!--(?:[^-]++|-(?!->))*+(?:-->|\Z)"
    r"|<!?(/?)([A-Za-z][A-Za-z0-9:]*+)(?:[^<>=]++|=\s*+(?:\"[^\"<]*+\"|'[^'<]*+')?)*+>"
    r"|([^<]++|<)"
)


def page_text(html: str) -> str:
    """The paragraphs of a page, one a line; a block that is mostly links is left out."""
    lines: list[str] = []
    block: list[str] = []
    linked = 0
    aside, in_link = "", False
    lower = html.lower()
    last_close = {name: lower.rfind(f"</{name}") for name in _ASIDE}
    for match in _TOKEN.finditer(html):
        closing, name, text = match.groups()
        if name:
            name = name.lower()
        if aside:
            # Up to its end, whatever looks like a tag within a script.
            if closing and name == aside:
                aside = ""
        elif text:
            block.append(text)
            linked += len(text.strip()) if in_link else 0
        elif name in _ASIDE and not closing and last_close[name] > match.start():
            aside = name
        elif name == "a":
            in_link = not closing
        elif name in _BLOCKS:
            _end_block(block, linked, lines)
            linked, in_link = 0, False
    _end_block(block, linked, lines)
    return "\n".join(lines)


def _end_block(block: list[str], linked: int, lines: list[str]) -> None:
    text = _plain("".join(block))
    if text and 2 * linked <= len(text):
        lines.append(text)
    block.clear()


def _plain(html: str) -> str:
    return " ".join(strip_html(html).split())


def page_title(html: str) -> str:
    """What a page calls itself; "" if it does not."""
    match = _TITLE.search(html)
    return _plain(match[1]) if match else ""


def decode_page(data: bytes, header: str = "") -> str | None:
    """Decode a page by its HTTP header, its own charset, or as UTF-8 or Korean cp949."""
    places = header.encode(), data[:4096]
    named = [found[1].decode() for place in places if (found := _CHARSET.search(place))]
    for encoding in (*named, "utf-8", "cp949"):
        # What says euc-kr is mostly cp949, which holds all of it.
        encoding = "cp949" if encoding.lower() in ("euc-kr", "ks_c_5601-1987") else encoding
        if encoding == "cp949" and not named and not is_cp949(data):
            return None
        try:
            text = data.decode(encoding)
            text.encode()  # UTF-7 and some of Python's own encodings give halves of pairs
            return text
        except (UnicodeError, LookupError):
            continue
    return None


def _passage(data: bytes, kind: str, identifier: str | None = None, **about) -> Passage | str:
    """The text of a page, or the reason why it has none."""
    if len(data) > LONGEST_RECORD:
        return too_long()
    text = decode_page(data, kind)
    if text is None:
        return "page in an unknown encoding"
    if "html" in kind or text.lstrip()[:1] == "<":
        text, about["title"] = page_text(text), page_title(text)
    return without_unknown(Passage(text, identifier, about))


def read_html(name: str, stream: BinaryIO) -> Iterator[tuple[None, Passage] | Reject]:
    """A saved page."""
    found = _passage(stream.read(LONGEST_RECORD + 1), "html")
    yield Reject(name, None, found) if isinstance(found, str) else (None, found)


@rejects_empty("no pages in the WARC")
def read_warc(name: str, stream: BinaryIO) -> Iterator[tuple[int, Passage] | Reject]:
    """The pages of a crawl (WARC) or their extracted texts (WET), with their number."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    number = 0
    try:
        for record in ArchiveIterator(stream):
            number += 1
            if record.rec_type not in ("response", "conversion"):
                continue
            passage = _warc_passage(record)
            if isinstance(passage, str):
                yield Reject(name, None, f"{passage} (record {number:,})")
            elif passage and passage.text:
                yield number, passage
    except (ArchiveLoadFailed, ValueError, AttributeError) as error:
        # warcio has no word for a record cut in its header: it fails as it comes.
        reason = f"damaged WARC; what came before was kept (record {number + 1:,}: {error})"
        yield Reject(name, None, reason)


def _is_cut(stream) -> bool:
    """Whether fewer bytes follow a record's header than it says."""
    while getattr(stream, "limit", 0) and stream.read(1 << 16):
        pass
    return getattr(stream, "limit", 0) > 0


def _warc_passage(record) -> Passage | str | None:
    headers = record.rec_headers
    http = record.http_headers
    kind = (http.get_header("Content-Type") if http else None) or headers.get_header("Content-Type")
    kind = (kind or "").lower()
    if http and (http.get_statuscode() or "200") != "200":
        return None
    if kind and not any(known in kind for known in ("html", "text/plain")):
        return None
    data = record.content_stream().read(LONGEST_RECORD + 1)
    if len(data) <= LONGEST_RECORD and _is_cut(record.raw_stream):
        return "truncated page"
    return _passage(
        data,
        kind,
        headers.get_header("WARC-Record-ID"),
        url=headers.get_header("WARC-Target-URI"),
        date=iso_date(headers.get_header("WARC-Date")),
    )
