"""JSON values out of a stream, one at a time, in memory that the longest decides.

Python's parser says where a value ends, or what is wrong with it and where; a damaged one raises
`Damaged` with the place of the damage, and the reader stays in front of it.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from gemma_ko_lib.corpus.sources import records
from gemma_ko_lib.corpus.sources.lines import DECODER, scrub

ENDS_EARLY = "the file ends within a record or list; what came before was kept"
CHUNK = 1 << 22
# Enough for what stands between two values.
SHORT = 4096
# How far an object may reach that is only tried, and how deep its brackets.
_TRIED, _DEPTH = 1 << 22, 12

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(depth: int) -> str:
    # Possessive throughout: a failed match is given up at once. One pattern around the other:
    # its length grows with the depth.
    inner = rf'[^"{{}}\[\]]++|{_STRING}'
    pattern = "(?!)"
    for _ in range(depth):
        pattern = rf"[\[{{](?:{inner}|{pattern})*+[\]}}]"
    return pattern


_NESTED = re.compile(_nested(_DEPTH), re.DOTALL)
_BETWEEN = re.compile(r"(?:[\s,]++|#[^\n]*+)*+")
# A key has a colon behind it.
_TOKEN = re.compile(rf"({_STRING})\s*+(:)?|[{{}}\[\]]", re.DOTALL)
_KEY = re.compile(rf"({_STRING})\s*+:\s*+", re.DOTALL)
# What a parser stops at where the text is cut: its end, or the beginning of a word or number.
_CUT = re.compile(r'[^\]},:"]{0,16}\Z')
_NO_UTF8 = re.compile("[\udc80-\udcff]")  # how the decoder hands on such bytes


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
        dropped: characters that came before the data.
    """

    def __init__(self, stream: BinaryIO):
        self._stream, self._lines_before, self.dropped = stream, 0, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.data, self.at, self.ended = "", 0, False

    def more(self) -> bool:
        """Forget what lies before `at` and read on; False at the end of the stream."""
        if self.ended:
            return False
        self.dropped += self.at
        self._lines_before += self.data.count("\n", 0, self.at)
        rest = self.data[self.at :]
        # At least as much as there is: a record that does not end is not tried too often.
        wanted, pieces = max(CHUNK, len(rest)), [rest]
        while wanted > 0 and (piece := self._stream.read1(min(wanted, CHUNK))):
            pieces.append(self._decoder.decode(piece))
            wanted -= len(piece)
        self.ended = wanted > 0
        pieces.append(self._decoder.decode(b"", self.ended))
        self.data, self.at = "".join(pieces), 0
        return len(self.data) > len(rest)

    def line(self, position: int) -> int:
        """Number of the line that a position in the data is in."""
        return self._lines_before + self.data.count("\n", 0, position) + 1

    def character(self) -> str:
        """The character at `at`; "" at the end."""
        return self.data[self.at : self.at + 1]

    def match(self, pattern: re.Pattern) -> re.Match | None:
        """A match at `at`, for which enough of the stream is read."""
        while True:
            match = pattern.match(self.data, self.at)
            rest = len(self.data) - (match.end() if match else self.at)
            if self.ended or rest > SHORT or not self.more():
                return match

    def skip(self) -> str:
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
            reason = "broken JSON (a key was expected)" if self.character() else ENDS_EARLY
            raise Damaged(self.at, reason)
        try:
            key = scrub(DECODER.decode(match[1]))
        except ValueError as error:
            raise Damaged(self.at, f"broken JSON ({error})") from None
        self.at = match.end()
        return key

    def value(self) -> object:
        """Read the value at `at`.

        Raises:
            Damaged: it is damaged, or longer than a record may be.
        """
        while True:
            try:
                value, end = DECODER.raw_decode(self.data, self.at)
                if odd := _NO_UTF8.search(self.data, self.at, end):
                    raise Damaged(odd.start(), "not UTF-8 (in this record)", end)
                if self.ended or end < len(self.data):
                    value = scrub(value)
                    self.at = end
                    return value
            except RecursionError:
                ends = (token.end() for token, depth in self.tokens() if not depth)
                end = next(ends, None)
                if end or self.ended:
                    raise Damaged(self.at, "broken JSON (nested too deep)", end) from None
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or _CUT.match(self.data, error.pos)
                if self.ended or not is_cut:
                    reason = ENDS_EARLY if is_cut else f"broken JSON ({error.msg})"
                    raise Damaged(error.pos, reason) from None
            if len(self.data[self.at :].encode("utf-8", "replace")) > records.LONGEST_RECORD:
                raise Damaged(self.at, records.too_long())
            self.more()

    def tokens(self, end: int | None = None) -> Iterator[tuple[re.Match, int]]:
        """Strings and brackets from `at` on, with how many brackets are open behind each."""
        depth = 0
        for match in _TOKEN.finditer(self.data, self.at, len(self.data) if end is None else end):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
            yield match, depth

    def object_ahead(self, distance: int = 0) -> dict | None:
        """The object so many characters after `at`, if it is whole; `at` stays."""
        while True:
            match = _NESTED.match(self.data, self.at + distance)
            if match or self.ended or len(self.data) - self.at - distance > _TRIED:
                break
            self.more()
        try:
            return DECODER.decode(match[0]) if match else None
        except ValueError:
            return None
