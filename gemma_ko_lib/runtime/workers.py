"""Worker processes: started as is safe beside JAX, and a killed one is an error with a remedy."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gemma_ko_lib.runtime.errors import UserError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor


@contextlib.contextmanager
def worker_processes(
    workers: int, preload: Sequence[str], start: Callable, argument, goes_on: bool = False
) -> Iterator["ProcessPoolExecutor"]:
    """A pool of processes; what it has not begun is dropped at the end.

    Args:
        workers: processes.
        preload: modules that a server imports once, for all of them.
        start: called in each process, with `argument`, before its first task.
        argument: can be pickled.
        goes_on: whether the same call, made again, goes on with what is left.

    Raises:
        UserError: a process was killed.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Not fork, which is unsafe once JAX runs threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    pool = ProcessPoolExecutor(workers, context, start, (argument,))
    try:
        yield pool
    except BrokenProcessPool:
        raise UserError(
            "A worker process was killed, most often for memory. Run again with fewer workers"
            + (": it goes on where it was. " if goes_on else ". ")
            + "(A Python script that calls this with several workers does so under "
            '`if __name__ == "__main__":`, for each of them reads the script.)'
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
