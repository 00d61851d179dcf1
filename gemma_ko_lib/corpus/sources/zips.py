"""Zip archives: their members listed and read in place, nothing is unpacked.

In goes a file's path and the chain of members that leads through zips within zips, out
comes a list of members or a stream of one of them. What an archive claims about itself is
not trusted: sizes, names and links are looked at before anything is read.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from gemma_ko_lib.corpus.sources import streams

DEEPEST = 3
_SPOOL_BYTES = 64_000_000
_NAME_IS_UTF8 = 0x800
_ENCRYPTED = 0x1


class ZipError(Exception):
    """An archive or a member that cannot be read; the message says why and what to do."""


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        key: its name as the archive writes it, to open it with; with a number behind it where
            there are several of that name.
        name: the name to show: readable, composed, without ".." and drive letters.
        size: in bytes, unpacked.
    """

    key: str
    name: str
    size: int


def list_members(path: str, outer: tuple[str, ...] = ()) -> list[Member]:
    """The files in an archive, in its own order.

    Args:
        path: of the archive on disk.
        outer: the members that lead to an archive within it; empty for itself.

    Raises:
        ZipError: it is damaged, too deep, or would unpack to far more than text does.
    """
    archive = _archive(path, outer)
    unpacked = sum(info.file_size for info in archive.members.values())
    packed = archive.file.fp.seek(0, os.SEEK_END)
    if streams.is_bomb(unpacked, packed):
        raise ZipError(f"zip that would unpack to {unpacked:,} bytes: no text packs so well")
    shown = numbered(map(_readable, archive.members.values()))
    return [
        Member(key, name, info.file_size)
        for name, (key, info) in zip(shown, archive.members.items(), strict=True)
    ]


def open_member(path: str, members: tuple[str, ...], damage: list[Exception]) -> BinaryIO:
    """A stream of a member's bytes.

    Args:
        path: of the archive on disk.
        members: the zips in it that lead to the member, and the member.
        damage: gets what is found to be damaged while the stream is read.

    Raises:
        ZipError: encrypted, a link, a bomb, packed in an unknown way, or not there.
    """
    *outer, key = members
    archive = _archive(path, tuple(outer))
    info = archive.members.get(key)
    if info is None:
        raise ZipError("no longer in its zip; start the run again")
    if info.flag_bits & _ENCRYPTED:
        raise ZipError("encrypted; unpack its zip with the password and give the folder instead")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ZipError("a link to another file, which is not followed")
    if streams.is_bomb(info.file_size, info.compress_size):
        raise ZipError(f"would unpack to {info.file_size:,} bytes: no text packs so well")
    try:
        packed = archive.file.open(info)
    except (NotImplementedError, RuntimeError) as error:
        raise ZipError(f"packed in an unknown way ({error}); unpack its zip first") from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ZipError(f"damaged in its zip ({error}); download the zip again") from None
    return streams.checked(packed, info.CRC, damage)


def spooled(stream: BinaryIO) -> BinaryIO:
    """A copy of a stream that can be read in any order: in memory, or on disk if large."""
    copy = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)
    shutil.copyfileobj(stream, copy, 1 << 20)
    copy.seek(0)
    return copy


# --- Archives -------------------------------------------------------------------------


class _Archive(NamedTuple):
    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]


# The archive last read, behind those around it: a list of 100,000 members is not read anew for
# each of them, and there is one copy at most of an archive within another.
_opened: list[tuple[tuple, _Archive]] = []


def _archive(path: str, outer: tuple[str, ...]) -> _Archive:
    # By process, since processes that share an open file share its position.
    key = (os.getpid(), path, os.stat(path).st_mtime_ns, outer)
    depth = len(outer)
    if key not in (known for known, _ in _opened[depth : depth + 1]):
        del _opened[depth:]  # closed with it
        file = _open_archive(path, outer)
        infos = [info for info in file.infolist() if not info.is_dir()]
        keys = numbered(info.filename for info in infos)
        _opened.append((key, _Archive(file, dict(zip(keys, infos, strict=True)))))
    return _opened[depth][1]


def _open_archive(path: str, outer: tuple[str, ...]) -> zipfile.ZipFile:
    if len(outer) >= DEEPEST:
        raise ZipError(f"zip inside {DEEPEST} others, deeper than corpora are packed; unpack it")
    try:
        if not outer:
            return zipfile.ZipFile(path)
        damage: list[Exception] = []
        with open_member(path, outer, damage) as packed:
            whole = spooled(packed)
        if damage:
            raise damage[0]
        return zipfile.ZipFile(whole)
    except (*streams.DAMAGED_STREAM, ValueError, NotImplementedError) as error:
        raise ZipError(
            f"truncated or damaged zip ({error}); download it again, and if it came in parts, "
            "join all of them in the order of their numbers"
        ) from None


# --- Names ----------------------------------------------------------------------------


def _readable(info: zipfile.ZipInfo) -> str:
    name = info.filename
    if not info.flag_bits & _NAME_IS_UTF8:
        # zipfile took the bytes for cp437; Korean Windows writes cp949, macOS UTF-8. Where the
        # archive has the name in Unicode beside them, Python 3.12 has read that.
        with contextlib.suppress(UnicodeEncodeError):
            name = readable_name(name.encode("cp437"), name)
    return safe_name(name)


def readable_name(data: bytes, otherwise: str) -> str:
    """A file's name in UTF-8 or, from Korean Windows, in cp949."""
    for encoding in ("utf-8", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return otherwise


def numbered(names: Iterable[str]) -> list[str]:
    """The names, each second, third … of a kind with its number: "a.txt", "a.txt (2)"."""
    counts: Counter[str] = Counter()
    found: dict[str, None] = {}
    for name in names:
        own = name
        while own in found:
            counts[name] += 1
            own = f"{name} ({counts[name] + 1})"
        found[own] = None
    return list(found)


def safe_name(name: str) -> str:
    r"""A member's name as a relative path: "..\..\C:/a.json" → "a.json"."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    if parts and re.fullmatch("[A-Za-z]:", parts[0]):
        del parts[0]
    return "/".join(parts) or "unnamed"
