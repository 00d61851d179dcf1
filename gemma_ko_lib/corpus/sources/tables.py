"""Tables: CSV and TSV as they are exported, Excel sheets, Parquet; one row at a time.

Out come rows by column name with their number: the line of a CSV, the row of a sheet. `sheets`
reads Excel's own.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from gemma_ko_lib.corpus.sources import records, sheets, sniffing, streams, zips
from gemma_ko_lib.corpus.sources.records import Reject

_CHUNK = 1 << 20
# A quoted cell longer than this was never closed.
_LONGEST_ROW = 4_000_000
# Stands for what was left out of a line that does not end.
_TOO_LONG = "\0"
_LINE = re.compile(r"[^\n]*+\n?")

# Petitions are longer than the 131,072 characters that csv allows a cell.
csv.field_size_limit(_LONGEST_ROW)

Row = tuple[int, dict]


# --- CSV and TSV ------------------------------------------------------------------------


@records.rejects_empty("no rows in the table")
def read_csv(name: str, stream: BinaryIO) -> Iterator[Row | Reject]:
    """The rows of a delimited text; a row that does not fit is rejected alone.

    Quotes count where a header or a CSV uses them: in NSMC's TSV a quote is what somebody
    typed. Lines that start with "#" before the header are comments.
    """
    lines = _Lines(stream)
    while (line := lines.peek()) is not None and (not line.strip() or line.startswith("#")):
        lines.take()
    if line is None:
        return
    delimiter = sniffing.delimiter_of(line)
    columns = _distinct(sniffing.split_header(line))
    if sniffing.RATED_LINE.fullmatch(line):
        columns, quoted = ["rating", "review"], False  # a table without a header
    else:
        is_csv = sniffing.extension(name) == ".csv"  # also with one column, without delimiters
        quoted = delimiter != "\t" or line.startswith('"') or (is_csv and delimiter not in line)
        lines.take()
    pattern = _row_pattern(delimiter) if quoted else _LINE
    while row := lines.take(pattern):
        number, text, fits = row
        if not text.strip():
            continue
        reason = ""
        if _TOO_LONG in text or len(text) > _LONGEST_ROW:
            reason = f"too long for a row ({_LONGEST_ROW:,} characters)"
        elif not fits:
            reason = "broken row (a quote without its partner)"
        elif "\ufffd" in text:
            reason = "not UTF-8 (in this row)"
        else:
            cells = _cells(text, delimiter) if quoted else text.split(delimiter)
            if len(cells) != len(columns) and any(cells[len(columns) :] or [True]):
                reason = f"another number of cells than columns ({len(cells)}, not {len(columns)})"
        if reason:
            yield Reject(name, number, reason, records.beginning(text).strip())
        else:
            yield number, dict(zip(columns, map(str.strip, cells), strict=False))


def _row_pattern(delimiter: str) -> re.Pattern:
    d = re.escape(delimiter)
    # A cell in quotes may hold delimiters and line breaks; a quote inside a cell is a letter.
    cell = rf'(?:[ ]*+"[^"]*+(?:""[^"]*+)*+"[ ]*+(?=[{d}\r\n]|\Z)|(?![ ]*+")[^{d}\r\n]*+)'
    return re.compile(rf"{cell}(?:{d}{cell})*+(?:\r?\n|\Z)")


def _cells(text: str, delimiter: str) -> list[str]:
    if '"' not in text:
        return text.split(delimiter)
    return next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])


class _Lines:
    """Text of a stream, given out by line, or by row where quotes join lines."""

    def __init__(self, stream: BinaryIO):
        self._stream = io.TextIOWrapper(stream, "utf-8", "replace", newline="")
        self._text, self._at, self._number = "", 0, 1

    def peek(self) -> str | None:
        """The next line without its break; None at the end."""
        while (end := self._text.find("\n", self._at)) < 0 and self._more():
            pass
        line = self._text[self._at : end if end >= 0 else None]
        return line.rstrip("\r") if line or end >= 0 else None

    def take(self, pattern: re.Pattern = _LINE) -> tuple[int, str, bool] | None:
        """Number and text of the next row, and whether it fits the pattern; None at the end.

        What does not fit is given out by line, so that the rows below are read.
        """
        if self.peek() is None:
            return None
        while True:
            match = pattern.match(self._text, self._at)
            if match and match.end() < len(self._text):
                break
            if len(self._text) - self._at > _LONGEST_ROW or not self._more():
                break
        row = match or _LINE.match(self._text, self._at)
        number, self._at = self._number, row.end()
        self._number += row[0].count("\n")
        return number, row[0].rstrip("\r\n"), match is not None

    def _more(self) -> bool:
        if data := self._stream.read(_CHUNK):
            rest = self._text[self._at :]
            if len(rest) > _LONGEST_ROW and "\n" not in rest:
                rest = rest[:_CHUNK] + _TOO_LONG
            self._text, self._at = rest + data, 0
        return bool(data)


# --- Excel ----------------------------------------------------------------------------


@records.rejects_empty("no rows in the table")
def read_xlsx(name: str, file: BinaryIO) -> Iterator[Row | Reject]:
    """The rows of all sheets; the first row with two names or more is a sheet's header, or one
    alone that texts have.

    Args:
        name: of the file.
        file: seekable.
    """
    try:
        for title, rows in sheets.read_sheets(file):
            try:
                yield from _named_rows(rows)
            except sheets.DAMAGED as error:
                yield Reject(name, None, f"damaged sheet ('{title}': {_short(error)})")
    except sheets.DAMAGED as error:
        yield Reject(name, None, f"damaged Excel file ({_short(error)})")


def _named_rows(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    columns: list[str] = []
    before: list[str] = []  # the last row with one cell: a title, or the header of one column
    for number, cells in rows:
        filled = sum(map(bool, cells))
        if not columns and filled == 1 and any(name in records.TEXT_FIELDS for name in before):
            columns = before
        if columns and filled:
            # A row ends with its last cell that is filled.
            cells = cells + [""] * (len(columns) - len(cells))
            yield number, {c: v for c, v in zip(columns, cells, strict=False) if c}
        elif filled > 1:
            columns = _distinct(cells)
        elif filled:
            before = cells


def _distinct(columns: list[str]) -> list[str]:
    """Names of columns, the second of a name with its number: both are kept."""
    numbered = zips.numbered(columns)
    return [own if name else "" for name, own in zip(columns, numbered, strict=True)]


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


# --- Parquet --------------------------------------------------------------------------


# A batch has at most so many rows and, as the file says, so many bytes.
_BATCH_ROWS, _BATCH_BYTES = 256, 8_000_000
_VALUE_BYTES = 4


@records.rejects_empty("no rows in the table")
def read_parquet(name: str, file: BinaryIO) -> Iterator[Row | Reject]:
    """The rows of a Parquet file, a few megabytes in memory at a time.

    Args:
        name: of the file.
        file: seekable.
    """
    import pyarrow
    import pyarrow.parquet

    packed = file.seek(0, os.SEEK_END)
    number = unpacked = 0
    try:
        metadata = pyarrow.parquet.read_metadata(file)
        # A text that many rows share stays one text until its row is read.
        texts = [metadata.schema.column(n).path for n in range(metadata.num_columns)]
        table = pyarrow.parquet.ParquetFile(file, metadata=metadata, read_dictionary=texts)
        for group in range(table.num_row_groups):
            for batch in table.iter_batches(_rows_at_once(metadata, group, packed), [group]):
                is_small = _decoded_bytes(batch.columns) < _BATCH_BYTES
                step = batch.num_rows if is_small else 1
                for start in range(0, batch.num_rows, step or 1):
                    rows = batch.slice(start, step)
                    size = _decoded_bytes(rows.columns)
                    unpacked += size
                    if streams.is_bomb(unpacked, packed):
                        raise ValueError("it unpacks to far more than text does")
                    if size > records.LONGEST_RECORD:
                        number += 1
                        yield Reject(name, number, records.too_long())
                        continue
                    for row in rows.to_pylist():
                        number += 1
                        yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = f"damaged Parquet file; what came before was kept ({_short(error)})"
        yield Reject(name, number + 1, reason)


def _rows_at_once(metadata, group: int, packed: int) -> int:
    """Rows of a group to decode at a time, by the size that the file claims."""
    found = metadata.row_group(group)
    # A value that is the same again and again takes no byte in the file, but some in memory.
    values = sum(found.column(n).num_values for n in range(found.num_columns))
    size = found.total_byte_size + _VALUE_BYTES * values
    if streams.is_bomb(size, packed):
        raise ValueError(f"{size:,} bytes in {packed:,}: no text packs so well")
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * found.num_rows // (size + 1)))


def _decoded_bytes(columns: Iterable) -> int:
    """Bytes of Arrow arrays once every row has its own copy of a shared text."""
    import pyarrow
    import pyarrow.compute

    found = 0
    for column in columns:
        if isinstance(column, pyarrow.DictionaryArray):
            lengths = pyarrow.compute.binary_length(column.dictionary).take(column.indices)
            found += pyarrow.compute.sum(lengths).as_py() or 0
        elif isinstance(column, pyarrow.StructArray):
            found += _decoded_bytes(column.flatten())
        elif isinstance(column, pyarrow.MapArray):
            inside = slice(column.offsets[0].as_py(), column.offsets[-1].as_py())
            found += _decoded_bytes((column.keys[inside], column.items[inside]))
        elif pyarrow.types.is_nested(column.type):
            found += _decoded_bytes((column.flatten(),))
        else:
            found += column.nbytes
    return found
