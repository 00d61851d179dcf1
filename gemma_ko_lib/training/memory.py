"""Will it fit? Bytes of one device by kind, for a model, a training method and a batch.

A model's shape, a method and a machine come in; bytes, the largest batch that fits, or a
refusal with the nearest setting that fits go out. Weights and optimiser are counted from the
state of the real update; what comes and goes within a step is estimated from the model's
shapes. `step_compiler` asks a compiler instead.
"""

import dataclasses
import functools
import math
import os

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh

from gemma_ko_lib import runtime
from gemma_ko_lib.models import CONFIGS, Decoder, build_backbone
from gemma_ko_lib.models.loading import Model
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.training.loss import CHUNK_TOKENS
from gemma_ko_lib.training.methods import BLOCK_BY_BLOCK, METHODS, Setting, abstract_state

GIB = 2**30


def _gpu(name: str, count: int, gib: float) -> Accelerator:
    # The driver and CUDA's context take about 0.4 GiB of what the card has.
    return Accelerator("gpu", name, count, int((gib - 0.4) * GIB))


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
    "v5e-1": Accelerator("tpu", "TPU v5 lite", 1, int(15.75 * GIB)),
    "v5e-8": Accelerator("tpu", "TPU v5 lite", 8, int(15.75 * GIB)),
}

# The course's row, and what the search tries: rows a device, and shorter rows where not one fits.
ROW_LENGTH = 2048
_ROWS = (64, 32, 16, 8, 4, 2, 1)
SHORTEST_ROW = 128


def model_name(name: str) -> str:
    """The name in `models.CONFIGS`; its "_en" may be left out.

    Raises:
        UserError: no shape is known by that name.
    """
    for candidate in (name, f"{name}_en"):
        if candidate in CONFIGS:
            return candidate
    raise UserError(f"No shape known for '{name}'. Known: {', '.join(CONFIGS)}.")


def device(name: str) -> Accelerator:
    """A device of `DEVICES`.

    Raises:
        UserError: unknown name.
    """
    if name not in DEVICES:
        raise UserError(f"No device '{name}'. Known: {', '.join(DEVICES)}.")
    return DEVICES[name]


def dtype_policy(method: str, machine: Accelerator) -> str:
    """The Keras dtype policy of a method on a machine.

    AdamW keeps float32 master weights beside bfloat16 products. Under LoRA the base never
    changes, and LOMO rounds stochastically, so bfloat16 weights serve both.
    """
    policy = runtime.choose_dtype(machine).policy
    return policy if method == "full" else policy.removeprefix("mixed_")


def abstract_decoder(shape: tuple[str, dict], dtype: str) -> Decoder:
    """A model of a shape as in `models.CONFIGS`, without weights; for equal ones the same."""
    kind, config = shape
    return _abstract_decoder(kind, tuple(config.items()), dtype)


@functools.cache  # Keras takes half a second to build one, and `fit` asks for several
def _abstract_decoder(kind: str, config: tuple, dtype: str) -> Decoder:
    return Decoder(build_backbone(kind, dict(config), dtype))


def mesh_of(machine: Accelerator) -> AbstractMesh:
    """The mesh that training makes of a machine: fully sharded over all its devices."""
    return AbstractMesh((machine.count, 1), ("fsdp", "tensor"))


# --- bytes ---


@dataclasses.dataclass(frozen=True)
class Need:
    """Bytes of one device while an update runs.

    Attributes:
        kept: by kind, what is there for most of the step; it adds up.
        passing: by kind, what comes and goes; the largest of them counts.
    """

    kept: dict[str, int]
    passing: dict[str, int]

    @property
    def total(self) -> int:
        """All that is kept and the largest of what passes."""
        return sum(self.kept.values()) + max(self.passing.values())


class Estimate:
    """What training a model by a method needs of one device, blocks rematerialised.

    Args:
        decoder: the model; its dtype policy says what weights and activations are kept in.
        method: one of `methods.METHODS`.
        mesh: real or abstract, see `mesh_of`.

    Attributes:
        method: as given.
        fixed: bytes by kind that no batch changes.
    """

    def __init__(self, decoder: Decoder, method: str, mesh):
        self.method = method
        state, frozen = abstract_state(decoder, method, mesh)
        backbone, shapes = decoder.backbone, decoder.shapes()
        blocks = backbone.transformer_layers
        self._fsdp, self._tensor = mesh.shape["fsdp"], mesh.shape["tensor"]
        self._compute = jnp.dtype(decoder.compute_dtype).itemsize
        self._in_blocks, self._whole = method in BLOCK_BY_BLOCK, method != "lora"
        self.fixed = {
            "weights": bytes_on_one_device((state.params, frozen)),
            "optimizer": bytes_on_one_device(state.optimizer),
            "gradients": 0 if self._in_blocks else bytes_on_one_device(state.params),
        }
        # A product needs its weights whole, and in the format it is computed in.
        mixed = decoder.dtype_policy.startswith("mixed_")
        self._copied = self._compute if self._fsdp > 1 or mixed else 0
        self._vocabulary, self._hidden = backbone.vocabulary_size, backbone.hidden_dim
        self._period = max(int(name[6]) + 1 for name in shapes if name.startswith("group_"))
        self._kept_inputs = decoder.num_groups + len(blocks) % self._period
        self._group = sum(
            math.prod(x.shape[1:]) for name, x in shapes.items() if name.startswith("group_")
        )
        self._heads = backbone.num_query_heads
        projected = 2 * (self._heads + backbone.num_key_value_heads) * blocks[0].attention.head_dim
        ffn = shapes["group_0/ffw_linear/kernel"].shape[-2]
        self._block_width = 4 * self._hidden + projected + 3 * ffn

    def need(self, setting: Setting) -> Need:
        """Bytes for a batch."""
        rows, length = setting.rows, setting.length
        tokens = -(-rows // self._fsdp) * length
        embedding = self._vocabulary * self._hidden // self._tensor
        head_gradient = 4 if self._whole and not self._in_blocks and self._fsdp > 1 else 0
        chunk = max(1, min(length, CHUNK_TOKENS // rows)) * tokens // length
        # XLA fuses more of the softmax where scores are bfloat16.
        scores = self._heads * length * (2 if self._compute == 2 else 3)
        block = tokens * (self._block_width + scores) * self._compute
        blocks = self._period * block // self._tensor
        group_weights = self._group * (self._copied + self._compute * self._whole) // self._tensor
        inputs = (self._kept_inputs + 2) * tokens * self._hidden * self._compute
        fixed = self.fixed
        if setting.accumulation > 1:
            # The sum so far, and the gradient of a micro-batch.
            fixed = {**fixed, "gradients": 2 * fixed["gradients"]}
        kept = {"block inputs": inputs} if setting.rematerialise else {}
        if not setting.rematerialise:
            kept["activations"] = inputs + blocks * self._kept_inputs
        return Need(
            kept={**fixed, **kept},
            passing={
                "one group of blocks": blocks + group_weights,
                "loss": chunk * self._vocabulary * (8 + self._compute) // self._tensor
                + embedding * (self._copied + head_gradient),
            },
        )


def bytes_on_one_device(tree) -> int:
    """Bytes of arrays or shapes that have a sharding, of the shard of one device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )


# --- search ---


def largest(estimate: Estimate, machine: Accelerator, length=ROW_LENGTH) -> Setting | None:
    """The most rows of a length that fit; shorter rows only where not one of it does.

    Args:
        estimate: of the model and the method.
        machine: one of `DEVICES`, or `runtime.accelerator()`.
        length: tokens a row.

    Returns:
        A `Setting`, or None when nothing fits.
    """
    sizes = [(rows * machine.count, length) for rows in _ROWS] + _shorter(length, machine)
    return _first_that_fits(estimate, [Setting(estimate.method, *size) for size in sizes], machine)


def nearest(shape: tuple[str, dict], wanted: Setting, machine: Accelerator) -> Setting | None:
    """The setting nearest to one that does not fit.

    In this order: blocks rematerialised, fewer rows, shorter rows, another method.

    Args:
        shape: KerasHub backbone class and its arguments, as in `models.CONFIGS`.
        wanted: what does not fit.
        machine: as for `largest`.

    Returns:
        A `Setting`, or None when nothing fits.
    """
    sizes, rows = [(wanted.rows, wanted.length)], wanted.rows // 2
    while rows >= machine.count:
        sizes.append((rows, wanted.length))
        rows //= 2
    sizes += _shorter(wanted.length, machine)
    for method in [wanted.method, *(method for method in METHODS if method != wanted.method)]:
        accumulation = 1 if method in BLOCK_BY_BLOCK else wanted.accumulation
        settings = [Setting(method, *size, accumulation) for size in sizes]
        settings = [setting for setting in settings if setting != wanted]
        estimate = Estimate(
            abstract_decoder(shape, dtype_policy(method, machine)), method, mesh_of(machine)
        )
        if found := _first_that_fits(estimate, settings, machine):
            return found
    return None


def _shorter(length: int, machine: Accelerator) -> list[tuple[int, int]]:
    lengths = []
    while (length := length // 2) >= SHORTEST_ROW:
        lengths.append((machine.count, length))
    return lengths


def _first_that_fits(
    estimate: Estimate, settings: list[Setting], machine: Accelerator
) -> Setting | None:
    enough = (x for x in settings if estimate.need(x).total <= machine.memory_bytes)
    return next(enough, None)


def check_fits(
    model: Model, wanted: Setting, mesh=None, machine: Accelerator | None = None
) -> None:
    """Refuse to start what will not fit, before anything is allocated.

    Args:
        model: what is to be trained; its own number format counts.
        wanted: how.
        mesh: where; one device by default.
        machine: what on; by default what JAX computes on.

    Raises:
        UserError: it needs more than a device has; names the nearest setting that fits.
    """
    machine = machine or _this_machine()
    if machine.memory_bytes is None:
        return
    mesh = mesh or AbstractMesh((1, 1), ("fsdp", "tensor"))
    need = Estimate(model.decoder, wanted.method, mesh).need(wanted)
    if need.total <= machine.memory_bytes:
        return
    kinds = ", ".join(f"{kind} {size / GIB:.1f}" for kind, size in need.kept.items())
    instead = nearest((model.kind, model.config), wanted, machine)
    hint = ""
    if machine.kind == "gpu" and "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
        hint = (
            " JAX takes three quarters of a GPU: XLA_PYTHON_CLIENT_MEM_FRACTION=0.95 in the "
            "environment gives it more."
        )
    raise UserError(
        f"{model.name} by {wanted} needs about {need.total / GIB:.1f} GiB of each device "
        f"({kinds} GiB, and up to {max(need.passing.values()) / GIB:.1f} in passing); "
        f"{machine.name} has {machine.memory_bytes / GIB:.1f}. "
        + (f"What fits: {instead}." if instead else "No method of the course fits it there.")
        + hint
    )


def _this_machine() -> Accelerator:
    machine = runtime.accelerator()
    if machine.kind != "cpu" or machine.memory_bytes is None:
        return machine
    # Devices of a CPU are simulated: they share the machine's memory.
    return dataclasses.replace(machine, memory_bytes=machine.memory_bytes // machine.count)
