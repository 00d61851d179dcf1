"""Where each weight lives on a mesh of devices: ours for every Gemma shape.

Two axes: "fsdp" splits weights for storage and the batch for work, "tensor" splits heads and
FFN width. A parameter that no rule names is an error, never a silent copy on every device.
The devices may belong to several processes (hosts): each holds its own pieces only.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# What the names of weights begin with that are stacked over the layers; and the tied embedding.
BLOCKS = "blocks/"
EMBEDDING = "token_embedding/embeddings"

# (pattern of the weight's name inside its block, axes of the weight itself)
_RULES: list[tuple[str, tuple]] = [
    (EMBEDDING, ("tensor", "fsdp")),
    (r"attention/query/kernel", ("tensor", "fsdp", None)),
    (r"attention/(key|value)/kernel", ("tensor", "fsdp", None)),
    (r"attention/attention_output/kernel", ("tensor", None, "fsdp")),
    (r"ffw_gating(_2)?/kernel", ("fsdp", "tensor")),
    (r"ffw_linear/kernel", ("tensor", "fsdp")),
    (r".*norm(alization)?/scale", (None,)),
    # Adapters: the wide axis of each matrix as in its kernel.
    (r"(attention/(query|key|value)|ffw_gating(_2)?)/lora_a", ("fsdp", None)),
    (r"(attention/(query|key|value)|ffw_gating(_2)?)/lora_b", (None, "tensor")),
    (r"(attention/attention_output|ffw_linear)/lora_a", ("tensor", None)),
    (r"(attention/attention_output|ffw_linear)/lora_b", (None, "fsdp")),
    (r".*/lora_scale", ()),
    # Quantised kernels and their scales, matrices [in, out]; but int8 [out, in].
    (r"(attention/(query|key|value)|ffw_gating(_2)?)/kernel_int8", ("tensor", "fsdp")),
    (r"(attention/attention_output|ffw_linear)/kernel_int8", ("fsdp", "tensor")),
    (r"(attention/(query|key|value)|ffw_gating(_2)?)/kernel_\w+", ("fsdp", "tensor")),
    (r"(attention/attention_output|ffw_linear)/kernel_\w+", ("tensor", "fsdp")),
    # RecurrentGemma, by the names of Google's files. Its heads are also the blocks of the
    # gates, so "tensor" splits the width of the recurrence where it splits them.
    (r"embedder/input_embedding", ("tensor", "fsdp")),
    (r"attention_block/proj_q/kernel", ("fsdp", "tensor")),
    (r"attention_block/proj_[kv]/kernel", ("fsdp", None)),
    (r"attention_block/proj_final/kernel", ("tensor", "fsdp")),
    (r"recurrent_block/linear_[xy]/kernel", ("fsdp", "tensor")),
    (r"recurrent_block/linear_[xy]/bias", ("tensor",)),
    (r"recurrent_block/linear_out/kernel", ("tensor", "fsdp")),
    (r"recurrent_block/conv_1d/w", (None, "tensor")),
    (r"recurrent_block/(conv_1d/b|rg_lru/a_param)", ("tensor",)),
    (r"recurrent_block/rg_lru/(a|input)_gate/w", ("tensor", "fsdp", None)),
    (r"recurrent_block/rg_lru/(a|input)_gate/b", ("tensor", None)),
    (r"mlp_block/ffw_up/w", (None, "fsdp", "tensor")),
    (r"mlp_block/ffw_up/b", (None, None, None, "tensor")),
    (r"mlp_block/ffw_down/kernel", ("tensor", "fsdp")),
    (r"(attention_block/proj_final|recurrent_block/linear_out|mlp_block/ffw_down)/bias", (None,)),
]


def make_mesh(fsdp: int | None = None, tensor: int = 1) -> Mesh:
    """A mesh over all devices, those of other processes included.

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
    stacked = name.startswith(BLOCKS)
    inner = re.sub(r"^blocks(\.\d+)?/", "", name)
    axes = next((axes for pattern, axes in _RULES if re.fullmatch(pattern, inner)), None)
    if axes is None:
        raise ValueError(f"No sharding rule for the parameter '{name}' {shape}; add one to _RULES.")
    sizes = shape[1:] if stacked else shape
    fitted = [
        axis if axis and size % mesh.shape[axis] == 0 else None
        for axis, size in zip(axes, sizes, strict=True)
    ]
    return PartitionSpec(*([None] if stacked else []), *fitted)


def place(params: dict, mesh: Mesh | None = None, copy: bool = False) -> dict:
    """Put weights on the mesh by the rules, or whole on the first device.

    Every process gives the same weights and keeps its devices' pieces.

    Args:
        params: weights by name.
        mesh: devices, or None for the first.
        copy: never share memory with `params`, also where they are in place already.
    """
    places = shardings(params, mesh) if mesh else jax.devices()[0]
    if copy:
        params = {name: _own(weight) for name, weight in params.items()}
    if jax.process_count() == 1:
        return jax.device_put(params, places)
    # device_put would send every weight through the network, to compare the processes' copies.
    whole = {name: np.asarray(weight) for name, weight in params.items()}
    return {
        name: jax.make_array_from_callback(weight.shape, places[name], weight.__getitem__)
        for name, weight in whole.items()
    }


def _own(weight):
    """A copy of an array that `device_put` would hand on, for it is on such a device already.

    (Its own `may_alias=False` leaves the first device of a replicated array without a copy.)
    """
    here = isinstance(weight, jax.Array) and weight.devices() & set(jax.devices())
    return jnp.copy(weight) if here else weight


def gather(params: dict) -> dict:
    """The inverse of `place` for the weights of several processes: whole, in host memory.

    All processes must call it, for all send their pieces; the first alone keeps what it gets
    (the others return an empty dict). Stacked weights travel block by block, so that no device
    has to hold a whole stack. Weights of a single process are returned as they are.
    """
    if jax.process_count() == 1:
        return params
    keep = jax.process_index() == 0
    whole = {}
    for name, weight in params.items():
        stacked = name.startswith(BLOCKS)
        for index in range(len(weight)) if stacked else [...]:
            piece = multihost_utils.process_allgather(weight[index], tiled=True)
            if keep and stacked:
                whole.setdefault(name, np.empty(weight.shape, weight.dtype))[index] = piece
            elif keep:
                whole[name] = piece
    return whole


def traced_on(mesh: Mesh | None, function):
    """A function for `jax.jit` within which `split_rows` knows the mesh; itself for None."""
    if mesh is None:
        return function

    @functools.wraps(function)
    def on_mesh(*arguments):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*arguments)

    return on_mesh


def split_rows(x):
    """Hold activations [rows, …] split by rows over "fsdp", in a function traced on a mesh.

    The compiler, left to itself, may split them as the weights are split, by width, with every
    row on every device.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return x
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec("fsdp")))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch [micro-batches, rows, …]: its rows over "fsdp"."""
    return NamedSharding(mesh, PartitionSpec(None, "fsdp"))
