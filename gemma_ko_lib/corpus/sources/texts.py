"""Text files: one document, or many that are parted by lines, blank lines, tags or titles.

Which it is, the first bytes tell or the user says. A file of many documents may be of any
size: it is read by the line.
"""

import dataclasses
import html
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from statistics import median
from typing import BinaryIO

from gemma_ko_lib.corpus.sources import records, tags
from gemma_ko_lib.corpus.sources.lines import bounded_lines
from gemma_ko_lib.corpus.sources.records import Note, Passage, Reject, beginning, identifier_of

_OPENING = re.compile(r'\s*<doc((?: [\w:-]{1,20}="[^"]*")+)>\s*')
_ATTRIBUTE = re.compile(r' ([\w:-]+)="([^"]*)"')
_TITLE = re.compile(r"\s?= ([^=\s](?:[^\n]*[^=\s])?) =\s*")
_HEADING = re.compile(r"\s?(={2,6}) ([^\n]+) \1\s*")
_ENDS_EARLY = "the file ends within a <doc …>; what came before was kept"

# --- Telling --------------------------------------------------------------------------------

# So many lines without a blank one are no single text, unless they look like one.
_FEWEST_LINES = 100
_LONGEST_LINE = 600
# Lines of a text: indented, quoted, numbered, said by somebody, in a list or a table.
_OF_A_TEXT = re.compile(
    r"\s|[\"“”‘「『<#|>]|[-–—*•·○□■▶※]\s?|제?\d+\s?[조항장절편.)]|[①-⑳]"
    r"|[가-힣A-Za-z ]{1,12}\s?[:：]"
)
_SENTENCE_END = re.compile(r"[.?!…][\"'”’)\]]?")
_WITHIN = re.compile(r"[.?!…] ")
_FEWEST_BLOCKS = 30


def guess(head: str, is_whole: bool, is_long: bool) -> tuple[str, str]:
    """Tell from the beginning of a text how its documents are parted.

    Args:
        head: its first characters.
        is_whole: nothing follows.
        is_long: the text is too long for one document.

    Returns:
        One of `records.DOCUMENTS_BY`, and what the user is told of it; "" for a plain text.
    """
    lines = head.split("\n")
    if not is_whole:
        del lines[-1]  # it may be cut
    written = [line for line in lines if line.strip()]
    if not written:
        return "file", ""
    if _OPENING.fullmatch(written[0]):
        return "wikiextractor", "one document for each <doc …>"
    if _TITLE.fullmatch(written[0]):
        return "title", "one document for each line of the form ' = title = '"
    if tags.is_speech_transcript(head):
        return "file", ""
    parted = groupby(lines, key=lambda line: bool(line.strip()))
    blocks = [list(block) for is_written, block in parted if is_written]
    if is_long and len(blocks) > 1:
        return "blank", "documents parted by blank lines, the file being too long for one"
    if is_long:
        return "line", "one document a line, the file being too long for one"
    if len(blocks) == 1 and len(written) >= _FEWEST_LINES:
        if _are_documents(written):
            return "line", "one document a line (--documents-by file, if it is one text)"
        return "file", "one document of many lines (--documents-by line, if each is one)"
    if len(blocks) > 2 and median(map(len, blocks)) > 1 and _are_sentences(written):
        if len(blocks) >= _FEWEST_BLOCKS:
            said = "documents parted by blank lines (--documents-by file, if it is one text)"
            return "blank", said
        return "file", "one document of several blocks (--documents-by blank, if each is one)"
    return "file", ""


def _are_documents(lines: list[str]) -> bool:
    """Comments or reviews, rather than the lines of a book, a law, a list or a wrapped text."""
    lengths = sorted(len(line.rstrip()) for line in lines)
    if lengths[-1] > _LONGEST_LINE:
        return False
    longest = lengths[int(0.98 * len(lengths))]
    is_wrapped = longest >= 35 and sum(x > 0.85 * longest for x in lengths) > len(lengths) / 2
    return not is_wrapped and 10 * sum(map(bool, map(_OF_A_TEXT.match, lines))) <= len(lines)


def _are_sentences(lines: list[str]) -> bool:
    """One sentence a line, as texts are prepared for BERT."""
    one = sum(
        bool(_SENTENCE_END.search(line.rstrip(), max(len(line.rstrip()) - 2, 0)))
        and not _WITHIN.search(line)
        for line in lines
    )
    return 20 * one >= 19 * len(lines)


# --- Reading --------------------------------------------------------------------------------


@records.rejects_empty("empty text")
def read_text(
    name: str, stream: BinaryIO, by: str
) -> Iterator[tuple[int | None, Passage] | Reject | Note]:
    """The documents of a text file, each with the number of the line that it starts in.

    Args:
        name: of the file.
        stream: its bytes, in UTF-8.
        by: how the documents are parted, not "auto".
    """
    if by == "file":
        yield _whole_text(name, stream.read(records.LONGEST_RECORD + 1))
        return
    for part in _parts(bounded_lines(stream), _STEPS[by]):
        yield part.document(name)
        if part.remark and not part.problem:
            yield Reject(name, part.number, part.remark)


def _whole_text(name: str, data: bytes) -> tuple[None, Passage] | Reject:
    """One document; what is not text, too long or empty is rejected."""
    if len(data) > records.LONGEST_RECORD:
        return Reject(name, None, f"{records.too_long()}; --documents-by line or blank")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject(name, None, f"neither UTF-8 (byte {error.start:,}) nor Korean cp949")
    if not text.strip():
        return Reject(name, None, "empty text")
    if tags.is_speech_transcript(text):
        return None, Passage(tags.map_speech(text), None, {"register": "spoken"})
    return None, Passage(text, None, {})


@dataclasses.dataclass
class _Part:
    """A document as it is collected, line by line.

    Attributes:
        number: of its first line.
        about: its metadata.
        problem: why it is no document.
        remark: what is wrong with the file where the document stands.
        lines: what was added, up to the length that a record may have.
        size: of all that was added, in bytes.
    """

    number: int
    about: dict = dataclasses.field(default_factory=dict)
    problem: str = ""
    remark: str = ""
    lines: list[bytes] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, line: bytes) -> "_Part":
        if self.size < records.LONGEST_RECORD:
            self.lines.append(line)
        self.size += len(line)
        return self

    def document(self, name: str) -> tuple[int, Passage] | Reject | Note:
        data = b"".join(self.lines)
        problem = self.problem
        if self.size >= records.LONGEST_RECORD:
            problem = records.too_long()
        try:
            text = data.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            problem = problem or f"not UTF-8 (byte {error.start:,} of the document)"
        if problem:
            return Reject(name, self.number, problem, beginning(data))
        if text in ("", self.about.get("title")):
            return Note("no text", name, 1, "pages without text of their own")
        return self.number, Passage(text, identifier_of(self.about.pop("id", None)), self.about)


# The part that a line belongs to, which got it: the one before it, a new one, or none.
_Step = Callable[[int, bytes, _Part | None], _Part | None]


def _parts(lines: Iterable[tuple[int, bytes]], step: _Step) -> Iterator[_Part]:
    part = None
    for number, line in lines:
        before, part = part, step(number, line, part)
        if before and before is not part:
            yield before
    if part:
        yield part


def _by_line(number: int, line: bytes, part: _Part | None) -> _Part | None:
    return None if line.isspace() else _Part(number).add(line)


def _by_blank(number: int, line: bytes, part: _Part | None) -> _Part | None:
    return None if line.isspace() else (part or _Part(number)).add(line)


def _by_title(number: int, line: bytes, part: _Part | None) -> _Part | None:
    written = line.decode("utf-8", "surrogateescape")
    if match := _TITLE.fullmatch(written):
        title = f"{match[1]}\n\n".encode("utf-8", "surrogateescape")
        return _Part(number, {"title": match[1]}).add(title)
    if line.isspace() and not (part and len(part.lines) > 1):
        return part
    heading = _HEADING.fullmatch(written)
    shown = f"{heading[2]}\n" if heading else written.lstrip(" ")
    return (part or _Part(number)).add(shown.encode("utf-8", "surrogateescape"))


def _by_tag(number: int, line: bytes, part: _Part | None) -> _Part | None:
    written = line.decode("utf-8", "replace") if line.startswith(b"<doc ") else ""
    if opening := _OPENING.fullmatch(written):
        if part:
            part.remark = "a <doc …> without its </doc>"
        about = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(opening[1])}
        return _Part(number, about, remark=_ENDS_EARLY)
    if line.strip() == b"</doc>":
        if part:
            part.remark = ""
        return None
    if not part and line.isspace():
        return None
    return (part or _Part(number, problem="text outside of <doc …> and </doc>")).add(line)


_STEPS = {"line": _by_line, "blank": _by_blank, "title": _by_title, "wikiextractor": _by_tag}
