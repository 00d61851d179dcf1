"""The training methods of the course on shapes only: their real updates, and nothing allocated.

A model without weights and a mesh come in; the jitted update and the shapes of its arguments,
each with its place on the mesh, go out, ready to be counted (`memory`) or compiled
(`step_compiler`).
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from gemma_ko_lib.models import Decoder, shardings
from gemma_ko_lib.models.adapters import Lora, add_adapters
from gemma_ko_lib.training import lomo, loop
from gemma_ko_lib.training.optimizer import adamw, learning_rate_schedule
from gemma_ko_lib.training.pretrain import next_token_loss

METHODS = ("full", "lora", "adalomo", "lomo")
# The methods that apply gradients block by block, and whether they are adaptive.
BLOCK_BY_BLOCK = {"adalomo": True, "lomo": False}
LORA = Lora(rank=16, alpha=32)

_SCHEDULE = learning_rate_schedule(1e-5, steps=1000, warmup_steps=100)
_ADAMW = adamw(_SCHEDULE)


@dataclasses.dataclass(frozen=True)
class Setting:
    """How to train.

    Attributes:
        method: one of `METHODS`.
        rows: rows of a micro-batch, over all devices.
        length: tokens a row.
        accumulation: micro-batches an update.
        rematerialise: compute blocks twice, so that only their inputs are kept.
    """

    method: str
    rows: int
    length: int
    accumulation: int = 1
    rematerialise: bool = True

    def __str__(self):
        size = f"{title(self.method)}, {self.rows} × {self.length:,} tokens"
        if self.accumulation > 1:
            size += f" ({self.accumulation} times an update)"
        return size if self.rematerialise else f"{size}, blocks not rematerialised"


def title(method: str) -> str:
    """The method's name for people."""
    return {
        "full": "full AdamW",
        "lora": f"LoRA (rank {LORA.rank})",
        "lomo": "LOMO",
        "adalomo": "AdaLomo",
    }[method]


def abstract_state(decoder: Decoder, method: str, mesh):
    """Shapes of the state at step 0, and of the weights that take part untrained.

    Args:
        decoder: the model; its weights may be shapes only.
        method: one of `METHODS`.
        mesh: real or abstract.

    Returns:
        (`TrainState`, frozen weights by name) of `jax.ShapeDtypeStruct`s with shardings.
    """
    trained, frozen = decoder.shapes(), {}
    if method in BLOCK_BY_BLOCK:
        state = jax.eval_shape(
            functools.partial(lomo.lomo_state, adaptive=BLOCK_BY_BLOCK[method]), trained
        )
        return _placed(state, lomo.lomo_places(state, mesh)), frozen
    if method == "lora":
        frozen, trained = jax.eval_shape(lambda params: add_adapters(params, LORA), trained)
    state = jax.eval_shape(
        lambda params: loop.TrainState(jnp.zeros((), jnp.int32), params, _ADAMW.init(params)),
        trained,
    )
    return _placed(state, loop._places(state, mesh)), _placed(frozen, shardings(frozen, mesh))


def abstract_update(decoder: Decoder, method: str, rows: int, length: int, mesh):
    """The update of a training method and the shapes of its arguments.

    Args:
        decoder: as for `abstract_state`.
        method: as for `abstract_state`.
        rows: rows of the batch, over all devices.
        length: tokens a row.
        mesh: as for `abstract_state`.

    Returns:
        The jitted update, and (state, batch, frozen weights) as shapes.
    """
    state, frozen = abstract_state(decoder, method, mesh)
    if method in BLOCK_BY_BLOCK:
        update = lomo.make_lomo_update(decoder, _SCHEDULE, adaptive=BLOCK_BY_BLOCK[method])
    else:
        update = loop.make_update(next_token_loss(decoder, rematerialise=True), _ADAMW)
    return update, (state, _batch(rows, length, mesh), frozen)


def _placed(shapes, places):
    return jax.tree.map(
        lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), shapes, places
    )


def _batch(rows: int, length: int, mesh) -> dict[str, jax.ShapeDtypeStruct]:
    place = NamedSharding(mesh, PartitionSpec(None, "fsdp"))
    whole = ("token_ids", "segment_ids", "targets")
    kinds = {**dict.fromkeys(whole, "int32"), "loss_weights": "float32"}
    return {
        name: jax.ShapeDtypeStruct((1, rows, length), kind, sharding=place)
        for name, kind in kinds.items()
    }
