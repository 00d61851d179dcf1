"""Progress: a live bar on a terminal, sparse lines in a log."""

import sys
import time

from gemma_ko_lib.runtime.errors import printable


class Progress:
    """Progress that suits where it is read: a live bar on a terminal, sparse lines in a log.

    Args:
        total: number of units to come, or None when unknown.
        label: what is being done.
        unit: what is counted.
        quiet: say nothing at all.
    """

    def __init__(self, total: int | None, label: str, unit: str = "it", quiet: bool = False):
        from tqdm import tqdm

        self._terminal = sys.stderr.isatty()
        label = printable(label)  # often a file's name
        self._total, self._label, self._unit, self._quiet = total, label, unit, quiet
        self._done, self._start, self._last_line = 0, time.monotonic(), time.monotonic()
        self._bar = tqdm(
            total=total, desc=label, unit=unit, disable=quiet or not self._terminal, leave=False
        )

    def update(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more units; `note` is shown beside them."""
        self._done += amount
        self._bar.set_postfix_str(note, refresh=not amount)
        self._bar.update(amount)
        now = time.monotonic()
        # Each ten seconds at first, then each sixtieth of the time: a day is 360 lines, not 8,640.
        pause = max(10, (now - self._start) / 60)
        if not self._terminal and not self._quiet and now - self._last_line > pause:
            self._last_line = now
            self._print_line(now, note)

    def note(self, text: str) -> None:
        """Say something once, without breaking the bar."""
        if not self._quiet:
            self._bar.write(f"{self._label}: {printable(text)}", file=sys.stderr)

    def _print_line(self, now: float, note: str) -> None:
        elapsed, line = now - self._start, f"{self._label}: {self._done:,}"
        line += f"/{self._total:,}" if self._total else ""
        line += f" {self._unit}, {elapsed:,.0f} s"
        if self._total and self._done:
            line += f", {elapsed / self._done * (self._total - self._done):,.0f} s left"
        print(f"{line} {note}".rstrip(), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Finish the bar."""
        self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
