"""The linear layers of a block, their kernels as matrices, and the products they take part in.

KerasHub keeps its kernels in three layouts (query [heads, d_model, head_dim], …). Adapters and
quantised kernels are matrices [in, out], so that one rule serves all seven layers of a block.
"""

import functools
import re
from collections.abc import Iterator

import jax
import jax.numpy as jnp

# In the order a block runs them, and the attribute under which KerasHub's attention or block
# holds each layer.
OF_ATTENTION = {
    "attention/query": "query_dense",
    "attention/key": "key_dense",
    "attention/value": "value_dense",
    "attention/attention_output": "output_dense",
}
OF_BLOCK = {
    "ffw_gating": "gating_ffw",
    "ffw_gating_2": "gating_ffw_2",
    "ffw_linear": "ffw_linear",
}
PROJECTIONS = (*OF_ATTENTION, *OF_BLOCK)


def split(name: str) -> tuple[str, str, str] | None:
    """A weight's name -> (block, projection, part), e.g. ("blocks", "ffw_linear", "kernel").

    None for a weight of no projection, such as a norm's scale.
    """
    block, _, rest = name.partition("/")
    projection, _, part = rest.rpartition("/")
    return (block, projection, part) if projection in PROJECTIONS else None


def projections_in(params: dict) -> Iterator[tuple[str, str]]:
    """(path, projection) of every linear layer that has weights here, in the order of names."""
    found = {(f"{s[0]}/{s[1]}", s[1]) for name in params if (s := split(name))}
    yield from sorted(found)


def to_matrix(projection: str, kernel):
    """A kernel as [..., in, out]; the axis of a stack over the layers stays in front.

    Args:
        projection: one of `PROJECTIONS`.
        kernel: in KerasHub's layout.
    """
    if projection.startswith("ffw"):
        return kernel
    if projection == "attention/attention_output":
        *stack, heads, head_dim, d_model = kernel.shape
        return kernel.reshape(*stack, heads * head_dim, d_model)
    *stack, heads, d_model, head_dim = kernel.shape
    return jnp.moveaxis(kernel, -3, -2).reshape(*stack, d_model, heads * head_dim)


def from_matrix(projection: str, matrix, shape: tuple[int, ...]):
    """The inverse of `to_matrix`.

    Args:
        projection: as there.
        matrix: [..., in, out].
        shape: of the kernel of one block.
    """
    stack = matrix.shape[:-2]
    if projection in PROJECTIONS[:3]:
        heads, d_model, head_dim = shape
        return jnp.moveaxis(matrix.reshape(*stack, d_model, heads, head_dim), -2, -3)
    return matrix.reshape(*stack, *shape)


def input_rows(projection: str, x):
    """A layer's input [batch, length, …] as rows [batch·length, in], heads side by side.

    Products of plain matrices, also in the backward pass: with two axes of rows the compiler
    transposes activations to get there.
    """
    heads_last = projection == "attention/attention_output"
    return x.reshape(-1, x.shape[-2] * x.shape[-1] if heads_last else x.shape[-1])


def output_shape(projection: str, x, kernel_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a layer's output for an input: query, key and value by heads."""
    if projection in PROJECTIONS[:3]:
        return (*x.shape[:2], kernel_shape[0], kernel_shape[2])
    return (*x.shape[:2], kernel_shape[-1])


def soft_capped(logits, cap: float | None):
    """cap·tanh(logits / cap) (Gemma 2, arXiv 2408.00118), or the logits where there is no cap."""
    return logits if cap is None else cap * jnp.tanh(logits / cap)


def product_dtype(layer) -> str:
    """Number format of what a Keras layer multiplies: that of its activations, or float16."""
    return getattr(layer.dtype_policy, "product_dtype", layer.compute_dtype)


def product(subscripts: str, a, b, dtype: str):
    """`jnp.einsum` of two operands that are cast to `dtype` first.

    In float16 the sum is float32, and so are both gradients, which are products of float16 too:
    that is what the tensor cores of GPUs without bfloat16 compute. All that a product reads and
    gives lies far inside float16's range in Gemma; the residual stream and sums over many tokens
    do not (arXiv 1710.03740).

    Args:
        subscripts: "ri,io->ro" for plain matrices; every index stands in two of the three.
        a: the first operand.
        b: the second.
        dtype: of the operands.
    """
    if dtype == "float16":
        return _float16_product(subscripts, a, b)
    return jnp.einsum(subscripts, a.astype(dtype), b.astype(dtype))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _float16_product(subscripts, a, b):
    a, b = a.astype("float16"), b.astype("float16")
    return jnp.einsum(subscripts, a, b, preferred_element_type="float32")


def _float16_forward(subscripts, a, b):
    return _float16_product(subscripts, a, b), (a, b)


def _float16_backward(subscripts, operands, cotangent):
    (a, b), (of_a, of_b, of_c) = operands, re.split(",|->", subscripts)
    a_gradient = _float16_product(f"{of_c},{of_b}->{of_a}", cotangent, b)
    b_gradient = _float16_product(f"{of_a},{of_c}->{of_b}", a, cotangent)
    return a_gradient.astype(a.dtype), b_gradient.astype(b.dtype)


_float16_product.defvjp(_float16_forward, _float16_backward)


def times_rows(x, table):
    """Products of vectors [..., d] with every row of a table [rows, d]: float32 [..., rows].

    Compilers for CPUs before jaxlib 0.10 have no such product of two bfloat16 arrays; there the
    operands become float32.
    """

    def product(x, table):
        dimensions = (((x.ndim - 1,), (1,)), ((), ()))
        return jax.lax.dot_general(x, table, dimensions, preferred_element_type=jnp.float32)

    def wide_product(x, table):
        return product(x.astype(jnp.float32), table.astype(jnp.float32))

    if x.dtype == jnp.bfloat16 and jax.__version_info__ < (0, 10):
        return jax.lax.platform_dependent(x, table, cpu=wide_product, default=product)
    return product(x, table)
