"""What people wrote on the web and others collected: reviews, comments, petitions, posts.

These come as JSON lines, tables and Parquet, each with column names of its own, so a record
is told by the names it has. Who wrote it is not taken over.
"""

import functools

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


def is_plain(record: dict) -> bool:
    """Whether no published corpus has such names; a document of ours, which names its file, may."""
    return "source_file" in record or _CORPUS_KEYS.isdisjoint(record)


@functools.lru_cache(maxsize=256)
def _known(names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Corpus and register; cached, since a file has one set of names or few."""
    return next((tuple(found) for its, *found in CORPORA if its <= set(names)), (None, None))


def passage(record: dict) -> Passage | None:
    """The text of a record; None if there is none as a string under a known name.

    A petition's title stands above its text; in a document of ours it does already. The record is
    used up.
    """
    field = next((field for field in TEXT_FIELDS if type(record.get(field)) is str), None)
    if field is None:
        return None
    names = (*record,)
    text, identifier = record.pop(field), record.pop("id", None)
    is_petition = _known(names)[0] == _PETITIONS and "source_file" not in record
    if is_petition and (title := string(record.get("title"))):
        text = f"{title}\n\n{text.strip()}"
    return Passage(text, identifier_of(identifier), metadata_of(record, names))


def metadata_of(record: dict, names: tuple[str, ...]) -> dict:
    """The scalar fields of a record, but for who wrote it; with what all its names say."""
    metadata = {
        key: value
        for key, value in record.items()
        if type(value) in SCALARS and key not in _PERSONS
    }
    if nested := {key: value for key, value in record.items() if type(value) in (list, dict)}:
        metadata |= unread_fields((nested,))
    for key, value in zip(("corpus", "register"), _known(names), strict=True):
        if value:
            metadata.setdefault(key, value)
    date = next((name for name in _DATES if name in names), None)
    if date in metadata and (written := iso_date(metadata[date])):
        metadata["date"] = written
    return metadata
