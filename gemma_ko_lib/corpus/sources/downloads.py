"""Brings a file of known size and checksum onto this machine, whole or its first bytes.

What has arrived stands in NAME.part, which only grows; a stopped download goes on there, and the
file gets its name when its checksum is right. So a part is never taken for the whole.
"""

import http.client
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gemma_ko_lib.runtime import Progress, UserError, only_process, sha256_of
from gemma_ko_lib.runtime.errors import OF_WRITING

_CHUNK = 1 << 16
_SECONDS_OF_SILENCE = 20
_ATTEMPTS = 3  # without a byte between them
_KEPT_FREE = 50_000_000  # bytes that a download leaves on the disk
_BUSY = frozenset((408, 429, 500, 502, 503, 504))


class Remote(NamedTuple):
    """A file somewhere else.

    Attributes:
        address: a URL.
        bytes: its size.
        sha256: of its content.
    """

    address: str
    bytes: int
    sha256: str


def download(remote: Remote, path: Path, first: int, quiet: bool) -> Path:
    """Bring a file, or its first bytes at least, to where it is kept.

    Args:
        remote: the file.
        path: where it is kept.
        first: bytes that are wanted; all of them if the file has no more.
        quiet: show no progress.

    Returns:
        `path` if the file is whole, otherwise its part.

    Raises:
        UserError: no network, no such address, a cut connection, a full disk, or a file with
            another checksum. What to do is said.
    """
    wanted = min(first, remote.bytes)
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        _check(remote, path, "Remove it, and run the command again to fetch it anew.")
        return path
    if wanted < remote.bytes and part.exists() and part.stat().st_size >= wanted:
        return part
    with only_process(path.parent):
        try:
            with open(part, "ab") as file:
                _check_room(path, wanted - file.tell())
                _fill(file, remote, path, wanted, quiet)
        except OSError as error:
            raise UserError(
                f"Cannot write {part}: {error.strerror or error}. Set GEMMA_KO_CACHE to a folder "
                "that can be written and has room."
            ) from error
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()
        if part.stat().st_size < remote.bytes:
            return part
        try:
            _check(remote, part, "It was removed; run the command again to fetch it anew.")
        except UserError:
            part.unlink()
            raise
        part.rename(path)
    return path


def _unreachable(remote: Remote, reason: str, path: Path) -> UserError:
    """What is wrong, and what somebody without a network can do."""
    return UserError(
        f"{remote.address} cannot be fetched: {reason}. Without a network, bring the file another "
        f"way and put it there: {path}"
    )


def _check(remote: Remote, path: Path, remedy: str) -> None:
    size = path.stat().st_size
    if size != remote.bytes:
        raise UserError(
            f"{path} has {size:,} bytes, and {remote.address} should have {remote.bytes:,}. "
            f"{remedy}"
        )
    found = sha256_of(path)
    if found != remote.sha256:
        raise UserError(
            f"{path} is not the file that the table lists for {remote.address}: its SHA-256 is "
            f"{found}, not {remote.sha256}. {remedy}"
        )


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed + _KEPT_FREE > free:
        raise UserError(
            f"{path.name} needs {needed / 1e6:,.0f} MB more, and {path.parent} has "
            f"{free / 1e6:,.0f} MB free. Free some space, set GEMMA_KO_CACHE to another folder, or "
            "take less of it (--limit)."
        )


def _fill(file: BinaryIO, remote: Remote, path: Path, wanted: int, quiet: bool) -> None:
    """Append until as many bytes are there as wanted, over as many connections as that takes."""
    failures = 0
    with Progress(wanted, path.name, "bytes", quiet) as bar:
        bar.update(file.tell())
        while (before := file.tell()) < wanted:
            try:
                _append(file, remote, wanted, bar)
                reason = "the connection ended"
            except urllib.error.HTTPError as error:
                reason = f"it answers {error.code} {error.reason}"
                if error.code not in _BUSY:
                    raise _unreachable(remote, reason, path) from None
            except (http.client.HTTPException, OSError) as error:
                if getattr(error, "errno", None) in OF_WRITING:
                    raise
                reason = str(getattr(error, "reason", "") or error or type(error).__name__)
            failures = 0 if file.tell() > before else failures + 1
            if failures == _ATTEMPTS and not before:
                raise _unreachable(remote, reason, path)
            if failures == _ATTEMPTS:
                raise UserError(
                    f"The download of {remote.address} stopped after {before:,} of {wanted:,} "
                    f"bytes: {reason}. Run the same command again: it goes on from there."
                )
            time.sleep(failures)


def _append(file: BinaryIO, remote: Remote, wanted: int, bar: Progress) -> None:
    """Append what one connection gives."""
    request = urllib.request.Request(remote.address, headers={"User-Agent": "gemma-ko"})
    start = file.tell()
    if start:
        request.add_header("Range", f"bytes={start}-{wanted - 1}")
    with urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE) as answer:
        size = answer.headers.get("Content-Range", "").rpartition("/")[2]
        size = size or answer.headers.get("Content-Length")
        if size and size.isdecimal() and int(size) != remote.bytes:
            raise UserError(
                f"{remote.address} has {int(size):,} bytes, not the {remote.bytes:,} that the "
                "table lists: it is another file, or the mirror's copy is cut."
            )
        if start and answer.status != 206:  # the server knows no ranges
            answer.read(start)
        while file.tell() < wanted:
            data = answer.read1(min(_CHUNK, wanted - file.tell()))
            if not data:
                return
            file.write(data)
            bar.update(len(data))
