"""Standard output and error that end no command: another code page, a reader who has gone.

Korean Windows writes cp949 into a redirected file, which has neither an emoji of a text nor the
dash of an interval; `gemma-ko … | head -1` closes the pipe while the command works, and a lost
connection its terminal.
"""

import codecs
import contextlib
import errno
import io
import json
import os
import stat
import sys

from gemma_ko_lib.runtime.errors import printable

# Of our own sentences, what cp949 and EUC-KR lack and a keyboard has.
_PLAIN = {"–": "-", "✓": "v", "−": "-"}


def _written_out(error: UnicodeError) -> tuple[str, int]:
    """What a code page lacks, as JSON writes it: a redirected figure stays valid JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or json.dumps(c)[1:-1] for c in lacking), error.end


codecs.register_error("gemma-ko", _written_out)


class _WithoutReader(io.FileIO):
    """A file descriptor that takes everything when nobody reads it any more."""

    def write(self, data) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            closed = error.errno == errno.EIO and stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
            if not closed and not isinstance(error, BrokenPipeError):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


class _Printable:
    """A text stream in which control characters are written out."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable(text))

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


@contextlib.contextmanager
def lasting_streams():
    """Within it, nothing that is printed ends the process, and stdout moves no cursor.

    Names and texts of others pass through stdout on their way to a terminal; progress on stderr
    does move the cursor.

    Streams that are no files, those of a notebook or a test, are not opened anew.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lasting, before)
    sys.stdout = _Printable(sys.stdout)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _lasting(stream):
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # PYTHONUNBUFFERED leaves the buffer out
    if not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_WithoutReader(raw.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="gemma-ko",
        line_buffering=stream.line_buffering or stream.write_through or stream is sys.stderr,
    )
