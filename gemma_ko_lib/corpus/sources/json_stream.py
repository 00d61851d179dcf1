"""Records of a JSON file, of any size and whatever is broken in it.

A small file is parsed at once. Of a larger or a damaged one, one value after the other is
parsed, in memory that the longest record decides. After damage it goes on at the next object
that looks like the records before it, so that a missing comma, an open string or a stray letter
costs the record it stands in.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.json_values import ENDS_EARLY, SHORT, Damaged, JsonReader
from gemma_ko_lib.corpus.sources.records import Origin, Reject, beginning

IsRecord = Callable[[dict, Origin], bool]
# Keys of a JSON root under which corpora list their records.
CONTAINERS = frozenset(
    "document documents data dataSet dataset data_info dataInfo paragraphs named_entity parallel "
    "labeled_data".split()
)
# Lists that belong to one record, whatever their items look like.
_BODIES = frozenset(
    "paragraph utterance utterances sentence sentences rows body dialogue title subtitle content "
    "NE Aspects".split()
)

_AT_ONCE = 8_000_000
_STARTS_OBJECTS = re.compile(r"\[\s*+(?:#[^\n]*+\s*+)*+\{")
_NEXT_OBJECT = r'\{\s*+"'
_NEXT_CONTAINER = rf'"({"|".join(sorted(CONTAINERS))})"\s*+:\s*+\[\s*+(?=\{{)'


class Found(NamedTuple):
    """A record and where it stood."""

    number: int
    record: dict
    origin: Origin


def read_json(name: str, stream: BinaryIO, is_record: IsRecord) -> Iterator[Found | Reject]:
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
    reader = JsonReader(stream)
    while len(reader.data) < _AT_ONCE and reader.more():
        pass
    try:
        root = orjson.loads(reader.data) if reader.ended else None
    except orjson.JSONDecodeError:
        root = None
    if root is None:
        yield from _Splitter(name, reader, is_record).values()
    else:
        yield from _records_of(root, Origin(name), is_record)


class _Splitter:
    """Cuts what a reader reads into records."""

    def __init__(self, name: str, reader: JsonReader, is_record: IsRecord):
        self._name, self._reader, self._is_record = name, reader, is_record
        self._is_over = False  # nothing was found after the last damage
        self._container, self._about = "", {}
        self._shape: set[str] = set()  # keys of the last good record

    def values(self) -> Iterator[tuple[object, Origin] | Reject]:
        """Everything that stands side by side in the file: mostly one object or list."""
        reader = self._reader
        while True:
            reader.skip()
            start = reader.character()
            if not start:
                return
            if start == "{":
                yield from self._root()
            elif start == "[":
                reader.at += 1
                self._container, self._about = "", {}
                yield from self._list()
            else:
                yield self._reject(Damaged(reader.at, "broken JSON (a value was expected)"))
                if not self._find_next(set(), in_list=False):
                    return
                if self._shape or self._container:
                    yield from self._list(commas=False)

    def _root(self) -> Iterator[tuple[object, Origin] | Reject]:
        reader = self._reader
        reader.at += 1
        about: dict = {}
        listed, size = False, 0
        member = before = reader.dropped + reader.at
        while not self._is_over:
            try:
                reader.skip()
                before, member = member, reader.dropped + reader.at
                if reader.character() == "}":
                    reader.at += 1
                    if not listed:
                        self._shape = set(about)
                        yield from _records_of(about, Origin(self._name), self._is_record)
                    return
                key = reader.key()
                if self._starts_records(key):
                    reader.at += 1
                    listed = True
                    self._container, self._about = key, about
                    yield from self._list()
                else:
                    about[key] = reader.value()
                    size += reader.dropped + reader.at - member
                    if size > records.LONGEST_RECORD:
                        about.clear()
                        raise Damaged(reader.at, records.too_long())
            except Damaged as damaged:
                yield self._reject(damaged)
                if not listed and damaged.reason == ENDS_EARLY:
                    # A bracket too few: what should stand beside it, stands in it.
                    found = list(_records_of(about, Origin(self._name), self._is_record))
                    if found[0][0] is not about:
                        yield from found
                        return
                if not listed:
                    # An open string may have swallowed the list that comes next.
                    reader.at = max(before - reader.dropped, 0)
                if not self._find_next(set(about), in_list=False):
                    return
                listed = True
                self._about = about
                yield from self._list(commas=bool(self._container))

    def _list(self, commas: bool = True) -> Iterator[tuple[object, Origin] | Reject]:
        reader = self._reader
        follows = False  # on a record, and a comma parts the two
        while True:
            comma = "," in reader.skip()
            start = reader.character()
            if start == "]":
                reader.at += 1
                return
            if not start:
                if commas and not self._container:
                    yield self._reject(Damaged(reader.at, ENDS_EARLY))
                return
            if commas and follows and not comma:
                yield self._reject(Damaged(reader.at, "broken JSON (a comma is missing)"))
            follows = False
            if start == "[" and reader.match(_STARTS_OBJECTS):
                yield self._reject(Damaged(reader.at, "broken JSON (a list within the list)"))
                reader.at += 1
                continue
            try:
                if start != "{":
                    raise Damaged(reader.at, "broken JSON (an object was expected)")
                record = reader.value()
            except Damaged as damaged:
                yield self._reject(damaged)
                if damaged.end:
                    reader.at = damaged.end
                    continue
                keys = self._keys_before(damaged.position)
                reader.at += 1
                if not self._find_next(keys, in_list=True):
                    self._is_over = True
                    return
                continue
            self._shape, follows = set(record), True
            yield record, Origin(self._name, self._container, self._about)

    def _reject(self, damaged: Damaged) -> Reject:
        reader = self._reader
        start = beginning(reader.data[reader.at : reader.at + SHORT])
        return Reject(self._name, reader.line(damaged.position), damaged.reason, start)

    # --- After damage -------------------------------------------------------------

    def _keys_before(self, position: int) -> set[str]:
        """The keys of the object at `at`, as far as it is whole."""
        found = self._reader.tokens(position)
        return {match[1][1:-1] for match, depth in found if match[2] and depth == 1}

    def _find_next(self, keys: set[str], in_list: bool) -> bool:
        """Move to the next object that looks like a record; False if there is none.

        Looking starts before the damage: an open string may have swallowed the next record's
        start. Objects within the damaged record have other keys than records.

        Args:
            keys: of the damaged record, in case that there was no good one before.
            in_list: the list of records has begun.
        """
        reader = self._reader
        start = _NEXT_OBJECT
        if not in_list and not self._shape:
            start += f"|{_NEXT_CONTAINER}"
        pattern = re.compile(start)
        while True:
            match = pattern.search(reader.data, reader.at)
            if not match:
                if reader.ended:
                    reader.at = len(reader.data)
                    return False
                reader.at = max(reader.at, len(reader.data) - SHORT)
                reader.more()
                continue
            reader.at = match.start()
            if match.lastindex:
                self._container, reader.at = match[1], match.end()
                return True
            if self._is_like_a_record(keys):
                return True
            reader.at += 1

    def _is_like_a_record(self, keys: set[str]) -> bool:
        reader = self._reader
        record = reader.object_ahead()
        if record is None:
            return False
        expected = self._shape or keys
        if expected and 2 * len(expected & record.keys()) >= len(expected):
            return True
        if self._shape or len(keys) > 1:
            return False
        return self._is_record(record, Origin(self._name, self._container, self._about))

    def _starts_records(self, key: str) -> bool:
        """Whether the value at `at` is a list of records."""
        reader = self._reader
        match = reader.match(_STARTS_OBJECTS)
        if not match or key in CONTAINERS:
            return match is not None
        first = reader.object_ahead(match.end() - 1 - reader.at)
        return first is not None and _lists_records(key, first, self._name, self._is_record)


# --- Where in a parsed file its records are --------------------------------------------------


def _records_of(
    root: object, origin: Origin, is_record: IsRecord
) -> Iterator[tuple[object, Origin]]:
    """The records in a parsed value, each with where it stood.

    Args:
        root: a file's value, or a member of it.
        origin: where it stood.
        is_record: whether some format knows a record.
    """
    if isinstance(root, list):
        yield from ((item, origin) for item in root)
        return
    parts = _parts(root, origin, is_record) if isinstance(root, dict) else {}
    if not parts:
        yield root, origin
        return
    about = {key: value for key, value in root.items() if key not in parts}
    for key, part in parts.items():
        yield from _records_of(part, Origin(origin.file, key, about), is_record)


def _parts(root: dict, origin: Origin, is_record: IsRecord) -> dict[str, object]:
    """The members of an object that are records or hold some; {} if it is one record itself."""
    file = origin.file
    lists = {key: value for key, value in root.items() if _is_list_of_objects(value)}
    known = {key: value for key, value in lists.items() if key in CONTAINERS}
    if known or is_record(root, origin):
        return known
    known = {k: v for k, v in lists.items() if _lists_records(k, v[0], file, is_record)}
    objects = {key: value for key, value in root.items() if isinstance(value, dict)}
    return known or {
        key: value
        for key, value in objects.items()
        if is_record(value, Origin(file, key))
        or any(name in CONTAINERS and _is_list_of_objects(value[name]) for name in value)
    }


def _lists_records(key: str, first: dict, file: str, is_record: IsRecord) -> bool:
    """Whether a list under an unknown key is one of records, by its first object."""
    return key not in _BODIES and is_record(first, Origin(file, key))


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
