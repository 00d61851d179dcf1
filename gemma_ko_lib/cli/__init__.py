"""`gemma-ko`: the library's stages as commands. Heavy imports wait until a command needs them."""

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading

from gemma_ko_lib import __version__
from gemma_ko_lib.cli import road_commands, stages
from gemma_ko_lib.runtime import UserError, lasting_streams, printable

# What a path can meet wherever it is used: no right to it, too long, a full disk.
_OF_THE_DISK = {
    getattr(errno, name) for name in "EACCES EPERM EROFS ENAMETOOLONG ELOOP ENOSPC EDQUOT".split()
}


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments; those of the process by default.

    Returns:
        Exit code: 0 done, 1 something the user can put right, 2 wrong usage, 3 done but for
        some records that could not be read; 130 (SIGINT) or 143 (SIGTERM) interrupted, a
        training run with a checkpoint.
    """
    # XLA and absl announce missing GPUs on every start; a real error still gets through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with lasting_streams(), _stopped_by_signals():
        arguments = _parser().parse_args(argv)
        try:
            return arguments.run(arguments) or 0
        except UserError as error:
            print(f"gemma-ko: {printable(str(error))}", file=sys.stderr)
            return 1
        except OSError as error:
            if error.errno not in _OF_THE_DISK or error.filename is None:
                raise
            print(f"gemma-ko: {printable(str(error.filename))}: {error.strerror}", file=sys.stderr)
            return 1
        except KeyboardInterrupt as stop:
            print(f"gemma-ko: {str(stop) or 'interrupted'}", file=sys.stderr)
            return getattr(stop, "exit_code", 130)


@contextlib.contextmanager
def _stopped_by_signals():
    """Within it SIGTERM ends a command as Ctrl-C does, and so does a terminal that is closed.

    What the command has started (a server, kernels) ends with it, and half-written files go. Who
    catches SIGTERM in it, as a training does, is told of a closed terminal by that.
    """

    def stop(number: int, frame) -> None:
        stopped = KeyboardInterrupt("stopped by SIGTERM")
        stopped.exit_code = 128 + number
        raise stopped

    handlers = {
        signal.SIGTERM: stop,
        signal.SIGHUP: lambda number, frame: signal.raise_signal(signal.SIGTERM),
    }
    is_main = threading.current_thread() is threading.main_thread()
    # Under nohup a closed terminal is ignored.
    caught = [n for n in handlers if is_main and signal.getsignal(n) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gemma-ko", description="Put Korean on Gemma.")
    parser.add_argument("--version", action="version", version=f"gemma-ko {__version__}")
    parser.set_defaults(run=lambda arguments: parser.print_help())
    commands = parser.add_subparsers(metavar="COMMAND")
    stages.add(commands)
    road_commands.add(commands)
    return parser
