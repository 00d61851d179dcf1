"""Errors that the user can put right."""

import contextlib
import difflib
import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

# A disk's, not a network's.
OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
# What no free space would mend.
_OF_THE_PLACE = {
    getattr(errno, name) for name in "EACCES EPERM EROFS EEXIST ENOTDIR EISDIR EBUSY".split()
}


class UserError(Exception):
    """Something the user can put right; the message names what and how.

    The command line prints it without a traceback and exits with 1.
    """


def did_you_mean(word: str, words: Iterable[str], cutoff: float = 0.6, most: int = 1) -> str:
    """The sentence of an error that names the nearest words there are; empty where none is near.

    Args:
        word: what the user wrote.
        words: those that there are.
        cutoff: how alike the two must be, from 0 to 1.
        most: how many to name.

    Example:
        >>> did_you_mean("smok", ["smoke", "cpu"])
        ' Did you mean smoke?'
    """
    near = difflib.get_close_matches(word, words, most, cutoff)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def nearest_existing(path: str | Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    path = Path(path).absolute()
    while not os.path.exists(path):  # pathlib's raises where one may not look, or a name is long
        path = path.parent
    return path


def disk_error(path: str | Path, error: OSError) -> UserError:
    """Say what a failed write means and what to do."""
    if error.errno in _OF_THE_PLACE:
        return UserError(
            f"Cannot write {path}: {error.strerror}. Give another folder with -o, then run the "
            "same command again."
        )
    free = shutil.disk_usage(nearest_existing(path)).free
    return UserError(
        f"Cannot write {path}: {error.strerror or error} ({free / 1e6:,.0f} MB free there). "
        "Free some space or give another folder with -o, then run the same command again."
    )


@contextlib.contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Within it, a failed write to a file or folder is a `disk_error`.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


# Control characters but for line breaks and tabs, characters that turn the direction of writing,
# and halves of surrogate pairs.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""A text that moves no cursor and changes no title of a terminal: "\x1b[2J" is written out.

    For what others named or wrote: names of files, beginnings of records.
    """
    return _NOT_PRINTABLE.sub(_written_out, text)


def _written_out(found: re.Match) -> str:
    code = ord(found[0])
    # What JSON may hold unescaped gets its own notation, so that a JSON line stays one.
    return f"\\u{code:04x}" if code >= 0x7F else ascii(found[0])[1:-1]
