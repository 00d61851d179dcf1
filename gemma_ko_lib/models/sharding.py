"""Where each weight lives on a mesh of devices: ours for every Gemma shape.

Two axes: "fsdp" splits weights for storage and the batch for work, "tensor" splits heads and
FFN width. A parameter that no rule names is an error, never a silent copy on every device.
"""

import re

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# (pattern of the weight's name without its group, axes of the weight itself)
_RULES: list[tuple[str, tuple]] = [
    (r"token_embedding/embeddings", ("tensor", "fsdp")),
    (r"attention/query/kernel", ("tensor", "fsdp", None)),
    (r"attention/(key|value)/kernel", ("tensor", "fsdp", None)),
    (r"attention/attention_output/kernel", ("tensor", None, "fsdp")),
    (r"ffw_gating(_2)?/kernel", ("fsdp", "tensor")),
    (r"ffw_linear/kernel", ("tensor", "fsdp")),
    (r".*norm(alization)?/scale", (None,)),
]


def make_mesh(fsdp: int | None = None, tensor: int = 1) -> Mesh:
    """A mesh over all devices.

    Args:
        fsdp: size of the fully-sharded axis; by default whatever `tensor` leaves.
        tensor: size of the tensor axis.

    Raises:
        ValueError: the two do not multiply to the number of devices.
    """
    devices = jax.devices()
    fsdp = fsdp or len(devices) // tensor
    if fsdp * tensor != len(devices):
        raise ValueError(
            f"fsdp {fsdp} × tensor {tensor} is not the {len(devices)} devices there are"
        )
    return Mesh(np.array(devices).reshape(fsdp, tensor), ("fsdp", "tensor"))


def shardings(shapes: dict, mesh: Mesh) -> dict[str, NamedSharding]:
    """The sharding of each weight by its name.

    An axis that does not divide (one key/value head over four devices) stays whole.

    Args:
        shapes: name -> anything with a `shape`, as from `Decoder.shapes`.

    Raises:
        ValueError: a name that no rule covers.
    """
    return {name: NamedSharding(mesh, _spec(name, x.shape, mesh)) for name, x in shapes.items()}


def _spec(name: str, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    stacked = name.startswith("group_")
    inner = re.sub(r"^(group|tail)_\d+/", "", name)
    axes = next((axes for pattern, axes in _RULES if re.fullmatch(pattern, inner)), None)
    if axes is None:
        raise ValueError(f"No sharding rule for the parameter '{name}' {shape}; add one to _RULES.")
    sizes = shape[1:] if stacked else shape
    fitted = [
        axis if axis and size % mesh.shape[axis] == 0 else None
        for axis, size in zip(axes, sizes, strict=True)
    ]
    return PartitionSpec(*([None] if stacked else []), *fitted)


def place(params: dict, mesh: Mesh | None = None) -> dict:
    """Put weights on the mesh by the rules, or whole on the first device."""
    if mesh is None:
        return jax.device_put(params, jax.devices()[0])
    return jax.device_put(params, shardings(params, mesh))
