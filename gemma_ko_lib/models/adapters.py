"""LoRA and OLoRA: a frozen base and two thin matrices beside each of its kernels.

`add_adapters` splits a model into the frozen base and the adapters, which alone are trained.
`Decoder` computes x·W + α/r·(x·A)·B wherever its weights hold adapters:

    lora_a [in, rank], lora_b [rank, out], lora_scale [] (α/r, frozen)

beside the layer's kernel, with a leading axis over the layers like every stacked weight.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import kernels, quantization
from gemma_ko_lib.models.kernels import PROJECTIONS
from gemma_ko_lib.runtime import UserError

# Names as people say them: the last part of a projection's path.
TARGETS = tuple(projection.rpartition("/")[2] for projection in PROJECTIONS)


@dataclasses.dataclass(frozen=True)
class Lora:
    """Which layers get adapters, and of what kind.

    Attributes:
        rank: r, columns of A.
        alpha: α; the adapters' product counts α/r.
        targets: layers, of `TARGETS`.
        olora: start from the QR decomposition of each kernel (arXiv 2406.01775) instead of
            from random A and zero B (arXiv 2106.09685).

    Raises:
        UserError: a rank below 1, an unknown target, or none.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] = TARGETS
    olora: bool = False

    def __post_init__(self):
        if self.rank < 1:
            raise UserError(f"LoRA's rank must be at least 1, not {self.rank}.")
        unknown = [target for target in self.targets if target not in TARGETS]
        if unknown or not self.targets:
            raise UserError(
                f"LoRA's targets: {', '.join(unknown) or 'none given'}. "
                f"Choose of: {', '.join(TARGETS)}."
            )

    @property
    def scale(self) -> float:
        """α/r."""
        return self.alpha / self.rank


def add_adapters(params: dict, lora: Lora, seed: int = 0) -> tuple[dict, dict]:
    """Split a model into what is frozen and what is trained.

    The function stays what it was: LoRA's B is zero; OLoRA takes its start off the base.
    Both dicts together are weights for `Decoder`; `training.make_update` wants them apart.

    Args:
        params: the model's weights; they are not changed.
        lora: see `Lora`.
        seed: of LoRA's random A; OLoRA draws nothing.

    Returns:
        (frozen, adapters). Adapters are float32, whatever the base is kept in.

    Raises:
        UserError: a rank that a layer's matrix does not have; a quantised base.
    """
    frozen, adapters = dict(params), {}
    key = jax.random.key(seed)
    for index, (path, projection) in enumerate(_targeted(params, lora)):
        kernel = _plain_kernel(params, path)
        matrix = jax.eval_shape(functools.partial(kernels.to_matrix, projection), kernel)
        *stack, rows, columns = matrix.shape
        if lora.rank > min(rows, columns):
            raise UserError(
                f"LoRA's rank {lora.rank} is more than {path} has, a matrix of {rows} × {columns}."
            )
        if lora.olora:
            a, b = _orthonormal_start(projection, kernel, lora.rank)
            frozen[f"{path}/kernel"] = _plus(projection, kernel, a, b, -lora.scale)
        else:
            bound, shape = rows**-0.5, (*stack, rows, lora.rank)
            # Drawn flat: the same numbers, compiled several times sooner on a CPU.
            here, flat = jax.random.fold_in(key, index), (math.prod(shape),)
            a = jax.random.uniform(here, flat, "float32", -bound, bound).reshape(shape)
            b = jnp.zeros((*stack, lora.rank, columns), "float32")
        adapters[f"{path}/lora_a"], adapters[f"{path}/lora_b"] = a, b
        frozen[f"{path}/lora_scale"] = jnp.full(a.shape[:-2], lora.scale, "float32")
    return frozen, adapters


def merge(frozen: dict, adapters: dict) -> dict:
    """One plain model that computes what base and adapters do: W + α/r·A·B.

    Args:
        frozen: from `add_adapters`.
        adapters: trained.

    Raises:
        UserError: the base is quantised.
    """
    merged = {name: w for name, w in frozen.items() if not name.endswith("/lora_scale")}
    for path, projection in kernels.projections_in(adapters):
        a, b = adapters[f"{path}/lora_a"], adapters[f"{path}/lora_b"]
        scale = frozen[f"{path}/lora_scale"].reshape(-1)[0]
        merged[f"{path}/kernel"] = _plus(projection, _plain_kernel(frozen, path), a, b, scale)
    return merged


def run_projection(
    projection: str, kernel_shape: tuple[int, ...], weights: dict, x, dtype: str | None = None
):
    """What a linear layer computes, by the weights that are there for it.

    Args:
        projection: one of `kernels.PROJECTIONS`.
        kernel_shape: of the layer's kernel.
        weights: those of the block, by name.
        x: the layer's input, [batch, length, …].
        dtype: of what is multiplied, see `kernels.product`; that of x by default.
    """
    dtype = dtype or str(x.dtype)
    multiply = functools.partial(kernels.product, "ri,io->ro", dtype=dtype)
    rows = kernels.input_rows(projection, x)
    if f"{projection}/kernel_scale" in weights:
        bits = 8 if f"{projection}/kernel_int8" in weights else 4
        stored = weights[f"{projection}/kernel_int{bits}"]
        y = quantization.product(rows, stored, weights[f"{projection}/kernel_scale"], dtype)
    elif f"{projection}/matrix" in weights:  # from `kv_cache.lay_out`
        y = multiply(rows, weights[f"{projection}/matrix"].mT)
    else:
        y = multiply(rows, kernels.to_matrix(projection, weights[f"{projection}/kernel"]))
    if f"{projection}/lora_a" in weights:
        a, b, scale = (weights[f"{projection}/lora_{part}"] for part in ("a", "b", "scale"))
        # Two thin products, not one with W + scale·A·B: neither that sum nor its gradient, both
        # as large as W, is ever formed.
        low_rank = multiply(rows, a) * scale.astype(x.dtype)
        y += multiply(low_rank, b)
    return y.reshape(kernels.output_shape(projection, x, kernel_shape))


def _plain_kernel(params: dict, path: str):
    if f"{path}/kernel" in params:
        return params[f"{path}/kernel"]
    raise UserError(
        f"{path} is quantised. Add adapters first and quantise what is frozen then; merge into "
        "the base as it was before, or into models.dequantize(frozen, decoder.shapes())."
    )


def _targeted(params: dict, lora: Lora):
    for path, projection in kernels.projections_in(params):
        if projection.rpartition("/")[2] in lora.targets:
            yield path, projection


def _orthonormal_start(projection: str, kernel, rank: int):
    """OLoRA's A and B: with QR = Wᵀ [out, in], B is Q's first columns and A is R's first rows.

    The first columns of Q depend on the first columns of Wᵀ only, so a thin QR gives them.
    """
    transposed = kernels.to_matrix(projection, kernel.astype("float32")).mT
    with jax.default_matmul_precision("highest"):
        q, _ = jnp.linalg.qr(transposed[..., :rank])
        r = q.mT @ transposed
    return r.mT, q.mT


def _plus(projection: str, kernel, a, b, scale):
    """W + scale·A·B in the kernel's layout and number format."""
    with jax.default_matmul_precision("highest"):
        change = kernels.from_matrix(projection, a @ b, kernel.shape[a.ndim - 2 :])
    return (kernel.astype("float32") + scale * change).astype(kernel.dtype)
