"""One file → its passages and rejects: opened, unpacked, decoded, its kind told, read.

In goes an `InputFile`, on disk or in a zip; out come (number, Passage) pairs, the number
being a line, a row or a record, None where the file is one text; and rejects.
"""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from gemma_ko_lib.corpus.sources import (
    formats,
    json_stream,
    lines,
    records,
    sniffing,
    streams,
    tables,
    tags,
    web,
    zips,
)
from gemma_ko_lib.corpus.sources.files import InputFile
from gemma_ko_lib.corpus.sources.records import (
    Origin,
    Passage,
    Reject,
)
from gemma_ko_lib.runtime import UserError

Numbered = tuple[int | None, Passage]


def read_passages(file: InputFile) -> Iterator[Numbered | Reject]:
    """Read a file, whatever it is.

    Raises:
        UserError: the file may not be read.
    """
    name = file.name
    damage: list[Exception] = []
    try:
        with _open(file, damage) as stream:
            yield from _read(file, stream, name, damage)
    except zips.ZipError as error:
        yield Reject(name, None, str(error))
    except OSError as error:
        raise UserError(f"Cannot read {file.path}: {error.strerror or error}.") from error
    if damage:
        is_cut = isinstance(damage[0], EOFError)
        what = "truncated file" if is_cut else f"damaged file ({damage[0]})"
        yield Reject(name, None, f"{what}; what came before was kept")


def _open(file: InputFile, damage: list[Exception]) -> BinaryIO:
    if file.members:
        return zips.open_member(file.path, tuple(file.members), damage)
    return open(file.path, "rb", buffering=streams.BUFFER)


def _read(
    file: InputFile, stream: BinaryIO, name: str, damage: list[Exception]
) -> Iterator[Numbered | Reject]:
    head = stream.peek(sniffing.HEAD_BYTES)
    kind = sniffing.kind_of(head, name)
    if kind in ("gzip", "zstd"):
        yield from _read(file, streams.unpacked(stream, kind, damage), name, damage)
    elif kind == "empty":
        if not damage:
            yield Reject(name, None, "empty file")
    elif kind == "not text":
        yield Reject(name, None, f"not text ({sniffing.extension(name) or 'no extension'})")
    elif kind == "zip":
        yield from _read_zip(file)
    elif kind == "xlsx":
        rows = tables.read_xlsx(name, _seekable(stream))
        yield from formats.passages_of_rows(rows, Origin(name))
    elif kind == "parquet":
        rows = tables.read_parquet(name, _seekable(stream))
        yield from formats.passages_of_rows(rows, Origin(name))
    elif kind == "warc":
        yield from web.read_warc(name, stream)
    elif kind == "html":
        found = web.html_passage(name, stream.read(records.LONGEST_RECORD))
        yield found if isinstance(found, Reject) else (None, found)
    else:
        yield from _read_text(stream, head, kind, name)


def _read_zip(file: InputFile) -> Iterator[Numbered | Reject]:
    # Zips are listed when files are looked for. What comes here is damaged, or was not
    # taken for a zip by its name.
    for member in zips.list_members(file.path, tuple(file.members)):
        name = f"{file.name}/{member.name}"
        yield from read_passages(file._replace(name=name, members=(*file.members, member.key)))


def _read_text(stream: BinaryIO, head: bytes, kind: str, name: str) -> Iterator[Numbered | Reject]:
    encoding = sniffing.encoding_of(head)
    marked = {}
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
        kind = sniffing.kind_of(stream.peek(sniffing.HEAD_BYTES), name)
        marked = {"decoded_from": encoding}
    origin = Origin(name)
    if kind == "jsonl":
        found = lines.read_lines(name, stream, origin, formats.passages_of)
    elif kind == "json":
        found = _from_json(name, stream)
    elif kind == "table":
        found = formats.passages_of_rows(tables.read_csv(name, stream), origin)
    else:
        found = _from_text(name, stream)
    if not marked:
        yield from found
        return
    for item in found:
        if not isinstance(item, Reject):
            item[1].metadata.update(marked)
        yield item


def _from_json(name: str, stream: BinaryIO) -> Iterator[Numbered | Reject]:
    for item in json_stream.read_json(name, stream, formats.is_corpus_record):
        if isinstance(item, Reject):
            yield item
            continue
        found = formats.passages_of(item.record, item.origin)
        if isinstance(found, str):
            start = lines.beginning(orjson.dumps(item.record))
            yield Reject(name, None, f"{found} (record {item.number:,})", start)
        else:
            passages = [(item.number, passage) for passage in found]
            yield from passages or [Reject(name, None, f"empty text (record {item.number:,})")]


def _from_text(name: str, stream: BinaryIO) -> Iterator[Numbered | Reject]:
    text = lines.text_of(name, stream.read(records.LONGEST_RECORD + 1))
    if isinstance(text, Reject):
        yield text
    elif tags.is_speech_transcript(text):
        yield None, Passage(tags.map_speech(text), None, {"register": "spoken"})
    else:
        yield None, Passage(text, None, {})


def _seekable(stream: BinaryIO) -> BinaryIO:
    return stream if stream.seekable() else zips.spooled(stream)
