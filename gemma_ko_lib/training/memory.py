"""Bytes of one device while a model is trained, by what they are for.

Weights and optimiser are counted from the state of the real update; what comes and goes within
a step is estimated from the model's shapes. `plan` searches with these figures for what fits;
`step_compiler` asks a compiler instead.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh

from gemma_ko_lib.models import keras_hub_blocks
from gemma_ko_lib.models.decoder import Decoder, of_blocks
from gemma_ko_lib.models.sharding import BLOCKS
from gemma_ko_lib.runtime import Accelerator
from gemma_ko_lib.training.loss import CHUNK_TOKENS
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.size import Batching

GIB = 2**30


def mesh_of(machine: Accelerator) -> AbstractMesh:
    """The mesh that training makes of a machine: fully sharded over all its devices."""
    return AbstractMesh((machine.count, 1), ("fsdp", "tensor"))


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
    """What training a model by a method needs of one device.

    Args:
        decoder: the model; its dtype policy says what weights and activations are kept in.
        method: how it is trained.
        mesh: real or abstract, see `mesh_of`.

    Attributes:
        fixed: bytes by kind that no batch changes.
    """

    def __init__(self, decoder: Decoder, method: Method, mesh):
        state, frozen = method.abstract(decoder, mesh)
        backbone, blocks, shapes = decoder.backbone, decoder.blocks, decoder.shapes()
        self._fsdp, self._tensor = mesh.shape["fsdp"], mesh.shape["tensor"]
        self._compute = jnp.dtype(decoder.compute_dtype).itemsize
        self._product = jnp.dtype(decoder.product_dtype).itemsize
        self._in_blocks, self._whole = method.in_blocks, not method.lora
        self._embedding = self._whole or bool(method.embedding_rate)
        self.fixed = {
            "weights": bytes_on_one_device((state.params, frozen)),
            "optimizer": bytes_on_one_device(state.optimizer),
            "gradients": 0 if self._in_blocks else bytes_on_one_device(state.params),
        }
        # A product needs its weights whole, and in the format it is computed in.
        mixed = decoder.dtype_policy.startswith("mixed_")
        self._copied = self._product if self._fsdp > 1 or mixed else 0
        self._vocabulary, self._hidden = backbone.vocabulary_size, backbone.hidden_dim
        self._layers = len(blocks)
        self._in_block = sum(math.prod(x.shape[1:]) for x in of_blocks(shapes).values())
        # A quantised kernel is widened to float32, then to what it is computed in, one at a time.
        kernels = [math.prod(x.shape[1:]) for n, x in shapes.items() if n.endswith("/kernel")]
        self._widened = (4 + self._product) * max(kernels) if method.base else 0
        self._heads = backbone.num_query_heads
        windows = {keras_hub_blocks.window(block) for block in blocks}
        # Where local and global layers are one program, it has room for the scores of both.
        self._window = max(windows - {None}) if len(windows) > 1 else None
        projected = 2 * (self._heads + backbone.num_key_value_heads) * blocks[0].attention.head_dim
        ffn = shapes[f"{BLOCKS}ffw_linear/kernel"].shape[-2]
        self._block_width = 4 * self._hidden + projected + 3 * ffn

    def need(self, batching: Batching) -> Need:
        """Bytes for an update that is cut in some way."""
        rows, length = batching.rows, batching.length
        tokens = -(-rows // self._fsdp) * length
        embedding = self._vocabulary * self._hidden // self._tensor
        head_gradient = 4 if self._embedding and not self._in_blocks and self._fsdp > 1 else 0
        chunk = max(1, min(length, CHUNK_TOKENS // rows)) * tokens // length
        # XLA fuses more of the softmax where scores are bfloat16.
        seen = length
        if self._window is not None and length > 2 * self._window:
            seen += 2 * self._window
        scores = self._heads * seen * (2 if self._compute == 2 else 3)
        block = tokens * (self._block_width + scores) * self._compute
        if self._product < self._compute:  # what enters a product is there in both formats
            block += tokens * (self._block_width + self._heads * seen) * self._product
        block //= self._tensor
        copies = self._in_block * (self._copied + self._compute * self._whole) + self._widened
        inputs = (self._layers + 2) * tokens * self._hidden * self._compute
        rematerialise = batching.rematerialise or self._in_blocks  # LOMO keeps inputs only
        fixed = self.fixed
        if batching.accumulation > 1:
            # The sum so far, and the gradient of a micro-batch.
            fixed = {**fixed, "gradients": 2 * fixed["gradients"]}
        if rematerialise:
            kept = {"block inputs": inputs}
        else:
            kept = {"activations": inputs + block * self._layers}
        return Need(
            kept={**fixed, **kept},
            passing={
                "one block": 2 * block + copies // self._tensor,  # what it computes, its gradient
                "loss": chunk * self._vocabulary * (8 + self._product) // self._tensor
                + embedding * (self._copied + head_gradient),
            },
        )


def bytes_on_one_device(tree) -> int:
    """Bytes of arrays or shapes that have a sharding, of the shard of one device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )
