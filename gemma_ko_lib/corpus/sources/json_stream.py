"""Records of a JSON file, of any size and whatever is broken in it.

A small file is parsed at once. A larger or a damaged one is cut into its records by a
pattern that knows strings and brackets, in memory that the longest record decides. After
damage it goes on at the next object that looks like the records before it, so that a
missing comma, an open string or a stray letter costs the record it stands in.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.lines import DECODER, beginning, scrub
from gemma_ko_lib.corpus.sources.records import DAMAGED_STREAM, Origin, Reject

# Keys of a JSON root under which corpora list their records.
CONTAINERS = frozenset(
    "document documents data dataSet dataset data_info dataInfo paragraphs named_entity parallel "
    "labeled_data".split()
)
_AT_ONCE = 8_000_000
_CHUNK = 1 << 22
# How far an object may reach that is tried as the next record after damage.
_TRIED_BYTES = 1 << 22
_SHORT = 4096
_UNDECIDED = object()
_ENDS_EARLY = "the file ends within a record or list; what came before was kept"

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_DEPTH = 12


def _nested(depth: int) -> bytes:
    # Possessive throughout: a failed match is given up at once. Round one another, not
    # beside: the pattern grows with the depth, not with its power.
    inner = rb'[^"{}\[\]]++|' + _STRING
    pattern = rb"(?!)"
    for _ in range(depth):
        pattern = rb"[\[{](?:" + inner + rb"|" + pattern + rb")*+[\]}]"
    return pattern


_NESTED = re.compile(_nested(_DEPTH), re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[-+.\w]++", re.DOTALL)
_BETWEEN = re.compile(rb"(?:[\s,]++|#[^\n]*+)*+")
_KEY = re.compile(rb"(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_FIRST_KEY = re.compile(rb'\{(\s*+)"')
_STARTS_OBJECTS = re.compile(rb"\[\s*+(?:#[^\n]*+\s*+)*+\{")
_NEXT_CONTAINER = (
    rb'"(' + b"|".join(sorted(key.encode() for key in CONTAINERS)) + rb')"\s*+:\s*+\[\s*+(?=\{)'
)
_TOKENS = re.compile(rb"(" + _STRING + rb")\s*+(:)?|[{}\[\]]", re.DOTALL)


class Found(NamedTuple):
    """A record and where it stood."""

    number: int
    record: dict
    origin: Origin


def read_json(
    name: str, stream: BinaryIO, is_record: Callable[[dict, Origin], bool]
) -> Iterator[Found | Reject]:
    """The records of a JSON file, numbered from 1, and the damaged places among them.

    Args:
        name: of the file.
        stream: its bytes, in UTF-8.
        is_record: whether some format knows a record; asked after damage that stands so
            early that no record was seen.
    """
    number = 0
    for item in _read(name, stream, is_record):
        if isinstance(item, Reject):
            yield item
            continue
        record, origin = item
        number += 1
        if isinstance(record, dict):
            yield Found(number, record, origin)
        else:
            reason = f"a JSON object was expected, not {type(record).__name__}"
            yield Reject(name, None, f"{reason} (record {number:,})")
    if not number:
        yield Reject(name, None, "no records in the file")


def _read(name: str, stream: BinaryIO, is_record) -> Iterator[tuple[object, Origin] | Reject]:
    window = _Window(stream)
    while len(window.data) < _AT_ONCE and window.more():
        pass
    if window.ended:
        try:
            root = orjson.loads(window.data)
        except orjson.JSONDecodeError:
            pass
        else:
            yield from records_of(root, name)
            return
    yield from _Splitter(name, window, is_record).values()


def records_of(root: object, file: str) -> Iterator[tuple[object, Origin]]:
    """The records in a parsed root: listed in it, under one of its keys, or itself."""
    if isinstance(root, list):
        yield from ((item, Origin(file)) for item in root)
        return
    if not isinstance(root, dict):
        yield root, Origin(file)
        return
    listed = [key for key in root if key in CONTAINERS and _is_list_of_objects(root[key])]
    about = {key: value for key, value in root.items() if key not in listed}
    for key in listed:
        yield from ((item, Origin(file, key, about)) for item in root[key])
    if listed:
        return
    single = [key for key in root if key in CONTAINERS and isinstance(root[key], dict)]
    if len(single) == 1:
        about.pop(single[0])
        yield root[single[0]], Origin(file, single[0], about)
    else:
        yield root, Origin(file)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


# --- Bytes ----------------------------------------------------------------------------


class _Window:
    """The part of a stream that is being looked at, and the line it starts in."""

    def __init__(self, stream: BinaryIO):
        self._stream, self._error = stream, None
        self.data, self.lines_before, self.ended = b"", 0, False

    def more(self) -> bool:
        """Read on; False at the end of the stream."""
        if self._error:
            raise self._error
        # At least as much as there is: a record that does not end is not tried too often.
        wanted, pieces = max(_CHUNK, len(self.data)), [self.data]
        try:
            while wanted > 0 and (piece := self._stream.read1(min(wanted, _CHUNK))):
                pieces.append(piece)
                wanted -= len(piece)
            self.ended = wanted > 0
        except DAMAGED_STREAM as error:
            # First what came before the damage.
            self._error = error
            if len(pieces) == 1:
                raise
        self.data = b"".join(pieces)
        return len(pieces) > 1

    def drop(self, end: int) -> None:
        """Forget what lies before a position."""
        self.lines_before += self.data.count(b"\n", 0, end)
        self.data = self.data[end:]

    def line(self, position: int) -> int:
        """Number of the line that a position is in."""
        return self.lines_before + self.data.count(b"\n", 0, position) + 1


class _Damaged(Exception):
    """A value that cannot be read.

    Attributes:
        position: of the damage, in the window.
        reason: what is wrong.
        end: where the value ends all the same, if that is known.
    """

    def __init__(self, position: int, reason: str, end: int | None = None):
        super().__init__(reason)
        self.position, self.reason, self.end = position, reason, end


# --- Values ---------------------------------------------------------------------------


class _Splitter:
    """Cuts what is in a window into records, from `at` onwards."""

    def __init__(self, name: str, window: _Window, is_record):
        self._name, self._window, self._is_record = name, window, is_record
        self._at = 0
        self._container, self._about = "", {}
        # Keys of the last good record, and the white space after its bracket.
        self._shape: set[str] = set()
        self._space: bytes | None = None

    def values(self) -> Iterator[tuple[object, Origin] | Reject]:
        """Everything that stands side by side in the file: mostly one object or list."""
        while True:
            self._skip()
            start = self._byte()
            if not start:
                return
            if start == b"{":
                yield from self._root()
            elif start == b"[":
                self._at += 1
                self._container, self._about = "", {}
                yield from self._list()
            else:
                yield self._reject(_Damaged(self._at, "broken JSON (a value was expected)"))
                if not self._find_next(set(), in_list=False):
                    return
                yield from self._list(commas=False)

    def _root(self) -> Iterator[tuple[object, Origin] | Reject]:
        self._at += 1
        about: dict = {}
        listed = False
        while True:
            try:
                self._skip()
                if self._byte() == b"}":
                    self._at += 1
                    if not listed:
                        self._shape = set(about)
                        yield from records_of(about, self._name)
                    return
                key = self._key()
                if key in CONTAINERS and self._match(_STARTS_OBJECTS):
                    self._at += 1
                    listed = True
                    self._container, self._about = key, about
                    yield from self._list()
                else:
                    about[key] = self._value()
            except _Damaged as damaged:
                yield self._reject(damaged)
                if not self._find_next(set(about), in_list=False):
                    return
                listed = True
                self._about = about
                yield from self._list(commas=bool(self._container))

    def _list(self, commas: bool = True) -> Iterator[tuple[object, Origin] | Reject]:
        first = True
        while True:
            comma = b"," in self._skip()
            start = self._byte()
            if start == b"]":
                self._at += 1
                return
            if not start:
                if commas:
                    yield self._reject(_Damaged(self._at, _ENDS_EARLY))
                return
            if commas and not comma and not first:
                yield self._reject(_Damaged(self._at, "broken JSON (a comma is missing)"))
            first = False
            try:
                space = _FIRST_KEY.match(self._window.data, self._at)
                record = self._value()
            except _Damaged as damaged:
                yield self._reject(damaged)
                if damaged.end:
                    self._at = damaged.end
                    continue
                keys = self._keys_before(damaged.position)
                self._at += 1
                if not self._find_next(keys, in_list=True):
                    return
                first = True
                continue
            if isinstance(record, dict):
                self._shape = set(record)
                self._space = space[1] if space else None
            yield record, Origin(self._name, self._container, self._about)

    def _value(self) -> object:
        """Parse the value at `at` and move behind it."""
        while True:
            data, at, ended = self._window.data, self._at, self._window.ended
            is_nested = data[at : at + 1] in (b"{", b"[")
            match = (_NESTED if is_nested else _SCALAR).match(data, at)
            if match and (is_nested or ended or match.end() < len(data)):
                try:
                    value = orjson.loads(match[0])
                except orjson.JSONDecodeError:
                    return self._lenient_value(match.end(), True, match.end())
                self._at = match.end()
                return value
            if len(data) - at > records.LONGEST_RECORD:
                raise _Damaged(at, f"too long for a document ({records.LONGEST_RECORD:,} bytes)")
            if (value := self._lenient_value(len(data), ended, None)) is not _UNDECIDED:
                return value
            self._more(self._at)

    def _lenient_value(self, stop: int, whole: bool, end: int | None) -> object:
        data = self._window.data[self._at : stop]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            if whole or error.start < len(data) - 4:
                place = self._at + error.start
                raise _Damaged(place, f"not UTF-8 ({error.reason})", end) from None
            text = data.decode("utf-8", "ignore")
        try:
            value, stop = DECODER.raw_decode(text)
        except RecursionError:
            raise _Damaged(self._at, "broken JSON (nested too deep)") from None
        except ValueError as error:
            at_end = error.pos > len(text) - 16 or error.msg.startswith("Unterminated")
            if at_end and not whole:
                return _UNDECIDED
            place = self._at + len(text[: error.pos].encode())
            is_cut = at_end and stop == len(self._window.data)
            reason = _ENDS_EARLY if is_cut else f"broken JSON ({error.msg})"
            raise _Damaged(place, reason) from None
        self._at += len(text[:stop].encode())
        return scrub(value)

    def _key(self) -> str:
        match = self._match(_KEY)
        if not match:
            reason = "broken JSON (a key was expected)" if self._byte() else _ENDS_EARLY
            raise _Damaged(self._at, reason)
        try:
            key = orjson.loads(match[1])
        except orjson.JSONDecodeError as error:
            raise _Damaged(self._at, f"broken JSON ({error.msg})") from None
        self._at = match.end()
        return key

    # --- Moving on ----------------------------------------------------------------

    def _more(self, keep: int) -> bool:
        self._window.drop(keep)
        self._at -= keep
        return self._window.more()

    def _match(self, pattern: re.Pattern) -> re.Match | None:
        """A match at `at`, for which enough of the file is read."""
        while True:
            match = pattern.match(self._window.data, self._at)
            rest = len(self._window.data) - (match.end() if match else self._at)
            if self._window.ended or rest > _SHORT or not self._more(self._at):
                return match

    def _skip(self) -> bytes:
        """Move over white space, commas and comments; returns them."""
        match = self._match(_BETWEEN)
        self._at = match.end()
        return match[0]

    def _byte(self) -> bytes:
        return self._window.data[self._at : self._at + 1]

    def _reject(self, damaged: _Damaged) -> Reject:
        start = beginning(self._window.data[self._at : self._at + 400])
        return Reject(self._name, self._window.line(damaged.position), damaged.reason, start)

    # --- After damage -------------------------------------------------------------

    def _keys_before(self, position: int) -> set[str]:
        """The keys of the object at `at`, as far as it is whole."""
        depth, keys = 0, set()
        for match in _TOKENS.finditer(self._window.data, self._at, position):
            if match[1]:
                if match[2] and depth == 1:
                    keys.add(match[1][1:-1].decode("utf-8", "replace"))
            else:
                depth += 1 if match[0] in b"[{" else -1
        return keys

    def _find_next(self, keys: set[str], in_list: bool) -> bool:
        """Move to the next object that looks like a record; False if there is none.

        Looking starts before the damage: an open string may have swallowed the next record's
        start. Objects within the damaged record have other keys than records.

        Args:
            keys: of the damaged record, in case that there was no good one before.
            in_list: the list of records has begun.
        """
        spacing = rb"\s*+" if self._space is None else re.escape(self._space)
        start = rb"\{" + spacing + rb'"'
        if not in_list and not self._shape:
            start += rb"|" + _NEXT_CONTAINER
        pattern = re.compile(start)
        while True:
            match = pattern.search(self._window.data, self._at)
            if not match:
                keep = max(self._at, len(self._window.data) - _SHORT)
                if self._window.ended or not self._more(keep):
                    self._at = len(self._window.data)
                    return False
                self._at = 0
                continue
            self._at = match.start()
            if match.lastindex:
                self._container, self._at = match[1].decode(), match.end()
                return True
            if self._is_like_a_record(keys, in_list):
                return True
            self._at += 1

    def _is_like_a_record(self, keys: set[str], in_list: bool) -> bool:
        while True:
            data = self._window.data
            match = _NESTED.match(data, self._at)
            if match or self._window.ended or len(data) - self._at > _TRIED_BYTES:
                break
            self._more(self._at)
        try:
            record = orjson.loads(match[0]) if match else None
        except orjson.JSONDecodeError:
            return False
        if not isinstance(record, dict):
            return False
        expected = self._shape or keys
        if expected and 2 * len(expected & record.keys()) >= len(expected):
            return True
        if self._shape or len(keys) > 1:
            return False
        return self._is_record(record, Origin(self._name, self._container, self._about))
