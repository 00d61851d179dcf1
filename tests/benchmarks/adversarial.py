"""Cleaning and masking of long runs of one thing: does ten times the text take ten times as long?

Every visible character of the scripts that a Korean corpus meets, in three runs: alone, with a
space behind it, with a full stop and a letter behind it. Runs that take more than their share are
timed again at a megabyte, where a quadratic step would show by a factor of ten.
"""

import time
import unicodedata

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.pii import mask_pii

_SHORT, _LONG, _LONGEST = 10_000, 100_000, 1_000_000  # characters
_SUSPECT, _WORSE = 15, 12  # times as long for ten times the text
_BLOCKS = (
    *((0x20, 0x250), (0x370, 0x530), (0x1100, 0x1200), (0x2000, 0x2800), (0x3000, 0x3400)),
    *((0xAC00, 0xAC80), (0x4E00, 0x4E40), (0xFE00, 0xFF00), (0xFF00, 0xFFEF)),
    (0x1F300, 0x1F400),
)


def _seconds(piece: str, length: int) -> float:
    text = piece * (length // len(piece))
    start = time.process_time()
    mask_pii(clean_text(text, "community").text, urls="all")
    return time.process_time() - start


def _growth(piece: str, short: int, long: int) -> float:
    # The smaller of two: a pause of the machine is not the text's doing.
    least = [min(_seconds(piece, length) for _ in range(2)) for length in (short, long)]
    return least[1] / max(least[0], 1e-4)


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure); the worst runs are named."""
    characters = [
        chr(code)
        for block in _BLOCKS
        for code in range(*block)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Cc")
    ]
    pieces = [form.format(c) for c in characters for form in ("{}", "{} ", "{}.a")]
    suspects = {
        piece: grown for piece in pieces if (grown := _growth(piece, _SHORT, _LONG)) > _SUSPECT
    }
    again = {piece: _growth(piece, _LONG, _LONGEST) for piece in suspects}
    worse = {piece: grown for piece, grown in again.items() if grown > _WORSE}
    most = max(again.items(), key=lambda entry: entry[1], default=("", 0))
    slowest = max(((_seconds(p, _LONG), p) for p in pieces), default=(0, ""))
    return [
        ("runs of one thing", f"{len(pieces):,}"),
        (
            f"take more than {_SUSPECT} times as long at 100,000 as at 10,000 characters",
            str(len(again)),
        ),
        (f"of these more than {_WORSE} times as long at 1,000,000 as at 100,000", str(len(worse))),
        (f"  the worst: {most[0]!r}", f"{most[1]:.1f}×"),
        (f"the slowest at 100,000 characters: {slowest[1]!r}, seconds", f"{slowest[0]:.2f}"),
    ]
