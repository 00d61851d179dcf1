"""Streams that unpack or decode as they are read, and keep what comes before damage."""

import codecs
import gzip
import io
import zipfile
import zlib
from typing import BinaryIO

BUFFER = 1 << 20
# What a stream raises where its bytes are damaged; gzip's own error is an OSError.
DAMAGED_STREAM = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)


def read_whole(stream: BinaryIO, most: int) -> tuple[bytes, Exception | None]:
    """A stream's bytes, `most` of them at most, and the damage that cut them short."""
    pieces: list[bytes] = []
    try:
        while most > 0 and (piece := stream.read1(min(most, BUFFER))):
            pieces.append(piece)
            most -= len(piece)
    except DAMAGED_STREAM as error:
        return b"".join(pieces), error
    return b"".join(pieces), None


def unpacked(stream: BinaryIO, kind: str) -> BinaryIO:
    """The content of a "gzip" or "zstd" stream."""
    return io.BufferedReader(_Unpacked(stream, kind), BUFFER)


def decoded(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Text of another encoding as UTF-8; what does not fit becomes U+FFFD."""
    return io.BufferedReader(_Decoded(stream, encoding), BUFFER)


class _Unpacked(io.RawIOBase):
    """Hands over what is unpacked chunk by chunk; none is lost when the next one is damaged."""

    def __init__(self, packed: BinaryIO, kind: str):
        if kind == "gzip":
            self._packed, self._errors = gzip.GzipFile(fileobj=packed), ()
        else:
            import zstandard

            decompressor = zstandard.ZstdDecompressor()
            self._packed = decompressor.stream_reader(packed, read_across_frames=True)
            self._errors = (zstandard.ZstdError,)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._packed.read1(len(buffer))
        except self._errors as error:
            raise zlib.error(str(error)) from None
        buffer[: len(data)] = data
        return len(data)


class _Decoded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready:
            data = self._stream.read1(BUFFER)
            self._ready = self._decoder.decode(data, final=not data).encode()
            if not data:
                break
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
