"""What a compiler says about an update: the bytes of one device, or its refusal.

The update is the one that training runs, on shapes only; no weight is allocated. The TPU
compiler needs no TPU: `libtpu` compiles for a described one, in a process of its own, so that
the JAX that is already up stays as it is.
"""

import dataclasses
import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.models.decoder import build_decoder
from gemma_ko_lib.models.loading import read_shape
from gemma_ko_lib.models.sharding import batch_sharding
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.tokenization.packing import ARRAYS
from gemma_ko_lib.training.memory import bytes_on_one_device
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.optimizer import learning_rate_schedule
from gemma_ko_lib.training.size import Batching

TPU_TOPOLOGIES = {
    "v5e-1": "v5e:1x1",
    "v5e-8": "v5e:2x4",
    "v6e-1": "v6e:1x1",
    "v6e-8": "v6e:2x4",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """An update to compile.

    Attributes:
        model: a preset's name.
        method: how it is trained.
        dtype: Keras dtype policy.
        batching: how the update is cut.
    """

    model: str
    method: Method
    dtype: str
    batching: Batching


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What a compiler said, in bytes of one device.

    Attributes:
        device: its name.
        arguments: state, untrained weights and batch.
        temporaries: what comes and goes within the step; 0 where the compiler gave up.
        refusal: the compiler's words where it found no room, else None.
        seconds: taken to trace and compile.
        measured: most bytes in use while one update ran, where it was run.
    """

    device: str
    arguments: int
    temporaries: int
    refusal: str | None
    seconds: float
    measured: int | None = None

    @property
    def peak(self) -> int:
        """Bytes in use, measured where that was done."""
        return self.measured or self.arguments + self.temporaries


def compile_for_tpu(step: Step, device: str) -> Compiled:
    """Ask the TPU compiler, on any Linux machine.

    Args:
        step: what to compile.
        device: a key of `TPU_TOPOLOGIES`.

    Raises:
        UserError: `libtpu` is not installed, or it failed otherwise than for want of memory.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            "The TPU compiler is not installed: pip install 'gemma-ko[tpu]' (Linux only). "
            "It needs no TPU."
        )
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        # libtpu would otherwise ask a cloud's metadata server where it is.
        "TPU_SKIP_MDS_QUERY": "1",
        # Its lock guards a chip; none is opened here.
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    task = json.dumps([TPU_TOPOLOGIES[device], dataclasses.asdict(step)])
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, task], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"The TPU compiler failed on {step.model} by {step.method}: {last}")
    return Compiled(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(step: Step, planned: Accelerator | None = None) -> Compiled:
    """Compile a step for the GPUs that are here, and run it once.

    Args:
        step: what to compile.
        planned: the device that the step was cut for, where it must be the one that is here.

    Raises:
        UserError: there is no GPU, or it is not what was planned for.
    """
    here = runtime.accelerator()
    if here.kind != "gpu":
        raise UserError(
            f"Measuring a GPU takes a machine with one; JAX computes on {here.name} here. Leave "
            "out --compile for an estimate; the TPU compiler works on any machine."
        )
    if planned and not _is_same(here, planned):
        raise UserError(
            f"{planned.count} × {planned.name} cannot be measured on {here.count} × {here.name}, "
            "which is here: leave out --compile for an estimate, or give --device here."
        )
    return compile_on(jax.devices(), step, run=True)


def _is_same(here: Accelerator, planned: Accelerator) -> bool:
    """By kind, number and the words of its name that tell a card: T4, 4090, A100 and 80GB."""
    words = {word for word in planned.name.split() if re.search(r"\d", word)}
    same = (here.kind, here.count) == (planned.kind, planned.count)
    return same and words <= set(re.split(r"[ -]", here.name))


def compile_on(devices: list, step: Step, run: bool = False) -> Compiled:
    """Compile a step for devices: those that are here, or a topology's.

    Args:
        devices: in one fully-sharded mesh.
        step: what to compile.
        run: also run it once, on zeros.
    """
    mesh = jax.sharding.Mesh(np.array(devices).reshape(-1, 1), ("fsdp", "tensor"))
    began = time.monotonic()
    update, arguments = abstract_update(step, mesh)
    said = functools.partial(Compiled, device=devices[0].device_kind)
    try:
        compiled = update.lower(*arguments).compile()
        seconds = time.monotonic() - began
        measured = _peak_of_one_update(compiled, arguments) if run else None
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return said(
            arguments=bytes_on_one_device(arguments),
            temporaries=0,
            refusal=_memory_sentence(str(error)),
            seconds=time.monotonic() - began,
        )
    analysis = compiled.memory_analysis()
    return said(
        arguments=analysis.argument_size_in_bytes,
        # A result that takes the place of its argument needs no room of its own.
        temporaries=analysis.temp_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes,
        refusal=None,
        seconds=seconds,
        measured=measured,
    )


def abstract_update(step: Step, mesh):
    """An update and the shapes of its arguments, ready to be lowered.

    Args:
        step: what to compile.
        mesh: real or abstract.

    Returns:
        The jitted update, and (state, batch, frozen weights) as shapes with their places.
    """
    method, batching = step.method, step.batching
    _, *shape = read_shape(step.model)
    decoder = build_decoder(*shape, step.dtype)
    schedule = learning_rate_schedule(1e-5, steps=1000, warmup_steps=100)
    update = method.update(decoder, schedule, mesh=mesh, rematerialise=batching.rematerialise)
    state, frozen = method.abstract(decoder, mesh)
    kinds = dict.fromkeys(ARRAYS, "int32") | {"loss_weights": "float32"}
    shape = (batching.accumulation, batching.rows, batching.length)
    batch = {
        name: jax.ShapeDtypeStruct(shape, kind, sharding=batch_sharding(mesh))
        for name, kind in kinds.items()
    }
    return update, (state, batch, frozen)


def _peak_of_one_update(compiled, arguments) -> int | None:
    places = jax.tree.map(lambda x: x.sharding, arguments)
    zeros = jax.jit(
        lambda: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), arguments), out_shardings=places
    )()
    jax.block_until_ready(compiled(*zeros))
    statistics = jax.local_devices()[0].memory_stats()
    return statistics and statistics["peak_bytes_in_use"]


def _memory_sentence(message: str) -> str:
    """The compiler's own sentence on what it needed and what there was."""
    found = re.search(r"Ran out of memory[^\n]*|Used [^\n]*", message)
    return " ".join((found[0] if found else message.splitlines()[0]).split())


def _main(task: str) -> None:
    """The subprocess: one task as JSON in, one line of JSON out."""
    from jax.experimental import topologies

    topology_name, asked = json.loads(task)
    method, batching = Method(**asked.pop("method")), Batching(**asked.pop("batching"))
    step = Step(**asked, method=method, batching=batching)
    topology = topologies.get_topology_desc(platform="tpu", topology_name=topology_name)
    print(json.dumps(dataclasses.asdict(compile_on(topology.devices, step))))


if __name__ == "__main__":
    _main(sys.argv[1])
