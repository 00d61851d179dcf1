"""모두의 말뭉치 (국립국어원): records of its JSON and CSV files → passages.

A file lists documents; a document has a paragraph[] (written), an utterance[] (spoken,
messages), a sentence[] (analysed corpora) or, for inferences on a dialogue, a document[]
of its own. Which corpus it is, its metadata say; where they do not, the name of the zip or
the letters that a file's id starts with.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gemma_ko_lib.corpus.sources.dialogues import dialogue
from gemma_ko_lib.corpus.sources.records import (
    Origin,
    Passage,
    identifier_of,
    iso_date,
    items,
    mapping,
    string,
)
from gemma_ko_lib.corpus.sources.tags import map_nikl

LICENCE = "NIKL: no redistribution"
_BODIES = ("paragraph", "utterance", "sentence", "document")


class _Corpus(NamedTuple):
    name: str
    register: str
    words: str  # in the file's title or category
    path: str  # in the name of the zip
    ids: str  # letters that the ids of its files start with


# The first that fits: "구어" would also fit the minutes and the daily conversations.
_CORPORA = tuple(
    _Corpus(**entry) for entry in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
)
_OTHER = _Corpus("기타", "", "", "", "")
# Kinds of web page: blogs and reviews are registers of their own.
_WEB_REGISTERS = {"EB": "blog", "ER": "review"}
# Fields of a document's metadata that mean the same here.
_TAKEN_OVER = ("title", "topic", "original_topic", "publisher", "url")
_EDITION = re.compile(r"NIKL[^/]*?(20[12]\d|v\d\.\d)", re.IGNORECASE)


# --- JSON -----------------------------------------------------------------------------


def passages(record: dict, origin: Origin) -> Iterable[Passage] | None:
    """One passage a document: title and paragraphs, or one utterance a line; None if the record
    is none of 모두의 말뭉치.
    """
    return _passages(record, origin) if _is_document(record) else None


def _is_document(record: dict) -> bool:
    for body in _BODIES:
        if isinstance(found := record.get(body), list):
            return _is_body(body, record, found)
    return False


def _is_body(body: str, record: dict, found: list) -> bool:
    if not found:
        return "id" in record and "metadata" in record
    first = found[0]
    if not isinstance(first, dict):
        return False
    if body == "document":
        return any(map(_is_document, items(found[:3])))
    return "form" in first or "original_form" in first


def _passages(record: dict, origin: Origin) -> Iterator[Passage]:
    if isinstance(record.get("document"), list):
        for inner in items(record["document"]):
            yield from _passages(inner, origin)
        return
    identifier = string(record.get("id"))
    corpus, metadata = _describe(record, identifier, origin)
    yield Passage(_text(record, corpus), identifier or None, metadata)


def _text(record: dict, corpus: _Corpus) -> str:
    if turns := items(record.get("utterance")):
        spoken = corpus.register != "chat"
        return dialogue((turn.get("speaker_id"), _said(turn, spoken)) for turn in turns)
    body = items(record.get("paragraph")) or items(record.get("sentence"))
    forms = [map_nikl(_form(part)) for part in body]
    if corpus.name == "신문" and "paragraph" in record and len(forms) > 1:
        # A newspaper's first paragraph is the headline.
        return f"{forms[0]}\n\n{_lines(forms[1:])}".strip()
    return _lines(forms)


def _form(part: dict) -> str:
    return string(part.get("form")) or string(part.get("original_form"))


def _said(turn: dict, spoken: bool) -> str:
    # Where nothing could be transcribed, the note says what happened.
    return map_nikl(_form(turn) or string(turn.get("note")), spoken)


def _lines(forms: Iterable[str]) -> str:
    return "\n".join(filter(None, forms))


def _describe(record: dict, identifier: str, origin: Origin) -> tuple[_Corpus, dict]:
    about = mapping(record.get("metadata"))
    file_about = mapping(origin.root.get("metadata")) or about
    words = f"{string(file_about.get('title'))} {string(file_about.get('category'))}"
    corpus = _which(words, origin.file, identifier or string(origin.root.get("id")))
    register = corpus.register
    if corpus.name == "웹":
        register = _WEB_REGISTERS.get(identifier[:2], register)
    is_nikl = _is_nikl(file_about, corpus, origin.file)
    return corpus, {
        "corpus": _corpus_name(corpus.name, origin.file) if is_nikl else None,
        "register": register,
        "date": iso_date(about.get("date")),
        "licence": LICENCE if is_nikl else None,
        **{name: _known(about.get(name)) for name in _TAKEN_OVER},
        "category": _known(file_about.get("category")),
        "relation": _known(mapping(about.get("setting")).get("relation")),
    }


def _is_nikl(about: dict, corpus: _Corpus, file: str) -> bool:
    """Whether the institute distributes a file: others have taken the layout over."""
    if distributor := string(about.get("distributor")):
        return "국립국어원" in distributor
    return corpus is not _OTHER or "NIKL" in file.upper()


def _which(words: str, file: str, identifier: str) -> _Corpus:
    for pattern, text in (("words", words), ("path", file.upper()), ("ids", identifier)):
        for corpus in _CORPORA:
            if re.search(getattr(corpus, pattern), text):
                return corpus
    return _OTHER


def _corpus_name(name: str, file: str) -> str:
    edition = _EDITION.search(file)
    return " ".join(["모두의 말뭉치", name, *([edition[1]] if edition else [])])


def _known(value) -> str | None:
    """A string of the metadata; "NA" is how the corpora write that there is none."""
    found = string(value)
    return found if found and found != "NA" else None


# --- Tables ---------------------------------------------------------------------------


def unpublished(rows: list[dict], origin: Origin) -> Passage:
    """비출판물 (diaries, essays, letters): the sentences of one file_id."""
    text = _lines(map_nikl(string(row.get("sentence"))) for row in rows)
    metadata = {
        "corpus": _corpus_name("비출판물", origin.file),
        "register": "blog",
        "licence": LICENCE,
    }
    return Passage(text, identifier_of(rows[0].get("file_id")), metadata)


def forms(rows: list[dict], origin: Origin) -> Passage:
    """The rows of one document from the CSV edition of a corpus: id, form, speaker_id."""
    first = rows[0]
    body = "utterance" if "speaker_id" in first else "paragraph"
    document = {"id": document_of(first), body: rows, "metadata": first}
    return next(_passages(document, origin))


def document_of(row: dict) -> str:
    """The document of a paragraph or utterance: "MDRW1900000001.2.15" → "MDRW1900000001.2"."""
    return ".".join((identifier_of(row.get("id")) or "").split(".")[:2])
