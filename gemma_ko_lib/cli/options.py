"""What the commands share: their parsers, numbers, times, exit codes, and a clean stdout."""

import argparse
import contextlib
import json
import math
import sys

from gemma_ko_lib.runtime import UserError

# Exit code of a run that is done, with some of its input rejected.
PARTIAL = 3


def command(commands, run) -> argparse.ArgumentParser:
    """Make the parser of one command, which `run(arguments)` carries out.

    The function is called as the command is, with "_" before it; its docstring is the help.
    """
    name, summary = run.__name__.removeprefix("_"), run.__doc__
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser


def print_json(value) -> None:
    """Print one JSON object on stdout.

    Raises:
        UserError: a figure is not finite.
    """
    in_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    try:
        print(json.dumps(value, ensure_ascii=not in_unicode, indent=1, allow_nan=False))
    except ValueError as error:
        raise UserError(
            f"A figure is not finite, so it cannot be given as JSON ({error})."
        ) from None


# --- numbers; one out of range is refused here ---


def number(read, holds, wanted: str):
    """A type of numbers, for argparse.

    Args:
        read: makes a number of what was typed, or raises ValueError or OverflowError.
        holds: whether it is in range.
        wanted: what it should have been, for the message.
    """

    def checked(text: str):
        with contextlib.suppress(ValueError, OverflowError):
            if holds(value := read(text)):
                return value
        raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")

    return checked


def whole(low: int, high: float = math.inf):
    """A type of whole numbers from `low` on, up to `high`."""
    until = "" if high == math.inf else f" to {high}"
    return number(int, lambda value: low <= value <= high, f"a whole number from {low}{until}")


def with_unit(units: dict[str, float], wanted: str):
    """A type of numbers above 0 with a unit behind them, without which they are refused.

    Args:
        units: what each stands for, in the order in which they are looked for.
        wanted: what it should have been, for the message.
    """

    def read(text: str) -> float:
        for unit, factor in units.items():
            if text.lower().endswith(unit.lower()):
                return float(text[: -len(unit)]) * factor
        raise ValueError

    return number(read, _is_positive, wanted)


def _is_positive(value: float) -> bool:
    return 0 < value < math.inf


def _tokens(text: str) -> int:
    unit = {"k": 1024, "m": 10**6, "b": 10**9}.get(text[-1:].lower())
    digits = (text[:-1] if unit else text).replace("_", "").replace(",", "")
    return round(float(digits) * (unit or 1))


SEED = whole(0, 2**32 - 1)
positive = number(float, _is_positive, "a number above 0")
share = number(float, lambda value: 0 <= value < 1, "a share from 0 up to, not including, 1")
# Tokens: 20000, 64k (65,536), 20M, 1B.
count = number(_tokens, lambda n: n >= 1, "a number of tokens from 1; write 20000, 64k or 20M")
# Bytes, and seconds.
size = with_unit({"MB": 1e6, "GB": 1e9}, "a size; write 600MB or 1.5GB")
duration = with_unit({"ms": 1e-3, "s": 1.0}, "a time; write 2s or 500ms")


def share_or_file(text: str) -> float | str:
    """A share between 0 and 1, or the path of a file."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a share between 0 and 1 nor a file")
    return value


def evenly(found, count: int | None):
    """Take `count` of them, evenly spread."""
    import numpy as np

    if not count or count >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, count).astype(int)]


def stdout_to_stderr():
    """Keep notices and download bars out of the JSON on stdout."""
    return contextlib.redirect_stdout(sys.stderr)


def seconds_text(seconds: float) -> str:
    """A time for people: 42 s, 7 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
