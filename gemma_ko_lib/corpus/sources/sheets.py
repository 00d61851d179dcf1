"""Excel sheets, row by row: a workbook is a zip of XML, read as a stream.

Memory does not grow with a sheet, nor with how far to the right or below its last cell stands.
Workbooks from before 2007 are another format; python-calamine reads those whole.
"""

import array
import contextlib
import datetime
import re
import tempfile
import zipfile
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree

from gemma_ko_lib.corpus.sources import streams

# What a damaged workbook raises.
DAMAGED = (
    *streams.DAMAGED,
    ElementTree.ParseError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    ValueError,
)
# Excel's own last column is the 16,384th.
_MOST_COLUMNS, _LONGEST_COLUMN = 1000, 3
_STRINGS_IN_MEMORY = 16_000_000
_DATE_FORMATS = frozenset((*range(14, 18), 22, *range(27, 37), *range(50, 59)))
_DATE_CODE = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\])|([ymd])', re.IGNORECASE)
_FIRST_DAY = datetime.datetime(1899, 12, 30)


def read_sheets(file: BinaryIO) -> Iterator[tuple[str, Iterator[tuple[int, list[str]]]]]:
    """Name and rows of each sheet; a row is its number and the texts of its cells.

    Raises:
        One of `DAMAGED`: it cannot be read, or holds far more than tables do.
    """
    if not zipfile.is_zipfile(file):
        yield from _old_sheets(file)
        return
    book = zipfile.ZipFile(file)
    strings = _Strings(book)
    dates = _date_styles(book)
    targets = {
        element.get("Id"): element.get("Target", "")
        for element in _elements(book, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    read: set[str] = set()
    for sheet in _elements(book, "xl/workbook.xml", "sheet"):
        relation = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        target = targets.get(relation, "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        # A small book can list the same sheet a million times.
        if path not in read:
            read.add(path)
            yield sheet.get("name", ""), _rows(book, path, strings, dates)


def _old_sheets(file: BinaryIO) -> Iterator[tuple[str, Iterator[tuple[int, list[str]]]]]:
    import python_calamine

    try:
        file.seek(0)
        book = python_calamine.CalamineWorkbook.from_filelike(file)
        for title in book.sheet_names:
            rows = enumerate(book.get_sheet_by_name(title).iter_rows(), 1)
            yield title, ((number, [_text(value) for value in row]) for number, row in rows)
    except Exception as error:
        raise ValueError(str(error)) from error


def _elements(book: zipfile.ZipFile, path: str, *tags: str) -> Iterator[ElementTree.Element]:
    """The elements of some names in a part of the book; a part that is not there has none."""
    try:
        info = book.getinfo(path)
    except KeyError:
        return
    if streams.is_bomb(info.file_size, info.compress_size):
        raise ValueError(f"{path} would unpack to {info.file_size:,} bytes: no table packs so well")
    with book.open(info) as part:
        yield from streams.xml_elements(part, *tags)


class _Strings:
    """The texts that cells share, on disk where they are many."""

    def __init__(self, book: zipfile.ZipFile):
        self._file = tempfile.SpooledTemporaryFile(_STRINGS_IN_MEMORY)
        self._ends = array.array("Q", [0])
        for item in _elements(book, "xl/sharedStrings.xml", "si"):
            self._file.write(_content(item).encode())
            self._ends.append(self._file.tell())

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise ValueError(f"there is no shared text {index}")
        self._file.seek(self._ends[index])
        return self._file.read(self._ends[index + 1] - self._ends[index]).decode()


def _content(item: ElementTree.Element) -> str:
    """The text of a string: plain or in runs, without how it is pronounced."""
    runs = [item, *item.iterfind("{*}r")]
    return "".join(part.text or "" for run in runs for part in run.iterfind("{*}t"))


def _date_styles(book: zipfile.ZipFile) -> frozenset[int]:
    """Numbers of the cell styles that show a number as a date."""
    codes: dict[str, str] = {}
    for element in _elements(book, "xl/styles.xml", "numFmt", "cellXfs"):
        if element.tag.endswith("}numFmt"):
            codes[element.get("numFmtId", "")] = element.get("formatCode", "")
            continue
        found = [style.get("numFmtId", "0") for style in element]
        return frozenset(
            number
            for number, style in enumerate(found)
            if (style.isdecimal() and int(style) in _DATE_FORMATS)
            or any(match[1] for match in _DATE_CODE.finditer(codes.get(style, "")))
        )
    return frozenset()


def _rows(
    book: zipfile.ZipFile, path: str, strings: _Strings, dates: frozenset[int]
) -> Iterator[tuple[int, list[str]]]:
    number = 0
    for row in _elements(book, path, "row"):
        written = row.get("r", "")
        number = int(written) if written.isdecimal() else number + 1
        cells: list[str] = []
        for cell in row:
            column = _column(cell.get("r", ""), len(cells))
            if column < _MOST_COLUMNS:
                cells += [""] * (column + 1 - len(cells))
                cells[column] = _value(cell, strings, dates)
        yield number, cells


def _column(reference: str, otherwise: int) -> int:
    """The place of "C7": 2."""
    column = 0
    for letter in reference.rstrip("0123456789")[:_LONGEST_COLUMN]:
        column = 26 * column + ord(letter) - 64
    return column - 1 if column > 0 else otherwise


def _value(cell: ElementTree.Element, strings: _Strings, dates: frozenset[int]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(map(_content, cell.iterfind("{*}is"))).strip()
    value = (cell.findtext("{*}v") or "").strip()
    if kind == "s" and value:
        return strings[int(value)].strip()
    if kind == "n" and value:
        style = cell.get("s", "0")
        # What is no number, or no day that there is (Excel shows ####), stands as it is written.
        with contextlib.suppress(ValueError, OverflowError):
            if style.isdecimal() and int(style) in dates:
                return _text(_FIRST_DAY + datetime.timedelta(days=float(value)))
            return _text(float(value)) if "." in value or "E" in value else value
        return value
    return "" if kind == "e" else value


def _text(value) -> str:
    # A sheet's numbers are floats: a pair is called 17, not 17.0.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime.date):
        value = value.isoformat().removesuffix("T00:00:00")
    return str(value).strip()
