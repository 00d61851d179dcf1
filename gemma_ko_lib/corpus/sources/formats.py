"""Which format a record or a table has: the one place that knows them all."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from gemma_ko_lib.corpus.sources import aihub, community, nikl, records, translations
from gemma_ko_lib.corpus.sources.records import (
    NO_FIELDS,
    TEXT_FIELDS,
    Fields,
    Origin,
    Passage,
    Reject,
    beginning,
    identifier_of,
    string,
    unread_fields,
    without_unknown,
)

# The texts of a record that a corpus knows, or None; in the order in which they are asked.
_CORPORA = (aihub.passages, nikl.passages, translations.passages)
_LONGEST_NAME = 60


def is_corpus_record(record: dict, origin: Origin) -> bool:
    """Whether a format of a published corpus has records with such keys."""
    try:
        return any(passages(record, origin) is not None for passages in _CORPORA)
    except Exception:  # `passages_of` says why
        return False


def passages_of(
    record: dict, origin: Origin, fields: Fields = NO_FIELDS
) -> Iterable[Passage] | str:
    """The texts of a record, or the reason why it has none. The record is used up.

    Args:
        record: with its fields.
        origin: where it stood.
        fields: names that the user gave.
    """
    if fields.text:
        return _named(record, fields)
    try:
        return _found(record, origin)
    except RecursionError:  # JSON may be nested deeper than Python calls
        return "nested too deep"
    except Exception as error:
        # What a format did not foresee costs its record, and is named; never the file.
        return f"not foreseen ({type(error).__name__}: {error})"


def _found(record: dict, origin: Origin) -> Iterable[Passage] | str:
    is_plain = community.is_plain(record) and not origin.container
    if is_plain and (passage := community.passage(record)):
        return (passage,)
    for passages in _CORPORA:
        if (found := passages(record, origin)) is not None:
            return _with_unread(found, (record,)) or "empty text"
    if not is_plain and (passage := community.passage(record)):
        return (passage,)
    for field in TEXT_FIELDS:
        if field in record:
            return f"the field '{field}' is {type(record[field]).__name__}, not a string"
    known = ", ".join(TEXT_FIELDS)
    return f"no text field (keys: {_keys(record)}; known: {known}; --text-field names another)"


def _with_unread(passages: Iterable[Passage], records: Iterable[dict]) -> list[Passage]:
    """The texts of a record or of rows; the first one says which texts there no format reads."""
    passages = list(map(without_unknown, passages))
    kept = (value for p in passages for value in (p.text, *p.metadata.values()))
    read = (value for value in kept if type(value) is str)
    if passages and (unread := unread_fields(records, read)):
        passages[0].metadata.update(unread)
    return passages


def _named(record: dict, fields: Fields) -> tuple[Passage] | str:
    """The text under the name that the user gave, whatever else the record looks like."""
    text = record.pop(fields.text, None)
    if not isinstance(text, str):
        found = f"is {type(text).__name__}, not a string" if text is not None else "is not there"
        return f"the field '{fields.text}' {found} (keys: {_keys(record)})"
    metadata = {}
    if title := string(record.pop(fields.title, None)):
        text = f"{title}\n\n{text.strip()}"
        metadata["title"] = title
    identifier = record.pop(fields.id or "id", None)
    metadata |= community.metadata_of(record, (*record,))
    return (Passage(text, identifier_of(identifier), metadata),)


def _keys(record: dict) -> str:
    # Whole or not at all: the first row of a table without a header is data, and half a number
    # would not be known for one.
    names = map(str, list(record)[:8])
    return ", ".join(name if len(name) <= _LONGEST_NAME else "…" for name in names)


# --- Tables: several rows may be one document -------------------------------------------


class _Table(NamedTuple):
    columns: frozenset[str]
    starts: Callable[[dict, dict], bool]
    passage: Callable[[list[dict], Origin], Passage]


def _differ(name: str) -> Callable[[dict, dict], bool]:
    return lambda row, previous: row.get(name) != previous.get(name)


def _other_document(row: dict, previous: dict) -> bool:
    document = nikl.document_of(row)
    return not document or document != nikl.document_of(previous)


_TABLES = (
    _Table(frozenset(("화자", "고객질문(요청)")), _differ("대화셋일련번호"), aihub.table_dialogue),
    _Table(frozenset(("file_id", "sentence")), _differ("file_id"), nikl.unpublished),
    _Table(frozenset(("id", "form")), _other_document, nikl.forms),
    _Table(
        frozenset(("SPEAKER", "SENTENCE", "DOMAIN")), aihub.starts_dialogue, aihub.table_dialogue
    ),
)


def joins_rows(record: dict, fields: Fields) -> bool:
    """Whether several such records are one document."""
    return not fields.text and any(table.columns <= record.keys() for table in _TABLES)


# A table of which this many rows give no text has none in the others either, unless a column
# of the name that texts have is only empty so far.
_ROWS_THAT_TELL = 20


def passages_of_rows(
    rows: Iterator[tuple[int, dict] | Reject], origin: Origin, fields: Fields = NO_FIELDS
) -> Iterator[tuple[int, Passage] | Reject]:
    """The texts of a table's rows, with the number of the row that each starts in.

    Args:
        rows: numbers and rows, all with the same columns.
        origin: of the table.
        fields: names that the user gave.
    """
    for item in rows:
        if isinstance(item, Reject):
            yield item
            continue
        tables = () if fields.text else _TABLES
        table = next((table for table in tables if table.columns <= item[1].keys()), None)
        rows = chain((item,), rows)
        yield from _groups(rows, table, origin) if table else _singly(rows, origin, fields)
        return


def _groups(
    rows: Iterable[tuple[int, dict] | Reject], table: _Table, origin: Origin
) -> Iterator[tuple[int, Passage] | Reject]:
    group: list[dict] = []
    first = size = 0
    for item in chain(rows, (None,)):
        if isinstance(item, Reject):
            yield item
            continue
        if group and (item is None or table.starts(item[1], group[-1])):
            if size > records.LONGEST_RECORD:
                yield Reject(origin.file, first, records.too_long())
            else:
                (passage,) = _with_unread((table.passage(group, origin),), group)
                yield first, passage
            group = []
        if item is None:
            return
        number, row = item
        if not group:
            first, size = number, 0
        size += sum(len(value) for value in row.values() if type(value) is str)
        if size > records.LONGEST_RECORD:
            group.clear()
        group.append(row)


def _singly(
    rows: Iterable[tuple[int, dict] | Reject], origin: Origin, fields: Fields
) -> Iterator[tuple[int, Passage] | Reject]:
    names = (fields.text,) if fields.text else TEXT_FIELDS
    refused: list[Reject] | None = []  # all rows so far
    for item in rows:
        if isinstance(item, Reject):
            yield item
            continue
        number, row = item
        is_empty = any(row.get(name, "") is None for name in names)
        found = passages_of(row, origin, fields)
        if isinstance(found, str):
            start = beginning(" | ".join(map(str, row.values())))
            reject = Reject(origin.file, number, found, start)
            if refused is not None and not is_empty:
                refused.append(reject)
                if len(refused) == _ROWS_THAT_TELL:
                    yield Reject(origin.file, None, found)
                    return
                continue
        yield from refused or ()
        refused = None
        if isinstance(found, str):
            yield reject
        else:
            yield from ((number, passage) for passage in found)
    yield from refused or ()


# --- For people -------------------------------------------------------------------------------

_KINDS = """\
Files, by their content: JSON and JSON lines, CSV and TSV, .xlsx and .xls, Parquet, WARC and WET,
HTML, a MediaWiki dump, plain text; in UTF-8, UTF-16, UTF-32 or Korean cp949; in folders, zips and
zips within zips; packed with gzip, zstd, bzip2 or xz.

Plain text is one document a file, or many: one a line, parted by blank lines, <doc …> of
WikiExtractor, ' = title = ' before each. --documents-by says which; else the content does.

A text lies under one of {fields}, or under the name that --text-field gives.

모두의 말뭉치 (국립국어원): document[] with paragraph[].form, utterance[].form, sentence[].form or
document[] in it; tables of id, form and of file_id, sentence; parallel[]: source, target.
Translations: 한국어 with 영어, 일본어 or 중국어; ko with en, ja or zh; 원문, 번역문; sourceText,
targetText.
Reviews, comments, petitions, NSMC: {columns}.
Wikis: namuwiki's and MediaWiki's markup becomes plain text; redirects are no documents.
AI-Hub:
"""


def describe() -> str:
    """What is read, as `gemma-ko clean --formats` prints it."""
    columns = sorted({", ".join(sorted(names)) for names, *_ in community.CORPORA})
    lines = [_KINDS.format(fields=", ".join(TEXT_FIELDS), columns="; ".join(columns))]
    lines += [
        f"  {layout.corpus}: {layout.places()}"
        for layout in aihub.LAYOUTS
        if layout.container != "table"
    ]
    lines.append(
        "  감성대화: talk.content {HS01, SS01 …}, or the table of 사람문장1, 시스템문장1 …"
    )
    lines += [f"  table of {', '.join(sorted(table.columns))}" for table in _TABLES]
    return "\n".join(lines)
