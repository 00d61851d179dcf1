"""What every kind of export asks before it writes: is there room, and is the word known?"""

import difflib
import shutil
from collections.abc import Iterable
from pathlib import Path

from gemma_ko_lib.runtime import UserError

_SPARE = 50_000_000  # bytes, for tokenizers and what else is small


def known(what: str, word: str, words: Iterable[str]) -> str:
    """A word, when it is one of those.

    Raises:
        UserError: it is not; the nearest one is named.
    """
    words = list(words)
    if word in words:
        return word
    near = difflib.get_close_matches(word, words, 1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UserError(f"There is no {what} '{word}'.{hint} Choose of: {', '.join(words)}.")


def check_room(folder: Path, needed: int) -> None:
    """See that a folder, which may not be there yet, has room for so many bytes.

    Raises:
        UserError: it has not.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if needed + _SPARE > free:
        raise UserError(
            f"{folder} has {free / 1e9:,.1f} GB free; what is to be written has "
            f"{(needed + _SPARE) / 1e9:,.1f}. Free some space, or give another folder with -o."
        )
