"""What readers hand on: passages of text, and rejects where no text was to be had."""

import datetime
import functools
import re
import string as letters
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

# A longer line, JSON record or .txt file is no document, and would not fit into memory ten
# times over.
LONGEST_RECORD = 64_000_000
# Where corpora keep a document's text; the first that a record has is taken.
TEXT_FIELDS = (
    *("text", "content", "document", "sentence", "form", "comments", "body"),
    *("comment", "review", "reviews", "contents", "본문", "내용", "문장", "리뷰", "댓글"),
)
# How the documents of a text file may be parted.
DOCUMENTS_BY = ("auto", "line", "blank", "file", "wikiextractor", "title")
SCALARS = frozenset((str, int, float, bool))


def too_long() -> str:
    """Why something longer than `LONGEST_RECORD` is rejected."""
    return f"too long for a document ({LONGEST_RECORD:,} bytes)"


class Reject(NamedTuple):
    """A record or a file that gave no document, or a damaged place in one that did.

    Attributes:
        file: name of the file.
        line: number of the line, from 1; None for a whole file.
        reason: what was wrong; what differs from record to record stands in brackets.
        start: the first characters of the line.
    """

    file: str
    line: int | None
    reason: str
    start: str = ""


def rejects_empty(reason: str) -> Callable:
    """Makes a reader, which takes a file's name first, reject a file that it finds nothing in."""

    def decorate(read: Callable[..., Iterator]) -> Callable[..., Iterator]:
        @functools.wraps(read)
        def items(name: str, *arguments) -> Iterator:
            found = read(name, *arguments)
            yield next(found, Reject(name, None, reason))
            yield from found

        return items

    return decorate


class Note(NamedTuple):
    """What was left out on purpose, or how a file was read.

    Attributes:
        kind: "not text", "not a file", "hidden", "twin", "no text"; "read" for the latter.
        name: the zip or folder that the files are in, or the file.
        files: how many files, or pages of a file.
        reason: for people.
    """

    kind: str
    name: str
    files: int
    reason: str


class Passage(NamedTuple):
    """The text that a format found in a record.

    Attributes:
        text: what a model is to learn from.
        id: the corpus' own name for it, None where it has none.
        metadata: scalars; None and "" stand for "not known".
    """

    text: str
    id: str | None
    metadata: dict


class Fields(NamedTuple):
    """Names of fields that the user gave, for tables and JSON whose names nobody can know.

    Attributes:
        text: the field that holds the text; None leaves it to the formats.
        title: a field to stand above the text.
        id: what documents are called by.
    """

    text: str | None = None
    title: str | None = None
    id: str | None = None


NO_FIELDS = Fields()

_START_BYTES = 600
_OF_A_WORD = f"{letters.ascii_letters}{letters.digits}_.+/=@%-".encode()


def beginning(data: bytes | str) -> str:
    """What a record begins with, to recognise it by; who shows it masks it, then cuts it short.

    A word that is cut here is left out: half a key or an address is not known for what it is.
    """
    data = data[:_START_BYTES]
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if len(data) >= _START_BYTES:
        data = data[:_START_BYTES].rstrip(_OF_A_WORD)
    return data.decode("utf-8", "replace").rstrip()


def identifier_of(value) -> str | None:
    """A record's own name; None if it has none."""
    return None if value is None or value == "" else str(value)


def without_unknown(passage: Passage) -> Passage:
    """A passage whose metadata says only what is known."""
    metadata = {key: value for key, value in passage.metadata.items() if value not in (None, "")}
    return passage._replace(metadata=metadata)


class Origin(NamedTuple):
    """Where a record stood, as far as that says what it is.

    Attributes:
        file: the file's name with the names of its folders and zips.
        container: the key of the JSON root under which the record was listed; "" for none.
        root: what else the JSON root holds.
    """

    file: str
    container: str = ""
    root: Mapping = MappingProxyType({})


UNREAD = "unread_fields"
_SHORTEST_TEXT = 20  # characters; a shorter one is a label or a keyword
_LOOKED_AT = 8  # items of a list; those after them are like them
_MOST_VALUES = 400  # of a record


def unread_fields(records: Iterable[dict], read: Iterable[str] = ()) -> dict[str, list[str]]:
    """Names the places of a document most of whose words are in none of what was read.

    Args:
        records: one with all of the document, or the rows that it stands in.
        read: the texts that were made of them, and what is kept beside them.

    Returns:
        {"unread_fields": places such as "answers[].body"}; {} if there are none.
    """
    texts: dict[str, list[str]] = {}
    for place, text in chain.from_iterable(map(_placed, records)):
        texts.setdefault(place, []).append(text)
    texts = {place: its for place, its in texts.items() if max(map(len, its)) >= _SHORTEST_TEXT}
    if not texts:
        return {}
    # By words, for marks of a transcript may have been taken out of what was read.
    known = {word for text in read for word in text.split()}
    words = {place: " ".join(its).split() for place, its in texts.items()}
    unread = [place for place, its in words.items() if 2 * sum(w in known for w in its) < len(its)]
    return {UNREAD: unread} if unread else {}


def _placed(record: dict) -> Iterator[tuple[str, str]]:
    """What may be text in a record, each with its place."""
    values = [("", record)]
    for _ in range(_MOST_VALUES):
        if not values:
            break
        place, value = values.pop()
        if type(value) is dict:
            values += [(f"{place}.{key}" if place else str(key), v) for key, v in value.items()]
        elif type(value) is list:
            values += [(f"{place}[]", item) for item in value[:_LOOKED_AT]]
        elif type(value) is str and (" " in (value := value.strip()) or not value.isascii()):
            yield place, value


def string(value) -> str:
    """A field's text; "" for everything that is none (null, a number, a list)."""
    return value.strip() if isinstance(value, str) else ""


def items(value) -> list[dict]:
    """The objects of a list; none where a corpus has something else in its place."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value) -> dict:
    """The object that a field holds, or an empty one."""
    return value if isinstance(value, dict) else {}


_DATE = re.compile(r"\s*((?:19|20)\d\d)(?:[-./년]?\s*(\d{1,2})(?:[-./월]?\s*(\d{1,2}))?)?")
_SHORT_DATE = re.compile(r"\d\d\.\d\d\.\d\d\.?")  # NSMC


def iso_date(value) -> str | None:
    """Write a date as 2019-11-28, 2019-11 or 2019; None if it is none.

    Example: "20191128 15:04" → "2019-11-28"; "2021년 3월" → "2021-03"; "15.07.08" → "2015-07-08".
    """
    if not isinstance(value, str | int | datetime.date):
        return None
    written = str(value)
    match = _DATE.match(f"20{written}" if _SHORT_DATE.fullmatch(written) else written)
    if not match:
        return None
    year, month, day = match.groups()
    if month is None or not 1 <= int(month) <= 12:
        return year
    if day is None or not 1 <= int(day) <= 31:
        return f"{year}-{int(month):02d}"
    return f"{year}-{int(month):02d}-{int(day):02d}"
