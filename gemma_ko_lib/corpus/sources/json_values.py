"""JSON values out of a stream, one at a time, in memory that the longest decides.

A value is cut out by a pattern that knows strings and brackets and then parsed; a damaged
one raises `Damaged` with the place of the damage, and the reader stays in front of it.
"""

import re
from typing import BinaryIO

import orjson

from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.lines import DECODER, scrub

ENDS_EARLY = "the file ends within a record or list; what came before was kept"
CHUNK = 1 << 22
# Enough for what stands between two values.
SHORT = 4096
# How far an object may reach that is only tried.
_TRIED_BYTES = 1 << 22
_DEPTH = 12
_UNDECIDED = object()

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(depth: int) -> bytes:
    # Possessive throughout: a failed match is given up at once. One pattern around the other:
    # its length grows with the depth.
    inner = rb'[^"{}\[\]]++|' + STRING
    pattern = rb"(?!)"
    for _ in range(depth):
        pattern = rb"[\[{](?:" + inner + rb"|" + pattern + rb")*+[\]}]"
    return pattern


_NESTED = re.compile(_nested(_DEPTH), re.DOTALL)
_SCALAR = re.compile(STRING + rb"|[-+.\w]++", re.DOTALL)
_BETWEEN = re.compile(rb"(?:[\s,]++|#[^\n]*+)*+")
_BRACKETS = re.compile(STRING + rb"|[{}\[\]]", re.DOTALL)
_KEY = re.compile(rb"(" + STRING + rb")\s*+:\s*+", re.DOTALL)


class Damaged(Exception):
    """A value that cannot be read.

    Attributes:
        position: of the damage, in the reader's data.
        reason: what is wrong.
        end: where the value ends all the same, if that is known.
    """

    def __init__(self, position: int, reason: str, end: int | None = None):
        super().__init__(reason)
        self.position, self.reason, self.end = position, reason, end


class JsonReader:
    """The part of a stream that is being looked at, and a place in it.

    Args:
        stream: bytes in UTF-8.

    Attributes:
        data: what was read and is still needed.
        at: the place in it.
        ended: there is no more.
        dropped: bytes that came before the data.
    """

    def __init__(self, stream: BinaryIO):
        self._stream, self._lines_before, self.dropped = stream, 0, 0
        self.data, self.at, self.ended = b"", 0, False

    def more(self) -> bool:
        """Forget what lies before `at` and read on; False at the end of the stream."""
        if self.ended:
            return False
        self.dropped += self.at
        self._lines_before += self.data.count(b"\n", 0, self.at)
        rest = self.data[self.at :]
        # At least as much as there is: a record that does not end is not tried too often.
        wanted, pieces = max(CHUNK, len(rest)), [rest]
        while wanted > 0 and (piece := self._stream.read1(min(wanted, CHUNK))):
            pieces.append(piece)
            wanted -= len(piece)
        self.ended = wanted > 0
        self.data, self.at = b"".join(pieces), 0
        return len(pieces) > 1

    def line(self, position: int) -> int:
        """Number of the line that a position in the data is in."""
        return self._lines_before + self.data.count(b"\n", 0, position) + 1

    def byte(self) -> bytes:
        """The byte at `at`; b"" at the end."""
        return self.data[self.at : self.at + 1]

    def match(self, pattern: re.Pattern) -> re.Match | None:
        """A match at `at`, for which enough of the stream is read."""
        while True:
            match = pattern.match(self.data, self.at)
            rest = len(self.data) - (match.end() if match else self.at)
            if self.ended or rest > SHORT or not self.more():
                return match

    def skip(self) -> bytes:
        """Move over white space, commas and "#" comments, and return them."""
        match = self.match(_BETWEEN)
        self.at = match.end()
        return match[0]

    def key(self) -> str:
        """Read a key with its colon.

        Raises:
            Damaged: there is none.
        """
        match = self.match(_KEY)
        if not match:
            reason = "broken JSON (a key was expected)" if self.byte() else ENDS_EARLY
            raise Damaged(self.at, reason)
        try:
            key = orjson.loads(match[1])
        except orjson.JSONDecodeError as error:
            raise Damaged(self.at, f"broken JSON ({error.msg})") from None
        self.at = match.end()
        return key

    def value(self) -> object:
        """Read the value at `at`.

        Raises:
            Damaged: it is damaged, or longer than a record may be.
        """
        while True:
            is_nested = self.byte() in (b"{", b"[")
            match = (_NESTED if is_nested else _SCALAR).match(self.data, self.at)
            if match and (is_nested or self.ended or match.end() < len(self.data)):
                try:
                    value = orjson.loads(match[0])
                except orjson.JSONDecodeError:
                    return self._lenient_value(match.end(), True)
                self.at = match.end()
                return value
            if len(self.data) - self.at > records.LONGEST_RECORD:
                raise Damaged(self.at, records.too_long())
            value = self._lenient_value(None, self.ended)
            if value is not _UNDECIDED:
                return value
            self.more()

    def _lenient_value(self, end: int | None, is_all: bool) -> object:
        """Python's parser says what is wrong and where, and takes more than the standard.

        Args:
            end: of the value, if the brackets say so.
            is_all: nothing that follows could still complete it.
        """
        data = self.data[self.at : end]
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            if is_all or error.start < len(data) - 4:
                place = self.at + error.start
                raise Damaged(place, f"not UTF-8 ({error.reason})", end) from None
            text = data.decode("utf-8", "ignore")
        try:
            value, stop = DECODER.raw_decode(text)
            value = scrub(value)
        except RecursionError:
            end = self._end_of_brackets()
            if end is None and not is_all:
                return _UNDECIDED
            raise Damaged(self.at, "broken JSON (nested too deep)", end) from None
        except ValueError as error:
            is_cut = error.pos > len(text) - 16 or error.msg.startswith("Unterminated")
            if is_cut and not is_all:
                return _UNDECIDED
            reason = ENDS_EARLY if is_cut and end is None else f"broken JSON ({error.msg})"
            raise Damaged(self.at + len(text[: error.pos].encode()), reason) from None
        self.at += len(text[:stop].encode())
        return value

    def _end_of_brackets(self) -> int | None:
        """Where what is opened at `at` is closed; None if the data does not reach so far."""
        depth = 0
        for match in _BRACKETS.finditer(self.data, self.at):
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
            if not depth:
                return match.end()
        return None

    def object_ahead(self, distance: int = 0) -> dict | None:
        """The object so many bytes after `at`, if it is whole; `at` stays."""
        while True:
            match = _NESTED.match(self.data, self.at + distance)
            if match or self.ended or len(self.data) - self.at - distance > _TRIED_BYTES:
                break
            self.more()
        try:
            found = orjson.loads(match[0]) if match else None
        except orjson.JSONDecodeError:
            return None
        return found if isinstance(found, dict) else None
