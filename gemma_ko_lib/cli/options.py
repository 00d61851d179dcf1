"""What the commands share: their parsers, numbers, exit codes, and a clean stdout."""

import argparse
import contextlib
import json
import math
import sys

from gemma_ko_lib.runtime import UserError

# Exit code of a run that is done, with some of its input rejected.
PARTIAL = 3


def command(commands, name: str, run, summary: str) -> argparse.ArgumentParser:
    """Make the parser of one command, which `run(arguments)` carries out."""
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


def whole(low: int, high: int | None = None):
    """A type of whole numbers from `low` on, up to `high`."""

    def whole(text: str) -> int:
        with contextlib.suppress(ValueError):
            if low <= (value := int(text)) <= (math.inf if high is None else high):
                return value
        until = "" if high is None else f" to {high}"
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low}{until}")

    return whole


SEED = whole(0, 2**32 - 1)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which no range holds


def positive(text: str) -> float:
    """A number above 0."""
    if not 0 < (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def share(text: str) -> float:
    """A share from 0 up to, not including, 1."""
    if not 0 <= (value := _number(text)) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 up to, not including, 1")
    return value


def share_or_file(text: str) -> float | str:
    """A share between 0 and 1, or the path of a file."""
    if math.isnan(value := _number(text)):
        return text
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a share between 0 and 1 nor a file")
    return value


def count(text: str) -> int:
    """A number of tokens from 1: 20000, 64k (65,536), 20M, 1B."""
    unit = {"k": 1024, "m": 10**6, "b": 10**9}.get(text[-1:].lower())
    number = (text[:-1] if unit else text).replace("_", "").replace(",", "")
    with contextlib.suppress(ValueError, OverflowError):
        if (value := round(float(number) * (unit or 1))) >= 1:
            return value
    raise argparse.ArgumentTypeError(
        f"'{text}' is not a number of tokens from 1; write 20000, 64k or 20M"
    )


def size(text: str) -> float:
    """Bytes: 600MB, 1.5GB."""
    return with_unit(text, {"MB": 1e6, "GB": 1e9}, "a size; write 600MB or 1.5GB")


def duration(text: str) -> float:
    """Seconds: 2s, 500ms."""
    return with_unit(text, {"ms": 1e-3, "s": 1.0}, "a time; write 2s or 500ms")


def with_unit(text: str, units: dict[str, float], wanted: str) -> float:
    """A number above 0 with its unit behind it, times what the unit stands for.

    Args:
        text: as it was typed.
        units: by name, in the order in which they are looked for.
        wanted: what it should have been, for the message.
    """
    for unit, factor in units.items():
        if text.lower().endswith(unit.lower()):
            with contextlib.suppress(ValueError, argparse.ArgumentTypeError):
                return positive(text[: -len(unit)]) * factor
    raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")


def evenly(found, count: int | None):
    """Take `count` of them, evenly spread."""
    import numpy as np

    if not count or count >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, count).astype(int)]


def stdout_to_stderr():
    """Keep notices and download bars out of the JSON on stdout."""
    return contextlib.redirect_stdout(sys.stderr)
