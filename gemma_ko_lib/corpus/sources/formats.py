"""Which format a record or a table has: the one place that knows them all."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gemma_ko_lib.corpus.sources import aihub, community, nikl, translations
from gemma_ko_lib.corpus.sources.records import (
    TEXT_FIELDS,
    Origin,
    Passage,
    Reject,
    string,
    without_unknown,
)


class _Format(NamedTuple):
    accepts: Callable[[dict, Origin], bool]
    passages: Callable[[dict, Origin], Iterator[Passage]]


# Told by their keys. The more keys a format asks for, the earlier it is asked.
_CORPORA = (
    _Format(nikl.accepts, nikl.passages),
    _Format(aihub.accepts_sns, aihub.sns),
    _Format(aihub.accepts_expert, aihub.expert),
    _Format(aihub.accepts_web, aihub.web),
    _Format(aihub.accepts_book, aihub.book),
    _Format(aihub.accepts_turns, aihub.turns),
    _Format(aihub.accepts_review, aihub.review),
    _Format(aihub.accepts_archive, aihub.archive),
    _Format(aihub.accepts_large, aihub.large),
    _Format(translations.accepts, translations.passages),
)


def is_corpus_record(record: dict, origin: Origin) -> bool:
    """Whether a format of a published corpus has records with such keys."""
    return any(found.accepts(record, origin) for found in _CORPORA)


def passages_of(record: dict, origin: Origin) -> Iterable[Passage] | str:
    """The texts of a record, or the reason why it has none. The record is used up."""
    columns = community.columns_of((*record,))
    is_plain = columns.is_plain and not origin.container
    if is_plain and (passage := community.passage(record, columns)):
        return (passage,)
    for found in _CORPORA:
        if found.accepts(record, origin):
            return map(without_unknown, found.passages(record, origin))
    if not is_plain and (passage := community.passage(record, columns)):
        return (passage,)
    for field in TEXT_FIELDS:
        if field in record:
            return f"the field '{field}' is {type(record[field]).__name__}, not a string"
    keys = ", ".join(str(key)[:30] for key in list(record)[:8])
    return f"no text field (keys: {keys}; known: {', '.join(TEXT_FIELDS)})"


# --- Tables: several rows may be one document -------------------------------------------


class _Table(NamedTuple):
    columns: frozenset[str]
    starts: Callable[[dict, dict], bool]
    passage: Callable[[list[dict], Origin], Passage]


def _other_file(row: dict, previous: dict) -> bool:
    return row.get("file_id") != previous.get("file_id")


def _other_document(row: dict, previous: dict) -> bool:
    return nikl.document_id(string(row["id"])) != nikl.document_id(string(previous["id"]))


_TABLES = (
    _Table(frozenset(("file_id", "sentence")), _other_file, nikl.unpublished),
    _Table(frozenset(("id", "form")), _other_document, nikl.forms),
    _Table(
        frozenset(("SPEAKER", "SENTENCE", "DOMAIN")), aihub.starts_dialogue, aihub.table_dialogue
    ),
)

# A table of which this many rows give no text has none in the others either.
_ROWS_THAT_TELL = 20

Numbered = tuple[int, dict]


def passages_of_rows(
    rows: Iterator[Numbered | Reject], origin: Origin
) -> Iterator[tuple[int, Passage] | Reject]:
    """The texts of a table's rows, with the number of the row that each starts in.

    Args:
        rows: numbers and rows, all with the same columns.
        origin: of the table.
    """
    table: _Table | None = None
    group: list[dict] = []
    refused: list[Reject] | None = []
    first = 0
    for item in rows:
        if isinstance(item, Reject):
            yield item
            continue
        number, row = item
        if refused == [] and not group:
            table = next((table for table in _TABLES if table.columns <= row.keys()), None)
        if table:
            refused = None
            if group and table.starts(row, group[-1]):
                yield first, without_unknown(table.passage(group, origin))
                group = []
            if not group:
                first = number
            group.append(row)
            continue
        found = passages_of(row, origin)
        if not isinstance(found, str):
            if refused:
                yield from refused
            refused = None
            yield from ((number, passage) for passage in found)
            continue
        reject = Reject(origin.file, number, found, " | ".join(map(str, row.values()))[:100])
        if refused is None:
            yield reject
            continue
        refused.append(reject)
        if len(refused) == _ROWS_THAT_TELL:
            yield Reject(origin.file, None, found)
            return
    if group:
        yield first, without_unknown(table.passage(group, origin))
    yield from refused or ()
