"""Streams that unpack or decode as they are read; damage ends one, and is written down.

A reader need not know that a stream is damaged: it gets all that comes before the damage
and then the end. Who opened the stream looks into the list of damage afterwards.
"""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

BUFFER = 1 << 20
_CHUNK = 1 << 16
# What a stream raises where its bytes are damaged; gzip's own error is an OSError.
DAMAGED_STREAM = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream that damage ends.

    Args:
        next_piece: the next bytes, as many as it is asked for or fewer; b"" at the end.
        damage: where an error is added to.
        errors: what else the pieces may raise.
    """

    def __init__(
        self, next_piece: Callable[[int], bytes], damage: list[Exception], errors: tuple = ()
    ):
        self._next_piece, self._damage = next_piece, damage
        self._errors = (*DAMAGED_STREAM, *errors)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest:
            try:
                self._rest = self._next_piece(min(len(buffer), _CHUNK))
            except self._errors as error:
                self._damage.append(error)
                self._next_piece = lambda size: b""
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def stream_of(
    next_piece: Callable[[int], bytes], damage: list[Exception], errors: tuple = ()
) -> BinaryIO:
    """A stream of what a function gives piece by piece; see `_Pieces`."""
    return io.BufferedReader(_Pieces(next_piece, damage, errors), BUFFER)


def unpacked(stream: BinaryIO, kind: str, damage: list[Exception]) -> BinaryIO:
    """The content of a "gzip" or "zstd" stream."""
    if kind == "gzip":
        return stream_of(gzip.GzipFile(fileobj=stream).read1, damage)
    import zstandard

    decompressor = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return stream_of(decompressor.read1, damage, (zstandard.ZstdError,))


def decoded(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Text of another encoding as UTF-8; what does not fit becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")

    def next_piece(size: int) -> bytes:
        piece = b""
        while not piece and (data := stream.read1(size)):
            piece = decoder.decode(data).encode()
        return piece or decoder.decode(b"", final=True).encode()

    return stream_of(next_piece, [])


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
