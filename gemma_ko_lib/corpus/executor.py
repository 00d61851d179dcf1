"""datatrove's local executor, on a process pool that notices when a worker dies."""

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from datatrove.executor.local import LocalPipelineExecutor
from loguru import logger

from gemma_ko_lib.runtime import UserError

_worker_executor: "LocalExecutor | None" = None


@contextlib.contextmanager
def _quiet():
    # datatrove logs every task to stderr; errors reach the user as exceptions anyway.
    logger.disable("datatrove")
    try:
        yield
    finally:
        logger.enable("datatrove")


class LocalExecutor(LocalPipelineExecutor):
    """Runs tasks in this process (one worker) or in several.

    It differs from its parent in two ways that matter here. The parent forks a manager
    process for its queue even for one worker, which is unsafe once JAX runs threads; and
    its pool waits forever for a worker that the system killed for memory.
    """

    def run(self) -> None:
        """Run every task.

        Raises:
            UserError: a worker process was killed.
        """
        self.save_executor_as_json()
        with _quiet():
            if self.workers == 1:
                for rank in range(self.tasks):
                    self._run_task(rank)
            else:
                self._run_in_pool()

    def _run_task(self, rank: int) -> None:
        # A local rank above 0 keeps datatrove from logging to the console.
        self._run_for_rank(rank, local_rank=1)

    def _run_in_pool(self) -> None:
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        pool = ProcessPoolExecutor(self.workers, context, _start_worker, (self,))
        try:
            for future in as_completed([pool.submit(_run_in_worker, r) for r in range(self.tasks)]):
                future.result()
        except BrokenProcessPool:
            raise UserError(
                "A worker process was killed, most often for memory. Run again with fewer workers."
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(executor: LocalExecutor) -> None:
    global _worker_executor
    _worker_executor = executor
    logger.disable("datatrove")


def _run_in_worker(rank: int) -> None:
    _worker_executor._run_task(rank)
