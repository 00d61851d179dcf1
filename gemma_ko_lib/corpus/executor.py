"""Where the pipeline's tasks run: on this machine's cores, on a Ray cluster, or under Slurm.

All three are datatrove's executors. Each writes what its tasks counted and which of them are
done into a stage's log folder, so that a stage that was stopped goes on with the others.
"""

import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import NamedTuple

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from gemma_ko_lib.corpus.counting import without_log
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.runtime.workers import worker_processes

EXECUTORS = ("local", "ray", "slurm")
_PRELOADED = ["gemma_ko_lib.corpus.blocks", "gemma_ko_lib.corpus.duplicates"]
# What a task needs at most: a chunk of keys, or a range of them, and the interpreter.
_TASK_MEMORY_GB = 2


class Stage(NamedTuple):
    """Blocks that run one after the other, in a number of tasks side by side."""

    name: str
    blocks: list[PipelineStep]
    tasks: int


def run_stages(
    stages: Sequence[Stage], executor: str, workers: int, logs: Path, slurm: dict[str, str]
) -> list[str]:
    """Run stages in order; those of Slurm are only handed in.

    Args:
        stages: each begins when the one before is done.
        executor: "local", "ray" or "slurm".
        workers: tasks at once.
        logs: each stage gets a folder of its own there.
        slurm: options for Slurm: "partition", "time", and any other of sbatch.

    Returns:
        The jobs' numbers, for Slurm.

    Raises:
        UserError: a task failed or was killed, or the executor is not there.
    """
    if executor == "slurm":
        return _submit(stages, workers, logs, slurm)
    run = _run_with_ray if executor == "ray" else _run_here
    with without_log():
        for stage in stages:
            run(stage, workers, logs / stage.name)
    return []


# --- This machine -------------------------------------------------------------------------

_worker_executor: "LocalExecutor | None" = None


class LocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor, in this process (one worker) or in several.

    It differs from its parent in two ways that matter here. The parent forks a manager
    process for its queue even for one worker, which is unsafe once JAX runs threads; and
    its pool waits forever for a worker that the system killed for memory.
    """

    def run(self) -> None:
        """Run every task that is not done.

        Raises:
            UserError: a worker process was killed.
        """
        self.save_executor_as_json()
        ranks = self.get_incomplete_ranks()
        if self.workers == 1 or len(ranks) < 2:
            for rank in ranks:
                self._run_task(rank)
        else:
            self._run_in_pool(ranks)

    def _run_task(self, rank: int) -> None:
        # A local rank above 0 keeps datatrove from logging to the console.
        self._run_for_rank(rank, local_rank=1)

    def _run_in_pool(self, ranks: list[int]) -> None:
        # The server imports once what each worker of each stage would.
        preload = (__name__, *_PRELOADED)
        with worker_processes(self.workers, preload, _start_worker, self, goes_on=True) as pool:
            for future in as_completed([pool.submit(_run_in_worker, rank) for rank in ranks]):
                future.result()


def _start_worker(executor: LocalExecutor) -> None:
    global _worker_executor
    _worker_executor = executor
    logger.disable("datatrove")


def _run_in_worker(rank: int) -> None:
    _worker_executor._run_task(rank)


def _run_here(stage: Stage, workers: int, logs: Path) -> None:
    LocalExecutor(
        stage.blocks,
        tasks=stage.tasks,
        workers=min(workers, stage.tasks),
        logging_dir=str(logs),
    ).run()


# --- Ray ------------------------------------------------------------------------------------


def _run_with_ray(stage: Stage, workers: int, logs: Path) -> None:
    try:
        import ray
    except ImportError:
        raise UserError(
            "The executor 'ray' needs the package ray: pip install -c constraints.txt -e '.[ray]'"
        ) from None
    from datatrove.executor.ray import RayPipelineExecutor

    if not ray.is_initialized():
        # The cluster that RAY_ADDRESS names or that runs on this machine; a new one here else.
        try:
            ray.init(address="auto", log_to_driver=False, logging_level="error")
        except ConnectionError:
            ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    executor = RayPipelineExecutor(
        stage.blocks,
        tasks=stage.tasks,
        workers=min(workers, stage.tasks),
        mem_per_cpu_gb=_TASK_MEMORY_GB,
        logging_dir=str(logs),
    )
    executor.run()
    if missing := executor.get_incomplete_ranks(skip_completed=True):
        log = logs / "logs" / f"task_{missing[0]:05d}.log"
        raise UserError(
            f"{len(missing)} of {executor.world_size} tasks failed; the first says why in {log}. "
            "Run the same command again to go on with the others."
        )


# --- Slurm ----------------------------------------------------------------------------------

_NAMED_OPTIONS = ("time", "partition", "qos")  # that datatrove takes by name


def _submit(stages: Sequence[Stage], workers: int, logs: Path, slurm: dict[str, str]) -> list[str]:
    from datatrove.executor.slurm import SlurmPipelineExecutor

    if not shutil.which("sbatch"):
        raise UserError(
            "The executor 'slurm' hands jobs in with sbatch, which is not on this machine. Run the "
            "command on a login node of the cluster, or take the executor local or ray."
        )
    if "partition" not in slurm:
        raise UserError("Slurm needs a partition: --slurm partition=NAME (sinfo lists them).")
    executor, jobs = None, []
    for stage in stages:
        executor = SlurmPipelineExecutor(
            stage.blocks,
            tasks=stage.tasks,
            workers=workers,
            time=slurm.get("time", "24:00:00"),
            partition=slurm["partition"],
            qos=slurm.get("qos"),
            mem_per_cpu_gb=_TASK_MEMORY_GB,
            job_name=f"gemma-ko-{stage.name}",
            # The interpreter that runs this has the same packages on the nodes.
            env_command=f'export PATH="{Path(sys.executable).parent}:$PATH"',
            sbatch_args={k: v for k, v in slurm.items() if k not in _NAMED_OPTIONS},
            depends=executor,
            logging_dir=str(logs / stage.name),
        )
        with without_log():
            executor.run()
        jobs.append(str(executor.job_id))
    return jobs
