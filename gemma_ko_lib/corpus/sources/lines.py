"""JSON lines: one record a line; and what readers of lines and of JSON share."""

import json
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from gemma_ko_lib.corpus.sources import formats, records
from gemma_ko_lib.corpus.sources.records import Fields, Origin, Passage, Reject, beginning


def _integer(digits: str) -> int | float:
    """As orjson has it: what 64 bits do not hold is a float."""
    return int(digits) if len(digits) < 19 else float(digits)


DECODER = json.JSONDecoder(parse_constant=lambda name: None, parse_int=_integer, strict=False)


@records.rejects_empty("no records in the file")
def read_lines(
    name: str, stream: BinaryIO, fields: Fields
) -> Iterator[tuple[int, Passage] | Reject]:
    """The texts of a JSONL file with their line numbers; a bad line is rejected alone.

    Lines that start with "#" are comments.

    Args:
        name: of the file.
        stream: its bytes.
        fields: names that the user gave.
    """
    origin = Origin(name)
    for number, line in bounded_lines(stream):
        if line.isspace() or line.startswith(b"#"):
            continue
        record = _object(line)
        is_object = type(record) is dict
        passages = formats.passages_of(record, origin, fields) if is_object else record
        if type(passages) is str:
            yield Reject(name, number, passages, beginning(line))
            continue
        for passage in passages:
            yield number, passage


def bounded_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; of one longer than a record may be, its first bytes only."""
    longest, number = records.LONGEST_RECORD, 0
    while line := stream.readline(longest):
        number += 1
        yield number, line
        while len(line) == longest and not line.endswith(b"\n"):
            line = stream.readline(longest)


def _object(line: bytes) -> dict | str:
    """The JSON object of a line, or what is wrong with it.

    Python's parser takes what many writers produce against the standard: NaN, tabs within a
    string, and half a surrogate pair where a text was cut.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if len(line) >= records.LONGEST_RECORD:
            return records.too_long()
        try:
            record = scrub(DECODER.decode(line.decode("utf-8")))
        except UnicodeDecodeError as error:
            return f"not UTF-8 (byte {error.start:,} of the line)"
        except (ValueError, RecursionError) as error:
            return f"broken JSON ({error})"
    if isinstance(record, dict):
        return record
    return f"a JSON object was expected, not {type(record).__name__}"


def scrub(value):
    """Replace half surrogate pairs, which no UTF-8 file can hold, all through a JSON value."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    return value
