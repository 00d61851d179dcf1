"""Stopping a run from outside: after the update that is being computed, with a checkpoint.

Colab, Kaggle, Slurm and spot machines announce with SIGTERM that they will stop a machine;
Ctrl-C and a notebook's stop button send SIGINT.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stopped(KeyboardInterrupt):
    """A signal ended a run early; what it had done is on disk.

    Attributes:
        exit_code: for the process, 128 and the signal's number, as shells have it.
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


@contextlib.contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Turn the first SIGTERM or SIGINT into a request; a second one does what it did before.

    Only the main thread can catch signals; in another one none is caught.

    Yields:
        A list that gets the signal's number.

    Example:
        >>> with stop_requests() as asked:
        ...     while not asked:
        ...         signal.raise_signal(signal.SIGTERM)
        >>> asked == [signal.SIGTERM]
        True
    """
    asked: list[int] = []
    former = {}

    def restore() -> None:
        while former:
            signal.signal(*former.popitem())

    def note(number: int, frame) -> None:
        asked.append(int(number))
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            # A handler that C code has set is None to Python, which cannot put it back.
            former[number] = signal.signal(number, note) or signal.SIG_DFL
    try:
        yield asked
    finally:
        restore()
