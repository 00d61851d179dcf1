"""What people wrote on the web and others collected: reviews, comments, petitions, posts.

These come as JSON lines, tables and Parquet, each with column names of its own, so a record
is told by the names it has. Who wrote it is not taken over.
"""

import functools
from typing import NamedTuple

from gemma_ko_lib.corpus.sources.records import (
    SCALARS,
    TEXT_FIELDS,
    Passage,
    identifier_of,
    iso_date,
    string,
    unread_fields,
)

_PETITIONS = "청와대 국민청원"
# A known set of columns → corpus and register. The first that a record has all of counts.
CORPORA = (
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
    "author author_id author_masked nick nickname user user_id user_name username writer email "
    "작성자 작성자명 글쓴이 닉네임 아이디 이름 성명 이메일 연락처 전화번호".split()
)

# Beside one of these even a text under a plain name belongs to a published corpus.
_CORPUS_KEYS = frozenset(
    "NE RawText collection_name publisher_company data_title 원문 번역문 sourceText 한국어 ko "
    "paragraph utterance utterances rows header sentences".split()
)


class Columns(NamedTuple):
    """What the names in a record say about it.

    Attributes:
        text: names under which the text may be.
        is_plain: no published corpus has such names.
        known: corpus and register, as far as the names tell them.
        date: the name of the date.
        is_petition: the title belongs to the text.
        persons: names that hold who wrote it.
    """

    text: tuple[str, ...]
    is_plain: bool
    known: tuple[tuple[str, str], ...]
    date: str | None
    is_petition: bool
    persons: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def columns_of(names: tuple[str, ...]) -> Columns:
    """Look names up; cached, since a file has one set of them or few.

    A document of ours, which names its file, is read as it was written: its title is in the text.
    """
    ours = "source_file" in names
    corpus, register = next(
        (found for columns, *found in CORPORA if columns <= set(names)), (None, None)
    )
    known = (("corpus", corpus), ("register", register))
    return Columns(
        tuple(field for field in TEXT_FIELDS if field in names),
        ours or _CORPUS_KEYS.isdisjoint(names),
        tuple((name, value) for name, value in known if value),
        next((name for name in _DATES if name in names), None),
        corpus == _PETITIONS and not ours,
        tuple(_PERSONS & set(names)),
    )


def passage(record: dict, columns: Columns) -> Passage | None:
    """The text of a record; None if there is none as a string under a known name.

    A petition's title stands above its text. The record is used up.
    """
    for field in columns.text:
        text = record[field]
        if type(text) is str:
            break
    else:
        return None
    del record[field]
    identifier = record.pop("id", None)
    if columns.is_petition and (title := string(record.get("title"))):
        text = f"{title}\n\n{text.strip()}"
    return Passage(text, identifier_of(identifier), metadata_of(record, columns))


def metadata_of(record: dict, columns: Columns) -> dict:
    """The scalar fields of a record, but for who wrote it; with what its names say."""
    metadata = {key: value for key, value in record.items() if type(value) in SCALARS}
    if len(metadata) < len(record):
        nested = {key: value for key, value in record.items() if type(value) in (list, dict)}
        metadata |= unread_fields((nested,))
    for person in columns.persons:
        metadata.pop(person, None)
    for key, value in columns.known:
        metadata.setdefault(key, value)
    if columns.date in metadata and (written := iso_date(metadata[columns.date])):
        metadata["date"] = written
    return metadata
