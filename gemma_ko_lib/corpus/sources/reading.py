"""One file → its passages and rejects: opened, unpacked, decoded, its kind told, read.

In goes an `InputFile`, on disk or in a zip; out come (number, Passage) pairs, the number
being a line, a row or a record, None where the file is one text; rejects; and notes.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import BinaryIO, NamedTuple

import orjson

from gemma_ko_lib.corpus.sources import (
    formats,
    json_stream,
    lines,
    records,
    sniffing,
    streams,
    tables,
    texts,
    web,
    wiki,
    zips,
)
from gemma_ko_lib.corpus.sources.files import InputFile
from gemma_ko_lib.corpus.sources.records import NO_FIELDS, Fields, Note, Origin, Passage, Reject

Item = tuple[int | None, Passage] | Reject | Note
_DEEPEST_PACKED = 3


class Reading(NamedTuple):
    """What the user says about files that do not say it themselves.

    Attributes:
        documents_by: how the documents of a text are parted, one of `records.DOCUMENTS_BY`.
        fields: names of fields in tables and JSON.
    """

    documents_by: str = "auto"
    fields: Fields = NO_FIELDS


PLAIN = Reading()


def read_passages(file: InputFile, reading: Reading = PLAIN) -> Iterator[Item]:
    """Read a file, whatever it is; one that cannot be read is rejected."""
    damage: list[Exception] = []
    # What the end of a cut file looks like to its reader, and the cut, are one damage.
    last: Reject | None = None
    try:
        with _open(file, damage) as stream:
            for item in _read(file, stream, damage, reading, 0):
                if last:
                    yield last
                last = item if type(item) is Reject else None
                if not last:
                    yield _without_markup(item, file.name)
    except zips.ZipError as error:
        damage, last = [], last or Reject(file.name, None, str(error))
    except Exception as error:
        # Whatever a reader did not foresee costs its file, and is named; never the run.
        damage = [*damage, error]
    if damage:
        line, start = (last.line, last.start) if last else (None, "")
        yield Reject(file.name, line, f"{_said(damage[0])}; what came before was kept", start)
    elif last:
        yield last


def _said(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "truncated file"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({error.strerror})"
    if isinstance(error, streams.DAMAGED):
        return f"damaged file ({error})"
    return f"not foreseen ({type(error).__name__}: {error})"


def _open(file: InputFile, damage: list[Exception]) -> BinaryIO:
    if file.members:
        return zips.open_member(file.path, tuple(file.members), damage)
    return open(file.path, "rb", buffering=streams.BUFFER)


def _without_markup(item: Item, name: str) -> Item:
    """Plain text of a wiki's pages; a page that leads to another one is only noted."""
    if type(item) is Note:
        return item
    number, passage = item
    if "source_file" in passage.metadata:  # a document of ours: what looks like markup is none
        return item
    text = passage.text
    if text.startswith("#") and "title" in passage.metadata and wiki.is_redirect(text):
        return Note("no text", name, 1, "pages that only lead to another one")
    if "[[" in text and wiki.is_wiki(text):
        return number, passage._replace(text=wiki.plain_text(text))
    return item


def _read(
    file: InputFile, stream: BinaryIO, damage: list[Exception], reading: Reading, depth: int
) -> Iterator[Item]:
    name = file.name
    head = stream.peek(sniffing.HEAD_BYTES)[: sniffing.HEAD_BYTES]
    kind = sniffing.kind_of(head, name)
    if kind in streams.PACKED and depth == _DEEPEST_PACKED:
        yield Reject(name, None, f"packed more than {depth} times over; unpack it")
    elif kind in streams.PACKED:
        unpacked = streams.unpacked(stream, kind, damage)
        yield from _read(file, unpacked, damage, reading, depth + 1)
    elif kind == "empty":
        yield Reject(name, None, "empty file")
    elif kind == "not text":
        yield Reject(name, None, f"not text ({sniffing.extension(name) or 'no extension'})")
    elif kind == "xml":
        yield Reject(name, None, "XML of an unknown kind; make text, JSON or a table of it first")
    elif kind == "zip":
        yield from _read_zip(file, reading)
    elif kind in ("xlsx", "parquet"):
        read = tables.read_xlsx if kind == "xlsx" else tables.read_parquet
        rows = read(name, stream if stream.seekable() else zips.spooled(stream))
        yield from formats.passages_of_rows(rows, Origin(name), reading.fields)
    elif kind == "warc":
        yield from web.read_warc(name, stream)
    elif kind == "html":
        yield from web.read_html(name, stream)
    elif kind == "mediawiki":
        yield from wiki.read_dump(name, stream)
    else:
        yield from _read_text(file, stream, head, kind, reading)


def _read_zip(file: InputFile, reading: Reading) -> Iterator[Item]:
    # Zips are listed when files are looked for. What comes here is damaged, or was not
    # taken for a zip by its name.
    for member in zips.list_members(file.path, tuple(file.members)):
        name = f"{file.name}/{member.name}"
        inner = file._replace(name=name, members=(*file.members, member.key))
        yield from read_passages(inner, reading)


def _read_text(
    file: InputFile, stream: BinaryIO, head: bytes, kind: str, reading: Reading
) -> Iterator[Item]:
    name, encoding = file.name, sniffing.encoding_of(head)
    if encoding is None:
        if kind == "text" and sniffing.extension(name) not in (".txt", ".md", ".text"):
            suffix = sniffing.extension(name) or "no extension"
            yield Reject(name, None, f"unknown kind of file ({suffix})")
            return
        if kind != "jsonl":  # which rejects by line
            yield Reject(name, None, "neither UTF-8 nor Korean cp949")
            return
    elif encoding == "utf-8":
        if head.startswith(sniffing.BOM):
            stream.read(len(sniffing.BOM))
    else:
        stream = streams.decoded(stream, encoding)
        head = stream.peek(sniffing.HEAD_BYTES)[: sniffing.HEAD_BYTES]
        kind = sniffing.kind_of(head, name)
    if kind == "jsonl":
        found = lines.read_lines(name, stream, reading.fields)
    elif kind == "json":
        found = _from_json(name, stream, reading.fields)
    elif kind == "table":
        rows = tables.read_csv(name, stream)
        found = formats.passages_of_rows(rows, Origin(name), reading.fields)
    else:
        found = _from_text(file, stream, head, reading.documents_by)
    if encoding in (None, "utf-8"):
        yield from found
        return
    for item in found:
        if type(item) is tuple:
            item[1].metadata["decoded_from"] = encoding
        yield item


def _from_json(name: str, stream: BinaryIO, fields: Fields) -> Iterator[Item]:
    def is_record(record: dict, origin: Origin) -> bool:
        return fields.text in record if fields.text else formats.is_corpus_record(record, origin)

    items = json_stream.read_json(name, stream, is_record)
    first = next(items)
    items = chain((first,), items)
    if isinstance(first, json_stream.Found) and formats.joins_rows(first.record, fields):
        rows = (i if isinstance(i, Reject) else i[:2] for i in items)
        yield from formats.passages_of_rows(rows, first.origin, fields)
        return
    looked_at = False
    for item in items:
        if isinstance(item, Reject):
            yield item
            continue
        found = formats.passages_of(item.record, item.origin, fields)
        if isinstance(found, str):
            yield Reject(name, None, f"{found} (record {item.number:,})", _start(item.record))
        else:
            if not looked_at:
                looked_at, found = True, list(found)
                _add_unread_lists(found[0], item.origin.root)
            yield from ((item.number, passage) for passage in found)


def _add_unread_lists(passage: Passage, root: Mapping) -> None:
    """Note texts in lists beside those that are read; what else a root says is of the file."""
    lists = {key: value for key, value in root.items() if isinstance(value, list)}
    for kind, places in records.unread_fields((lists,)).items():
        passage.metadata[kind] = [*passage.metadata.get(kind, ()), *places]


def _start(record: dict) -> str:
    try:
        return records.beginning(orjson.dumps(record))
    except orjson.JSONEncodeError:  # it writes a quarter of the depth that it reads
        return ""


def _from_text(file: InputFile, stream: BinaryIO, head: bytes, by: str) -> Iterator[Item]:
    if by == "auto":
        is_long = file.size > records.LONGEST_RECORD
        is_whole = len(head) < sniffing.HEAD_BYTES
        by, note = texts.guess(head.decode("utf-8", "replace"), is_whole, is_long)
        if note:
            yield Note("read", file.name, 1, note)
    yield from texts.read_text(file.name, stream, by)
