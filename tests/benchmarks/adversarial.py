"""Cleaning and masking of long runs of one thing: does ten times the text take ten times as long?

Every visible character of the scripts that a Korean corpus meets, in three runs: alone, with a
space behind it, with a full stop and a letter behind it. Runs that take more than their share are
timed again at half a million, where a quadratic step would show by a factor of a hundred.
"""

import time
import unicodedata

from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.pii import mask_pii

_SHORT, _LONG, _LONGEST = 5_000, 50_000, 500_000  # characters
_SUSPECT, _WORSE = 15, 12  # times as long for ten times the text
_BLOCKS = (
    *((0x20, 0x180), (0x391, 0x3CA), (0x410, 0x450), (0x1100, 0x1200), (0x2000, 0x2070)),
    *((0x2190, 0x2200), (0x2460, 0x2500), (0x2500, 0x2600), (0x3000, 0x3100), (0x3131, 0x318F)),
    *((0x4E00, 0x4E20), (0xAC00, 0xAC40), (0xFF01, 0xFFEF), (0x1F300, 0x1F340)),
)


def _seconds(piece: str, length: int) -> float:
    text = piece * (length // len(piece))
    start = time.process_time()
    mask_pii(clean_text(text, "community").text, urls="all")
    return time.process_time() - start


def _growth(piece: str) -> float:
    """How many times as long the longest text takes as one of a tenth."""
    # The smaller of two: a pause of the machine is not the text's doing.
    short, long = (min(_seconds(piece, n) for _ in range(2)) for n in (_LONG, _LONGEST))
    return long / short


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure); the worst runs are named."""
    characters = [
        chr(code)
        for block in _BLOCKS
        for code in range(*block)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Cc")
    ]
    pieces = [form.format(c) for c in characters for form in ("{}", "{} ", "{}.a")]
    seconds = {piece: [_seconds(piece, n) for n in (_SHORT, _LONG)] for piece in pieces}
    again = {
        piece: _growth(piece) for piece, (short, long) in seconds.items() if long > _SUSPECT * short
    }
    most = max(again, key=again.get, default="")
    slowest = max(seconds, key=lambda piece: seconds[piece][1])
    return [
        ("runs of one thing", f"{len(pieces):,}"),
        (f"more than {_SUSPECT} times as long at {_LONG:,} as at {_SHORT:,}", f"{len(again)}"),
        (
            f"  of these more than {_WORSE} times as long at {_LONGEST:,} as at {_LONG:,}",
            f"{sum(grown > _WORSE for grown in again.values())}",
        ),
        (f"  the worst: {most!r}", f"{again.get(most, 0):.1f}×"),
        (f"the slowest at {_LONG:,}: {slowest!r}", f"{seconds[slowest][1]:.2f} s"),
    ]
