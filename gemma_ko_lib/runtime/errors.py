"""Errors that the user can put right."""

import shutil
from pathlib import Path


class UserError(Exception):
    """Something the user can put right; the message names what and how.

    The command line prints it without a traceback and exits with 1.
    """


def disk_error(path: str | Path, error: OSError) -> UserError:
    """Say what a failed write means and what to do."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return UserError(
        f"Cannot write {path}: {error.strerror or error} ({free / 1e6:,.0f} MB free there). "
        "Free some space or give another folder with -o, then run the same command again."
    )
