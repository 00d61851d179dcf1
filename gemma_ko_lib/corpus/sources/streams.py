"""Streams that unpack or decode as they are read; damage ends one, and is written down.

A reader need not know that a stream is damaged: it gets all that comes before the damage
and then the end. Who opened the stream looks into the list of damage afterwards.

XML is read from a stream by the element, in memory that the longest decides.
"""

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.etree import ElementTree

import zstandard

from gemma_ko_lib.corpus.sources import records

BUFFER = 1 << 20
_CHUNK = 1 << 16
# zstandard's object unpacks all that it is given at once: 128 KB for every four bytes.
_ZSTD_PIECE = 1 << 10
# Text packs 3 to 30 times smaller, endless zeros a thousand times. Few bytes may do as they
# like: they harm nobody.
HIGHEST_RATIO = 200
_HARMLESS_BYTES = 16_000_000
_DECODERS: dict[str, Callable] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
PACKED = frozenset(_DECODERS)
# What a stream raises where its bytes are damaged.
DAMAGED_STREAM = (EOFError, zlib.error, zipfile.BadZipFile)


class BombError(Exception):
    """Packed bytes hold more than text ever does."""


# What can be in a list of damage.
DAMAGED = (*DAMAGED_STREAM, BombError, OSError, lzma.LZMAError, zstandard.ZstdError)


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes in so few cannot be text."""
    return unpacked > max(_HARMLESS_BYTES, HIGHEST_RATIO * packed)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream that damage ends.

    Args:
        next_piece: the next bytes, as many as it is asked for or fewer; b"" at the end.
        damage: where an error is added to, one of `DAMAGED`.
    """

    def __init__(self, next_piece: Callable[[int], bytes], damage: list[Exception]):
        self._next_piece, self._damage = next_piece, damage
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        # Pieces may be short, and who asks what kind of file it is looks at the first bytes.
        done = 0
        while done < min(len(buffer), _CHUNK):
            if not self._rest:
                self._rest = memoryview(self._next(min(len(buffer), _CHUNK)))
            if not self._rest:
                break
            piece, self._rest = self._rest[: len(buffer) - done], self._rest[len(buffer) - done :]
            buffer[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def _next(self, size: int) -> bytes:
        try:
            return self._next_piece(size)
        except DAMAGED as error:
            self._damage.append(error)
            self._next_piece = lambda size: b""
            return b""


def stream_of(next_piece: Callable[[int], bytes], damage: list[Exception]) -> BinaryIO:
    """A stream of what a function gives piece by piece; see `_Pieces`."""
    return io.BufferedReader(_Pieces(next_piece, damage), BUFFER)


def unpacked(stream: BinaryIO, kind: str, damage: list[Exception]) -> BinaryIO:
    """The content of a packed stream of a kind in `PACKED`, checked to its end."""
    # zstandard's object takes no limit.
    limit = () if kind == "zstd" else (BUFFER,)
    pieces = _unpack(stream, _DECODERS[kind], limit, _ZSTD_PIECE if kind == "zstd" else _CHUNK)
    return stream_of(lambda size: next(pieces, b""), damage)


def _unpack(stream: BinaryIO, new: Callable, limit: tuple, size: int) -> Iterator[bytes]:
    """What a file packs, in one member or several; each must have its end."""
    packed = unpacked = 0
    data = stream.read1(size)
    while data:
        # Tapes are padded with zeros.
        data = data.lstrip(b"\0")
        if not data:
            data = stream.read1(size)
            continue
        decoder = new()
        while not decoder.eof:
            if not data and getattr(decoder, "needs_input", True):
                data = stream.read1(size)
                if not data:
                    raise EOFError
            packed += len(data)
            piece = decoder.decompress(data, *limit)
            unpacked += len(piece)
            if is_bomb(unpacked, packed):
                raise BombError("it unpacks to far more than text does")
            if piece:
                yield piece
            data = getattr(decoder, "unconsumed_tail", b"")
            packed -= len(data)
        packed -= len(decoder.unused_data)
        data = decoder.unused_data or stream.read1(size)


def xml_elements(stream: BinaryIO, *tags: str) -> Iterator[ElementTree.Element]:
    """The elements of some names, each forgotten with its siblings when the next is asked for.

    Raises:
        ParseError: it is no XML, or cut.
        ValueError: there is more than a record may have before one of them ends.
    """
    parser = ElementTree.XMLPullParser(("start", "end"))
    opened: list[ElementTree.Element] = []
    size = 0
    while True:
        data = stream.read(_CHUNK)
        parser.feed(data) if data else parser.close()
        size += len(data)
        for event, element in parser.read_events():
            if event == "start":
                opened.append(element)
                continue
            opened.pop()
            if element.tag.rpartition("}")[2] in tags:
                yield element
                size = 0
                if opened:
                    opened[-1].clear()
        if size > records.LONGEST_RECORD:
            raise ValueError(f"too long for a record ({records.LONGEST_RECORD:,} bytes)")
        if not data:
            return


def decoded(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Text of another encoding as UTF-8; what does not fit becomes U+FFFD."""
    text = io.TextIOWrapper(stream, encoding, "replace", newline="")
    return stream_of(lambda size: text.read(size).encode(), [])


def checked(packed: zipfile.ZipExtFile, checksum: int, damage: list[Exception]) -> BinaryIO:
    """A zip's member, its checksum compared after the last of its bytes.

    zipfile compares it before, and then keeps the last piece to itself, which in a small
    member is all of it.
    """
    packed._expected_crc = None
    found = 0

    def next_piece(size: int) -> bytes:
        nonlocal found
        data = packed.read1(size)
        found = zlib.crc32(data, found)
        if not data and found != checksum:
            raise zipfile.BadZipFile("its checksum differs")
        return data

    return stream_of(next_piece, damage)
