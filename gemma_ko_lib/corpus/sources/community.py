"""What people wrote on the web and others collected: reviews, comments, petitions, posts.

These come as JSON lines, tables and Parquet, each with column names of its own, so a record
is told by the names it has. Who wrote it is not taken over.
"""

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from gemma_ko_lib.corpus.sources.records import (
    SCALARS,
    TEXT_FIELDS,
    Origin,
    Passage,
    iso_date,
    string,
)

_PETITIONS = "청와대 국민청원"
# A known set of columns → corpus and register. The first that a record has all of counts.
_CORPORA = (
    ({"id", "document", "label"}, "NSMC", "review"),
    ({"num_agree", "title", "content"}, _PETITIONS, "community"),
    ({"num_agree", "title", "text"}, _PETITIONS, "community"),
    ({"rating", "review"}, None, "review"),
    ({"rating", "text"}, None, "review"),
    ({"score", "review"}, None, "review"),
    ({"reviews"}, None, "review"),
    ({"review"}, None, "review"),
    ({"리뷰"}, None, "review"),
    ({"comments"}, None, "comment"),
    ({"comment"}, None, "comment"),
    ({"댓글"}, None, "comment"),
)
_DATES = ("date", "begin", "created_at", "reg_date", "작성일", "날짜")
# Who wrote it, in whatever form; a hash of a name still joins a person's texts.
_PERSONS = frozenset(
    ("author", "author_masked", "nickname", "user", "user_id", "writer", "작성자", "email")
)
_SHORT_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)\.?")  # NSMC: 15.07.08


class _Columns(NamedTuple):
    text: tuple[str, ...]  # where the text may be
    known: tuple[tuple[str, str], ...]  # corpus and register, as far as the names tell
    date: str | None
    titled: bool
    persons: bool


@functools.lru_cache(maxsize=256)
def _columns(names: tuple) -> _Columns:
    corpus, register = next(
        (found for columns, *found in _CORPORA if columns <= set(names)), (None, None)
    )
    known = (("corpus", corpus), ("register", register))
    return _Columns(
        tuple(field for field in TEXT_FIELDS if field in names),
        tuple((name, value) for name, value in known if value),
        next((name for name in _DATES if name in names), None),
        corpus == _PETITIONS,
        not _PERSONS.isdisjoint(names),
    )


def accepts(record: dict, origin: Origin) -> bool:
    """Whether a record has its text as a string under one of the known names."""
    return any(isinstance(record[field], str) for field in _columns((*record,)).text)


def passages(record: dict, origin: Origin) -> Iterator[Passage]:
    """One text; a petition's title stands above it."""
    columns = _columns((*record,))
    field = next(field for field in columns.text if isinstance(record[field], str))
    text = record.pop(field)
    identifier = record.pop("id", None)
    metadata = {key: value for key, value in record.items() if type(value) in SCALARS}
    if columns.persons:
        for person in _PERSONS & metadata.keys():
            del metadata[person]
    if columns.titled and (title := string(record.get("title"))):
        text = f"{title}\n\n{text.strip()}"
    for key, value in columns.known:
        metadata.setdefault(key, value)
    if columns.date and (written := _date(record[columns.date])):
        metadata["date"] = written
    yield Passage(text, None if identifier in (None, "") else str(identifier), metadata)


def _date(value) -> str | None:
    if isinstance(value, str) and (short := _SHORT_DATE.fullmatch(value)):
        value = f"20{short[1]}-{short[2]}-{short[3]}"
    return iso_date(value)
