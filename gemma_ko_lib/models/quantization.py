"""A frozen base kept in int8 or int4.

    kernel_int8 [out, in], or kernel_int4 [in/2, out], rows 2i and 2i+1 in one byte
    kernel_scale [in / rows a group, out] bfloat16

stand in the place of a layer's "kernel" (see `kernels` for [in, out]; stacked weights have
their leading axis). Each group of rows of a column has one scale, its largest absolute value
over 127 or 7. int8 takes a column as one group; int4 takes 32 rows, 4.5 bits a weight. Norms
and the embedding stay as they are. The base is for frozen use: integers have no gradient.
"""

import functools
import math

import jax
import jax.numpy as jnp

from gemma_ko_lib.models import kernels
from gemma_ko_lib.runtime import UserError

INT4_GROUP = 32
_LARGEST = {8: 127, 4: 7}


def quantize(params: dict, bits: int) -> dict:
    """Weights with every block's kernels quantised; everything else is passed on.

    OLoRA changes its base: add its adapters first, and quantise what it has left frozen.

    Args:
        params: in the decoder's layout; they are not changed.
        bits: 8 or 4.

    Raises:
        UserError: another number of bits.
    """
    if bits not in _LARGEST:
        raise UserError(f"A base is quantised to 8 or 4 bits, not {bits}.")
    quantised = dict(params)
    for path, projection in kernels.projections_in(params):
        if f"{path}/kernel" in params:
            matrix = kernels.to_matrix(projection, quantised.pop(f"{path}/kernel"))
            stored, scale = _quantize_matrix(matrix, bits)
            quantised[f"{path}/kernel_int{bits}"] = stored
            quantised[f"{path}/kernel_scale"] = scale
    return quantised


def to_int8(x, axis: int):
    """Integers of -127 to 127 and their float32 scale, which is the same along an axis."""
    x = x.astype("float32")
    scale = jnp.maximum(jnp.max(jnp.abs(x), axis, keepdims=True), 1e-30) / 127
    return jnp.round(x / scale).astype("int8"), scale


def dequantize(params: dict, shapes: dict) -> dict:
    """Plain kernels again, with the values that the quantised ones stand for.

    Args:
        params: from `quantize`.
        shapes: of the plain weights, as from `Decoder.shapes`.
    """
    plain = dict(params)
    for path, projection in kernels.projections_in(params):
        if f"{path}/kernel_scale" in params:
            bits = 8 if f"{path}/kernel_int8" in params else 4
            stored, scale = plain.pop(f"{path}/kernel_int{bits}"), plain.pop(f"{path}/kernel_scale")
            shape = shapes[f"{path}/kernel"]
            matrix = dequantize_matrix(stored, scale).astype(shape.dtype)
            kernel = kernels.from_matrix(projection, matrix, shape.shape[stored.ndim - 2 :])
            plain[f"{path}/kernel"] = kernel
    return plain


@functools.partial(jax.jit, static_argnames="bits")
def _quantize_matrix(matrix, bits: int):
    """Float [..., in, out] -> (integers, scales)."""
    *stack, rows, columns = matrix.shape
    group = rows if bits == 8 else math.gcd(rows, INT4_GROUP)
    grouped = matrix.astype("float32").reshape(*stack, rows // group, group, columns)
    largest = jnp.max(jnp.abs(grouped), axis=-2, keepdims=True)
    limit = _LARGEST[bits]
    # Rounded to bfloat16, as it is stored, before it divides (the compiler drops a mere cast
    # there and back); zero for an empty group would divide by zero.
    scale = jax.lax.reduce_precision(jnp.maximum(largest / limit, 1e-30), 8, 7)
    integers = jnp.clip(jnp.round(grouped / scale), -limit, limit)
    integers = integers.astype("int8").reshape(*stack, rows, columns)
    scale = scale[..., 0, :].astype("bfloat16")
    return (integers.mT if bits == 8 else _pack(integers)), scale


@jax.jit
def dequantize_matrix(stored, scale):
    """Integers and scales of one layer -> float32 [..., in, out].

    Args:
        stored: int8 [..., out, in], or uint8 [..., in/2, out] with two rows a byte.
        scale: [..., groups, out].
    """
    integers = stored.mT if stored.dtype == jnp.int8 else _unpack(stored)
    *stack, rows, columns = integers.shape
    groups = scale.shape[-2]
    grouped = integers.reshape(*stack, groups, rows // groups, columns).astype("float32")
    return (grouped * scale[..., None, :].astype("float32")).reshape(*stack, rows, columns)


def _pack(integers):
    """int8 [..., in, out] of −7 … 7 -> uint8 [..., in/2, out]."""
    halves = (integers + 8).astype("uint8")
    return halves[..., 0::2, :] | (halves[..., 1::2, :] << 4)


def _unpack(packed):
    *stack, half, columns = packed.shape
    rows = jnp.stack([packed & 15, packed >> 4], axis=-2)
    return rows.reshape(*stack, 2 * half, columns).astype("int8") - 8


@functools.partial(jax.checkpoint, static_argnums=3)
def product(rows, stored, scale, dtype: str):
    """Rows [rows, in] times a quantised matrix.

    Under `jax.checkpoint` the backward pass dequantises again; otherwise the dequantised
    matrix of every group would be kept for it, the whole model in float. `dtype` is that of what
    is multiplied, see `kernels.product`.
    """
    multiply = functools.partial(kernels.product, "ri,io->ro", dtype=dtype)
    if stored.dtype == jnp.int8:
        # One scale a column, so the product may come first. Where the integers are the same for
        # all turns of a loop, as in decoding, the compiler would widen them once, ahead of it,
        # and read floats in every turn; so they are bound to the rows.
        stored, rows = jax.lax.optimization_barrier((stored, rows))
        sums = multiply(rows, stored.mT)
        return sums * scale[..., 0, :].astype(sums.dtype)
    return multiply(rows, dequantize_matrix(stored, scale))
