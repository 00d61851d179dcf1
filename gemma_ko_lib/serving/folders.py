"""What every export needs: known words, room on the disk, a folder that is whole or not there."""

import contextlib
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from gemma_ko_lib.runtime import UserError, did_you_mean, disk_errors, whole_path
from gemma_ko_lib.runtime.errors import nearest_existing

_SPARE = 50_000_000  # bytes, for tokenizers and what else is small


def known(what: str, word: str, words: Collection[str]) -> str:
    """A word, when it is one of those.

    Raises:
        UserError: it is not; the nearest one is named.
    """
    if word in words:
        return word
    hint = did_you_mean(word, words, cutoff=0.4)
    raise UserError(f"There is no {what} '{word}'.{hint} Choose of: {', '.join(words)}.")


def check_room(folder: Path, needed: int) -> None:
    """See that a folder, which may not be there yet, has room for so many bytes.

    Raises:
        UserError: it has not.
    """
    free = shutil.disk_usage(nearest_existing(folder)).free
    if needed + _SPARE > free:
        raise UserError(
            f"{folder} has {free / 1e9:,.1f} GB free; what is to be written has "
            f"{(needed + _SPARE) / 1e9:,.1f}. Free some space, or give another folder with -o."
        )


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder that appears under its name when everything in it is written.

    Yields:
        Where to write.

    Raises:
        UserError: the path is taken, or the disk is full or not writable.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path} is there already; give another folder with -o.")
    with disk_errors(path), whole_path(path) as part:
        part.mkdir()
        yield part
