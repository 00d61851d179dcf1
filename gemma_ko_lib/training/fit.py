"""What `gemma-ko fit` does: names of a model, a device and a method in, an answer out."""

import dataclasses

from gemma_ko_lib.models import CONFIGS
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.training import memory, step_compiler
from gemma_ko_lib.training.memory import GIB, ROW_LENGTH, Need
from gemma_ko_lib.training.methods import METHODS, Setting
from gemma_ko_lib.training.step_compiler import Compiled, Step


@dataclasses.dataclass(frozen=True)
class Answer:
    """Whether a training fits.

    Attributes:
        model: a name of `models.CONFIGS`.
        device: a name of `memory.DEVICES`.
        devices: how many of them.
        memory_bytes: what one device has.
        dtype: Keras dtype policy of the method there.
        setting: what was asked for, or the largest that fits.
        need: bytes of one device by kind, estimated.
        fits: by the compiler's word if it was asked, else by the estimate.
        nearest: where it does not fit, the nearest setting that is estimated to.
        compiled: the compiler's word, if it was asked.
    """

    model: str
    device: str
    devices: int
    memory_bytes: int
    dtype: str
    setting: Setting
    need: Need
    fits: bool
    nearest: Setting | None
    compiled: Compiled | None


def fit(
    model: str,
    device: str,
    method: str = "full",
    *,
    rows: int | None = None,
    length: int | None = None,
    compiled: bool = False,
) -> Answer:
    """Answer for one setting; without `rows`, for the largest that fits.

    Args:
        model: a name of `models.CONFIGS`; its "_en" may be left out.
        device: a name of `memory.DEVICES`.
        method: one of `methods.METHODS`.
        rows: rows of the batch, over all devices.
        length: tokens a row.
        compiled: ask a compiler too.

    Raises:
        UserError: an unknown name, or no compiler for this device here.
    """
    model, machine = memory.model_name(model), memory.device(device)
    if method not in METHODS:
        raise UserError(f"No method '{method}'. Known: {', '.join(METHODS)}.")
    shape, length = CONFIGS[model], length or ROW_LENGTH
    dtype = memory.dtype_policy(method, machine)
    estimate = memory.Estimate(
        memory.abstract_decoder(shape, dtype), method, memory.mesh_of(machine)
    )
    wanted = Setting(method, rows or machine.count, length)
    if rows is None:
        wanted = memory.largest(estimate, machine, length) or wanted
    elif rows % machine.count:
        raise UserError(f"--batch {rows} is no multiple of the {machine.count} devices of {device}")
    need = estimate.need(wanted)
    said = None
    fits = need.total <= machine.memory_bytes
    if compiled:
        said = _ask_compiler(Step(model, method, dtype, wanted.rows, wanted.length), device)
        fits = said.refusal is None and said.peak <= machine.memory_bytes
    return Answer(
        model,
        device,
        machine.count,
        machine.memory_bytes,
        dtype,
        wanted,
        need,
        fits,
        None if fits else memory.nearest(shape, wanted, machine),
        said,
    )


def _ask_compiler(step: Step, device: str) -> Compiled:
    if device in step_compiler.TPU_TOPOLOGIES:
        return step_compiler.compile_for_tpu(step, device)
    return step_compiler.measure_here(step)


def format_answer(answer: Answer) -> str:
    """The answer as lines to read."""
    memory_gib = answer.memory_bytes / GIB
    machine = memory.DEVICES[answer.device]
    lines = [
        f"{answer.model} by {answer.setting} an update, {answer.dtype}",
        f"on {answer.device}: {answer.devices} × {machine.name}, {memory_gib:.2f} GiB each",
        "",
        "GiB of one device (estimated)",
        *(f"  {kind:<22}{size / GIB:7.2f}" for kind, size in answer.need.kept.items()),
        "and in passing the larger of",
        *(f"  {kind:<22}{size / GIB:7.2f}" for kind, size in answer.need.passing.items()),
        f"{'together':<24}{answer.need.total / GIB:7.2f}",
    ]
    if said := answer.compiled:
        lines += ["", *_compiler_lines(said)]
    lines += ["", "It fits." if answer.fits else "It does not fit."]
    if not answer.fits:
        instead = answer.nearest
        lines.append(f"What fits: {instead}." if instead else "No method of the course fits there.")
    return "\n".join(lines)


def _compiler_lines(said: Compiled) -> list[str]:
    head = f"{said.device}'s compiler ({said.seconds:.0f} s): arguments {said.arguments / GIB:.2f}"
    if said.refusal:
        return [f"{head} GiB, refused:", f"  {said.refusal}"]
    lines = [f"{head} + temporaries {said.temporaries / GIB:.2f} GiB"]
    if said.measured:
        lines.append(f"measured peak of one update: {said.measured / GIB:.2f} GiB")
    return lines
