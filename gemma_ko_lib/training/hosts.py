"""Several processes, one run: how they find each other, and what only the first of them does.

Every host of a TPU pod, or of a group of GPU machines, runs the same command. The run folder must
be one that all of them see. What goes wrong on one host ends the others within a minute or two:
JAX's coordinator notices that it is gone and stops them, each with a message.
"""

import inspect
import json
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from gemma_ko_lib.runtime import UserError

_LONGEST_WORK = 24 * 3600  # seconds; packing a large corpus takes hours
_LONGEST_MESSAGE, _MESSAGE_BYTES = 2000, 16_000  # of JSON, six bytes for a Korean letter


def join_hosts() -> None:
    """Become one of the processes of a run; before anything is computed.

    TPU pods, Slurm and Open MPI are found by themselves. Other machines need, in the
    environment of every process, `JAX_COORDINATOR_ADDRESS` (host:port of the first),
    `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID` (0, 1, …).

    Raises:
        UserError: the others are not known or do not answer.
    """
    options = {
        "num_processes": _number_in_environment("JAX_NUM_PROCESSES"),
        "process_id": _number_in_environment("JAX_PROCESS_ID"),
    }
    # A process that fails waits this long for the others, which may wait for it. JAX 0.7, as Colab
    # and Kaggle have it, takes no such option.
    if "shutdown_timeout_seconds" in inspect.signature(jax.distributed.initialize).parameters:
        options["shutdown_timeout_seconds"] = 60
    try:
        jax.distributed.initialize(**options)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"The processes of this run did not find each other ({error}). On a TPU pod run the "
            "same command on every worker; elsewhere set JAX_COORDINATOR_ADDRESS (host:port of "
            "the first process), JAX_NUM_PROCESSES and JAX_PROCESS_ID (0, 1, …) for each."
        ) from error


def _number_in_environment(name: str) -> int | None:
    text = os.environ.get(name, "").strip()
    if text and not (text.isascii() and text.isdecimal()):
        raise UserError(f"{name} is '{text}' in the environment; it must be a whole number.")
    return int(text) if text else None


def on_first_host(work: Callable[[], Any]) -> Any:
    """Let the first process do what is done once for all; the others wait until it is done.

    Returns:
        On every process, what `work` returned on the first; JSON values where there are several.

    Raises:
        UserError, OSError: what `work` raised; on the other processes a UserError that says it.
    """
    error, result = None, None
    if jax.process_index() == 0:
        try:
            result = work()
        except (UserError, OSError) as raised:
            error = raised
    if jax.process_count() > 1:
        # A barrier of the coordinator's: the devices' own would give up too early.
        everyone = set(range(jax.process_count()))
        ocp.multihost.sync_global_processes(
            "on_first_host", timeout=_LONGEST_WORK, processes=everyone
        )
        message = str(error)[:_LONGEST_MESSAGE] if error else None
        sent = json.dumps([message, result]).encode().ljust(_MESSAGE_BYTES)
        sent = np.frombuffer(sent, np.uint8)
        message, result = json.loads(multihost_utils.broadcast_one_to_all(sent).tobytes())
        if message and error is None:
            error = UserError(f"The first process says: {message}")
    if error:
        raise error
    return result


def on_any_host(flag: bool) -> bool:
    """Whether one of the processes says so; all of them must ask."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))
