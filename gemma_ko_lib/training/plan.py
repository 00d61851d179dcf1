"""What `gemma-ko plan` answers: does a training fit on a device, and what is to be typed.

It decides about the same options by the same functions as `pretrain` and `finetune` do, which
ask `fitting_batching` before they start.
"""

import dataclasses
import difflib
import functools
import math
import os
import re
import shlex

from gemma_ko_lib import runtime
from gemma_ko_lib.models.decoder import Decoder, build_decoder
from gemma_ko_lib.models.loading import read_shape
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.training import step_compiler
from gemma_ko_lib.training.memory import GIB, Estimate, Need, mesh_of
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.size import Batching, RunSize
from gemma_ko_lib.training.step_compiler import Compiled, Step

SHORTEST_ROW = 128
# A CPU gains nothing from micro-batches of more tokens.
_CPU_TOKENS = 4096


def _gpu(name: str, count: int, gib: float) -> Accelerator:
    # The driver and CUDA's context take about 0.4 GiB of what the card has.
    return Accelerator("gpu", name, count, int((gib - 0.4) * GIB))


def _tpu(name: str, count: int, gib: float) -> Accelerator:
    return Accelerator("tpu", name, count, int(gib * GIB))


HERE = "here"  # the device that JAX computes on now
# What people have; memory is what a program gets of one device.
DEVICES: dict[str, Accelerator] = {
    "t4": _gpu("Tesla T4", 1, 15.0),
    "t4x2": _gpu("Tesla T4", 2, 15.0),
    "p100": _gpu("Tesla P100", 1, 15.9),
    "l4": _gpu("NVIDIA L4", 1, 22.5),
    "rtx4090": _gpu("NVIDIA GeForce RTX 4090", 1, 24.0),
    "a100-40": _gpu("NVIDIA A100 40GB", 1, 40.0),
    "a100-80": _gpu("NVIDIA A100 80GB", 1, 80.0),
    "h100": _gpu("NVIDIA H100 80GB", 1, 79.6),
    "h200": _gpu("NVIDIA H200", 1, 140.0),
    "v2-8": _tpu("TPU v2", 8, 7.5),
    "v3-8": _tpu("TPU v3", 8, 15.5),
    "v5e-1": _tpu("TPU v5 lite", 1, 15.75),
    "v5e-8": _tpu("TPU v5 lite", 8, 15.75),
    "v6e-1": _tpu("TPU v6 lite", 1, 31.25),
    "v6e-8": _tpu("TPU v6 lite", 8, 31.25),
}


def device_name(name: str) -> str:
    """A name of `DEVICES`, from how people write it: T4, RTX-4090, v5litepod-8; or `HERE`.

    Raises:
        UserError: unknown; the nearest names are given.
    """
    plain = name.lower().replace("_", "-").replace(" ", "").removeprefix("tpu-")
    plain = plain.replace("v5litepod", "v5e").replace("rtx-", "rtx").replace("t4-x2", "t4x2")
    plain = plain.removeprefix("nvidia-").removeprefix("tesla-").removesuffix("gb")
    if plain in DEVICES or plain == HERE:
        return plain
    near = [known for known in DEVICES if known.startswith(plain)]
    near = near or difflib.get_close_matches(plain, DEVICES, 3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(f"No device '{name}'.{hint} Known: {HERE}, {', '.join(DEVICES)}.")


@dataclasses.dataclass(frozen=True)
class Plan:
    """Whether a training fits.

    Attributes:
        model: its name.
        method: how it is trained.
        size: how much.
        machine: what it is trained on.
        dtype: Keras dtype policy of the model there.
        batching: how an update is cut there; the smallest way where nothing fits.
        need: bytes of one device by kind, estimated.
        fits: by the compiler's word if it was asked, else by the estimate; True where the machine
            does not tell its memory.
        instead: where it does not fit, the nearest plan that does, if there is any.
        compiled: the compiler's word, if it was asked.
    """

    model: str
    method: Method
    size: RunSize
    machine: Accelerator
    dtype: str
    batching: Batching
    need: Need
    fits: bool
    instead: "Plan | None" = None
    compiled: Compiled | None = None

    @property
    def command(self) -> str:
        """What is to be typed on the machine itself."""
        return self.typed("pretrain")

    def typed(self, command: str) -> str:
        """The same with "pretrain" or "finetune" after gemma-ko."""
        model, before = self.model, []
        if cut := re.fullmatch(r"([\w.]+):(\d+)", model):
            whole, pieces = cut.groups()
            before = [f"gemma-ko vocabulary --model {whole} --keep-from DOCS --pieces {pieces}"]
            before, model = [*before, "-o CUT &&"], "CUT"
        words = [*before, f"gemma-ko {command} --model", shlex.quote(model), "--data DATA -o RUN"]
        return " ".join([*words, *self.method.options(), *size_options(self.size)])


def size_options(size: RunSize) -> list[str]:
    """A size as options of a command; what is left to the defaults is left out."""
    words = []
    for name, value in dataclasses.asdict(size).items():
        if value is not None:
            number = f"{value:g}" if isinstance(value, float) else str(value)
            words += [f"--{name.replace('_', '-')}", number]
    return words


def plan(
    model: str,
    device: str,
    method: Method = Method(),
    size: RunSize = RunSize(),
    *,
    compiled: bool = False,
) -> Plan:
    """Plan a training.

    Args:
        model: as for `models.load`; gemma2_2b:32k is one with its vocabulary cut.
        device: a name of `DEVICES`, or near to one; or `HERE`.
        method: how to train.
        size: how much; without `rows`, as many at once as fit.
        compiled: ask a compiler too.

    Raises:
        UserError: an unknown name, or no compiler for this device here: a GPU is asked itself.

    Example:
        >>> plan("gemma2_2b", "v5e-8").fits
        True
    """
    device = device_name(device)
    machine = this_machine() if device == HERE else DEVICES[device]
    model, *shape = read_shape(model)
    found = _estimated(model, shape, method, size, machine)
    if compiled:
        step = Step(model, method, found.dtype, found.batching)
        if device in step_compiler.TPU_TOPOLOGIES:
            said = step_compiler.compile_for_tpu(step, device)
        else:
            said = step_compiler.measure_here(step, None if device == HERE else machine)
        fits = said.refusal is None and _has_room(machine, said.peak)
        found = dataclasses.replace(found, compiled=said, fits=fits)
    if found.fits:
        return found
    return dataclasses.replace(found, instead=_nearest(found, shape))


def fitting_batching(
    model: Model,
    method: Method,
    size: RunSize,
    machine: Accelerator | None = None,
    command: str = "pretrain",
) -> Batching:
    """How an update of a loaded model is cut on a machine.

    Args:
        model: what is to be trained; its own number format counts.
        method: how.
        size: how much.
        machine: what on; by default what JAX computes on.
        command: that the user has typed.

    Raises:
        UserError: it does not fit; names the nearest command that does.
    """
    machine = machine or this_machine()
    shape = (model.kind, model.config)
    found = _estimated(model.name, shape, method, size, machine, model.decoder.dtype_policy)
    if found.fits:
        return found.batching
    kinds = ", ".join(f"{kind} {size / GIB:.1f}" for kind, size in found.need.kept.items())
    instead = _nearest(found, shape)
    typed = instead and instead.typed(command)
    hint = ""
    if machine.kind == "gpu" and "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
        hint = (
            " JAX takes three quarters of a GPU: XLA_PYTHON_CLIENT_MEM_FRACTION=0.95 in the "
            "environment gives it more."
        )
    raise UserError(
        f"{model.name} by {method}, {found.batching}, needs about {found.need.total / GIB:.1f} "
        f"GiB of each device ({kinds} GiB, and up to "
        f"{max(found.need.passing.values()) / GIB:.1f} in passing); {machine.name} has "
        f"{machine.memory_bytes / GIB:.1f}. "
        + (f"What fits: {typed}" if typed else "No method of the course fits there.")
        + hint
    )


def this_machine() -> Accelerator:
    """What JAX computes on, with the memory that a training may take of it."""
    machine = runtime.accelerator()
    if machine.kind != "cpu" or machine.memory_bytes is None:
        return machine
    # The devices of a CPU are simulated and share the machine's memory. A training that took
    # more than half of it would push out what else runs there.
    return dataclasses.replace(machine, memory_bytes=machine.memory_bytes // 2 // machine.count)


# --- search ---


@functools.cache
def _estimate(decoder: Decoder, method: Method, machine: Accelerator) -> Estimate:
    return Estimate(decoder, method, mesh_of(machine))


def _estimated(
    model: str, shape, method, size, machine: Accelerator, dtype=None, below: float = math.inf
) -> Plan:
    """A plan by the estimate: the most rows at once that fit, or the fewest if none do.

    What a compiler has refused may fit by the estimate; a plan then has to be `below` its bytes.
    """
    dtype = dtype or method.dtype(machine)
    estimate = _estimate(build_decoder(*shape, dtype), method, machine)
    batching = None
    for batching in _cuts(method, size, machine):
        need = estimate.need(batching)
        if _has_room(machine, need.total) and need.total < below:
            return Plan(model, method, size, machine, dtype, batching, need, True)
    return Plan(model, method, size, machine, dtype, batching, need, False)


def _has_room(machine: Accelerator, needed: int) -> bool:
    """Whether a device has so many bytes; some GPUs do not tell theirs."""
    return machine.memory_bytes is None or needed <= machine.memory_bytes


def _cuts(method: Method, size: RunSize, machine: Accelerator):
    """Ways to cut an update, the best first."""
    devices, length = machine.count, size.row_length
    update_rows = size.most_update_rows(divisible=not method.in_blocks)
    share = -(-update_rows // devices)
    if size.rows:
        if size.rows % devices:
            raise UserError(
                f"--rows {size.rows} cannot be dealt out evenly to {devices} devices: give a "
                f"multiple of {devices}, or leave the option out."
            )
        if method.in_blocks and size.rows < update_rows:
            raise UserError(
                f"{method} applies a gradient as soon as it is there, so that the {update_rows} "
                f"rows of an update cannot come in parts of {size.rows}: give --update-tokens "
                f"{size.rows * length}, or leave --rows out."
            )
        most = [size.rows]
    elif method.in_blocks:
        most = [share * devices]
    else:
        on_cpu = machine.kind == "cpu"
        largest = min(share, max(1, _CPU_TOKENS // length)) if on_cpu else share
        powers = (2**n for n in reversed(range(largest.bit_length())))
        most = [rows * devices for rows in (largest, *powers) if rows <= largest]
    cuts = [Batching.cut(update_rows, length, rows, devices) for rows in most]
    # An accelerator's time is well spent on computing blocks twice: rows become many times as
    # many. A CPU does it only where the first choice of rows does not fit otherwise.
    if machine.kind == "cpu" and not method.in_blocks:
        yield dataclasses.replace(cuts[0], rematerialise=False)
    yield from cuts


def _nearest(refused: Plan, shape) -> Plan | None:
    """The nearest plan that fits: smaller updates, then shorter rows, then another method."""
    below = refused.need.total
    for method in [refused.method, *_other_methods(refused.method)]:
        dtype = refused.dtype if method == refused.method else None
        for size in _smaller_sizes(refused.size, method):
            found = _estimated(refused.model, shape, method, size, refused.machine, dtype, below)
            if found.fits and refused.compiled:
                # Left to itself, a trainer takes as many rows as the estimate says.
                size = dataclasses.replace(size, rows=found.batching.rows)
            if found.fits:
                return dataclasses.replace(found, size=size)
    return None


def _smaller_sizes(size: RunSize, method: Method):
    """The size, then smaller updates where these cannot be divided, then shorter rows."""
    size = dataclasses.replace(size, rows=None)
    while True:
        if not method.in_blocks:
            yield size
        rows = size.most_update_rows(divisible=False) if method.in_blocks else 0
        while rows >= 1:
            yield dataclasses.replace(size, update_tokens=rows * size.row_length)
            rows //= 2
        if size.row_length // 2 < SHORTEST_ROW:
            return
        size = dataclasses.replace(size, length=size.row_length // 2)


def _other_methods(method: Method) -> list[Method]:
    lora = dataclasses.replace(method, embedding_rate=None) if method.lora else Method("lora")
    adapters = [dataclasses.replace(lora, base=base) for base in (None, "int8", "int4")]
    others = [*adapters, Method("lomo")]
    return [other for other in others if other != method]


# --- as text ---


def format_plan(found: Plan) -> str:
    """A plan as lines to read."""
    machine, memory = found.machine, found.machine.memory_bytes
    room = "memory not told" if memory is None else f"{memory / GIB:.2f} GiB each"
    lines = [
        f"{found.model} by {found.method}, {found.batching}, {found.dtype}",
        f"on {machine.count} × {machine.name}, {room}",
        "",
        "GiB of one device (estimated)",
        *(f"  {kind:<22}{size / GIB:7.2f}" for kind, size in found.need.kept.items()),
        "and in passing the larger of",
        *(f"  {kind:<22}{size / GIB:7.2f}" for kind, size in found.need.passing.items()),
        f"{'together':<24}{found.need.total / GIB:7.2f}",
    ]
    if found.compiled:
        lines += ["", *_compiler_lines(found.compiled)]
    if found.fits:
        known = found.compiled or memory is not None  # what is asked of a GPU has run there
        verdict = "It fits" if known else "Whether it fits is not known"
        return "\n".join([*lines, "", f"{verdict}: {found.command}"])
    lines += ["", "It does not fit."]
    if found.instead:
        return "\n".join([*lines, f"What fits: {found.instead.command}"])
    return "\n".join([*lines, "No method of the course fits there."])


def _compiler_lines(said: Compiled) -> list[str]:
    head = f"{said.device}'s compiler ({said.seconds:.0f} s): arguments {said.arguments / GIB:.2f}"
    if said.refusal:
        return [f"{head} GiB, refused:", f"  {said.refusal}"]
    lines = [f"{head} + temporaries {said.temporaries / GIB:.2f} GiB"]
    if said.measured:
        lines.append(f"measured peak of one update: {said.measured / GIB:.2f} GiB")
    return lines
