"""Reading documents: .jsonl and .txt, plain or gzipped, one at a time and in constant memory.

A damaged record never stops a run and is never lost silently: it comes out as a `Reject`
that names the file, the line and the reason, beside the good documents around it.
"""

import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gemma_ko_lib.runtime import UserError

if TYPE_CHECKING:
    from datatrove.data import Document

# Where corpora keep a document's text; the first that a record has is taken.
TEXT_FIELDS = ("text", "content", "document", "sentence", "form", "comments", "body")
EXTENSIONS = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
# A longer line or .txt file is no document, and would not fit into memory ten times over.
LONGEST_RECORD = 64_000_000
_BUFFER = 1 << 20
_BOM = b"\xef\xbb\xbf"
_HANGUL = re.compile("[가-힣]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


class InputFile(NamedTuple):
    """A file to read and the name it has in ids and reports (no machine path)."""

    path: str
    name: str


class Reject(NamedTuple):
    """A record or a file that gave no document.

    Attributes:
        file: name of the file.
        line: number of the line, from 1; None for a whole file.
        reason: what was wrong.
        start: the first characters of the line.
    """

    file: str
    line: int | None
    reason: str
    start: str = ""


# --- Files ----------------------------------------------------------------------------


def find_files(inputs: Iterable[str | Path]) -> list[InputFile]:
    """List the files of some inputs, folders with all below them, in a stable order.

    Files whose name starts with "." are left out; a file named twice counts once.

    Raises:
        UserError: a path does not exist.
    """
    found: dict[Path, str] = {}
    for given in [inputs] if isinstance(inputs, str | Path) else inputs:
        path = Path(given).expanduser().resolve()
        if path.is_dir():
            for file in _walk(path):
                found.setdefault(file, file.relative_to(path.parent).as_posix())
        elif path.exists():
            found.setdefault(path, path.name)
        else:
            raise UserError(f"There is no file or folder {given}. Check the path.")
    if len(set(found.values())) < len(found):
        # a/train.jsonl and b/train.jsonl: ids made from names must differ.
        common = os.path.commonpath(found)
        found = {file: file.relative_to(common).as_posix() for file in found}
    return [InputFile(str(file), name) for file, name in found.items()]


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


# --- Documents ------------------------------------------------------------------------


def read_documents(inputs: str | Path | Iterable[str | Path]) -> Iterator["Document"]:
    """Read every document of some files and folders; rejects are told on stderr.

    A document's metadata holds "source_file" and the record's other scalar fields, among
    them "register" where there is one. Without an "id" field a document is called after
    its file and line.

    Raises:
        UserError: a path does not exist or may not be read.
    """
    rejects = 0
    for record in read_records(inputs):
        if isinstance(record, Reject):
            rejects += 1
            if rejects == 1:
                first = record
            continue
        yield record
    if rejects:
        place = first.file if first.line is None else f"{first.file}:{first.line}"
        print(f"{rejects:,} records left out; the first, {place}: {first.reason}", file=sys.stderr)


def read_records(inputs: str | Path | Iterable[str | Path]) -> Iterator["Document | Reject"]:
    """Read the documents and, where there is none to be had, the rejects.

    Raises:
        UserError: a path does not exist or may not be read.
    """
    for file in find_files(inputs):
        yield from read_file(file)


def read_file(file: InputFile) -> Iterator["Document | Reject"]:
    """Read the documents and rejects of one file, by its extension.

    Raises:
        UserError: the file may not be read.
    """
    lower = file.name.lower()
    if not lower.endswith(EXTENSIONS):
        kind = os.path.splitext(lower)[1] or "no extension"
        known = ", ".join(EXTENSIONS)
        yield Reject(file.name, None, f"unknown kind of file ({kind}); known: {known}")
        return
    reader = _read_jsonl if ".jsonl" in lower else _read_txt
    try:
        with open(file.path, "rb") as raw:
            if os.fstat(raw.fileno()).st_size == 0:
                yield Reject(file.name, None, "empty file")
            elif lower.endswith(".gz"):
                yield from _read_gzip(file, raw, reader)
            else:
                yield from reader(file, raw)
    except OSError as error:
        raise UserError(f"Cannot read {file.path}: {error.strerror or error}.") from error


class _GzipChunks(io.RawIOBase):
    """Hands over what is unpacked chunk by chunk; none is lost when the next one is damaged."""

    def __init__(self, packed: gzip.GzipFile):
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._packed.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _read_gzip(file: InputFile, raw: BinaryIO, reader) -> Iterator["Document | Reject"]:
    # BufferedReader splits lines in C; GzipFile itself would do it in Python.
    stream = io.BufferedReader(_GzipChunks(gzip.GzipFile(fileobj=raw)), _BUFFER)
    try:
        yield from reader(file, stream)
    except EOFError:
        yield Reject(file.name, None, "truncated gzip file; the documents before the cut were kept")
    except (gzip.BadGzipFile, zlib.error) as error:
        yield Reject(file.name, None, f"damaged gzip file ({error}); what came before was kept")


def _read_txt(file: InputFile, stream: BinaryIO) -> Iterator["Document | Reject"]:
    from datatrove.data import Document

    data = stream.read(LONGEST_RECORD + 1).removeprefix(_BOM)
    if len(data) > LONGEST_RECORD:
        yield Reject(file.name, None, f"too long for a document ({LONGEST_RECORD:,} bytes)")
        return
    metadata = {"source_file": file.name}
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = _decode_cp949(data)
        if text is None:
            yield Reject(file.name, None, f"neither UTF-8 (byte {error.start:,}) nor Korean cp949")
            return
        metadata["decoded_from"] = "cp949"
    if not text.strip():
        yield Reject(file.name, None, "empty text")
        return
    yield Document(text=text, id=file.name, metadata=metadata)


def _decode_cp949(data: bytes) -> str | None:
    """Decode 완성형/확장 완성형 text; None if the bytes are anything else.

    Any bytes can happen to be valid cp949, so most of what is not ASCII must be Hangul.
    """
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError:
        return None
    hangul, others = len(_HANGUL.findall(text)), len(_NOT_ASCII.findall(text))
    return text if hangul and hangul >= others / 2 else None


def _read_jsonl(file: InputFile, stream: BinaryIO) -> Iterator["Document | Reject"]:
    from datatrove.data import Document

    name, number, records = file.name, 0, 0
    while line := stream.readline(LONGEST_RECORD):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) >= LONGEST_RECORD and not line.endswith(b"\n"):
            while rest := stream.readline(LONGEST_RECORD):
                if rest.endswith(b"\n"):
                    break
            record = f"too long for a document ({LONGEST_RECORD:,} bytes)"
        elif line.isspace():
            continue
        else:
            record = _parse(line)
        records += 1
        if isinstance(record, str):
            yield Reject(name, number, record, line[:300].decode("utf-8", "replace")[:100].rstrip())
            continue
        text, record_id, metadata = record
        metadata.setdefault("source_file", name)
        yield Document(text=text, id=record_id or f"{name}:{number}", metadata=metadata)
    if not records:
        yield Reject(name, None, "no records in the file")


_SCALARS = frozenset((str, int, float, bool))


def _parse(line: bytes) -> tuple[str, str | None, dict] | str:
    """Text, id and metadata of a JSON record, or the reason why it has none."""
    import orjson

    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        record = _parse_leniently(line)
        if isinstance(record, str):
            return record
    if not isinstance(record, dict):
        return f"a JSON object was expected, not {type(record).__name__}"
    for field in TEXT_FIELDS:
        if field in record:
            break
    else:
        return f"no text field (any of {', '.join(TEXT_FIELDS)})"
    text = record.pop(field)
    if not isinstance(text, str):
        return f"the field '{field}' is {type(text).__name__}, not a string"
    if not text or text.isspace():
        return f"the field '{field}' is empty"
    record_id = record.pop("id", None)
    metadata = {key: value for key, value in record.items() if type(value) in _SCALARS}
    return text, None if record_id is None else str(record_id), metadata


def _parse_leniently(line: bytes) -> dict | str:
    # Python's parser takes what many writers produce against the standard: NaN, and half a
    # surrogate pair where a text was cut.
    try:
        decoded = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start:,} of the line)"
    try:
        record = json.loads(decoded, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        return f"broken JSON ({error})"
    if not isinstance(record, dict):
        return f"a JSON object was expected, not {type(record).__name__}"
    return {_scrub(key): _scrub(value) for key, value in record.items()}


def _scrub(value):
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
