"""JSON lines and plain text: one record a line, one document a file."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import orjson

from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.records import NO_FIELDS, Fields, Origin, Passage, Reject

PassagesOf = Callable[[dict, Origin, Fields], Iterable[Passage] | str]


def _integer(digits: str) -> int | float:
    """As orjson has it: what 64 bits do not hold is a float."""
    return int(digits) if len(digits) < 19 else float(digits)


DECODER = json.JSONDecoder(parse_constant=lambda name: None, parse_int=_integer, strict=False)
_START_BYTES, _START_CHARACTERS = 300, 100


def read_lines(
    name: str, stream: BinaryIO, origin: Origin, passages_of: PassagesOf, fields: Fields = NO_FIELDS
) -> Iterator[tuple[int, Passage] | Reject]:
    """The texts of a JSONL file with their line numbers; a bad line is rejected alone.

    Lines that start with "#" are comments.

    Args:
        name: of the file.
        stream: its bytes.
        origin: of the file.
        passages_of: the texts of an object, or the reason why it has none.
        fields: names that the user gave.
    """
    longest = records.LONGEST_RECORD
    number = found = 0
    while line := stream.readline(longest):
        number += 1
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            if line.isspace() or line.startswith(b"#"):
                continue
            record = _rest_of_line(stream, line) or parse_leniently(line)
            passages = record if isinstance(record, str) else passages_of(record, origin, fields)
        else:
            if type(record) is dict:
                passages = passages_of(record, origin, fields)
            else:
                passages = f"a JSON object was expected, not {type(record).__name__}"
        found += 1
        if type(passages) is str:
            yield Reject(name, number, passages, beginning(line))
            continue
        for passage in passages:
            yield number, passage
    if not found:
        yield Reject(name, None, "no records in the file")


def _rest_of_line(stream: BinaryIO, line: bytes) -> str | None:
    """Skip what is left of a line that is too long, and say so."""
    longest = records.LONGEST_RECORD
    if len(line) < longest or line.endswith(b"\n"):
        return None
    while (rest := stream.readline(longest)) and not rest.endswith(b"\n"):
        pass
    return f"too long for a document ({longest:,} bytes)"


def parse_leniently(line: bytes) -> dict | str:
    """A JSON object against the standard, or what is wrong with it.

    Python's parser takes what many writers produce: NaN, tabs within a string, and half a
    surrogate pair where a text was cut.
    """
    try:
        decoded = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start:,} of the line)"
    try:
        record = DECODER.decode(decoded)
    except (ValueError, RecursionError) as error:
        return f"broken JSON ({error})"
    if not isinstance(record, dict):
        return f"a JSON object was expected, not {type(record).__name__}"
    return scrub(record)


def scrub(value):
    """Replace half surrogate pairs, which no UTF-8 file can hold, all through a JSON value."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    return value


def beginning(data: bytes) -> str:
    """The first characters of a record, to recognise it by."""
    return data[:_START_BYTES].decode("utf-8", "replace")[:_START_CHARACTERS].rstrip()


# --- Plain text -----------------------------------------------------------------------


def text_of(name: str, data: bytes) -> str | Reject:
    """A whole text; not text, too long and empty are rejected."""
    longest = records.LONGEST_RECORD
    if len(data) > longest:
        reason = f"too long for a document ({longest:,} bytes); --documents-by line or blank"
        return Reject(name, None, reason)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject(name, None, f"neither UTF-8 (byte {error.start:,}) nor Korean cp949")
    if not text.strip():
        return Reject(name, None, "empty text")
    return text
