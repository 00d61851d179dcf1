"""The course's five ways of training a model, each defined here and nowhere else.

    full      every weight, by AdamW
    lora      two thin matrices beside each kernel of a frozen base (arXiv 2106.09685)
    olora     the same, started from the QR decomposition of each kernel (arXiv 2406.01775)
    lomo      every weight, each gradient applied as soon as it is there (arXiv 2306.09782)
    adalomo   the same, with factored second moments (arXiv 2310.10195)

A `Method` says in which number format a device keeps the weights, which of them are trained,
how an update changes them and how they become a plain model again. The trainers call it with
arrays; the planner and the TPU compiler call the same functions with shapes.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from gemma_ko_lib import runtime
from gemma_ko_lib.models import sharding
from gemma_ko_lib.models.adapters import TARGETS, Lora, add_adapters, merge
from gemma_ko_lib.models.decoder import Decoder
from gemma_ko_lib.models.quantization import dequantize, quantize
from gemma_ko_lib.models.sharding import EMBEDDING
from gemma_ko_lib.runtime import Accelerator, UserError
from gemma_ko_lib.training import lomo, loop
from gemma_ko_lib.training.loop import LossSum, TrainState, Update
from gemma_ko_lib.training.loss import next_token_loss
from gemma_ko_lib.training.optimizer import adamw

# Peak learning rates for models of 270M parameters and more, and for toys like nano, which
# take far larger steps. LOMO's is SGD's; AdaLomo's is relative to the size of the weights.
_RATES = {"full": 5e-5, "lora": 2e-4, "olora": 1e-4, "lomo": 1e-2, "adalomo": 5e-4}
_TOY_RATES = {"full": 3e-3, "lora": 1e-2, "olora": 3e-3, "lomo": 0.3, "adalomo": 1e-2}
METHODS = tuple(_RATES)
_TOY_PARAMETERS = 20_000_000
_BITS = {None: None, "int8": 8, "int4": 4}


@dataclasses.dataclass(frozen=True)
class Method:
    """A way of training, with its settings.

    Attributes:
        name: one of `METHODS`.
        rank: of the adapters of lora and olora; 16 by default.
        alpha: the adapters' product counts alpha / rank; twice the rank by default.
        targets: layers that get adapters, of `models.adapters.TARGETS`; all seven by default.
        base: "int8" or "int4" keeps the frozen base quantised.
        embedding_rate: trains the embedding beside the adapters, at this fraction of their
            learning rate. None leaves it frozen.
        clip_norm: the gradient is scaled down to this norm; None for no clipping. AdaLomo
            bounds each matrix's update by itself and ignores it.
        weight_decay: of AdamW.

    Raises:
        UserError: an unknown name, or a setting that the method does not have.

    Example:
        >>> Method("lora", rank=8, base="int8").alpha
        16.0
    """

    name: str = "full"
    rank: int | None = None
    alpha: float | None = None
    targets: tuple[str, ...] | None = None
    base: str | None = None
    embedding_rate: float | None = None
    clip_norm: float | None = 1.0
    weight_decay: float = 0.01

    def __post_init__(self):
        if self.name not in METHODS:
            raise UserError(f"No method '{self.name}'. There are: {', '.join(METHODS)}.")
        own = ("rank", "alpha", "targets", "base", "embedding_rate")
        if self.name not in ("lora", "olora"):
            given = [name for name in own if getattr(self, name) is not None]
            if given:
                raise UserError(f"{given[0]} belongs to lora and olora; {self.name} has none.")
            return
        if self.base not in _BITS:
            raise UserError(f"A base is kept in int8 or int4, not '{self.base}'.")
        if self.embedding_rate is not None and not 0 < self.embedding_rate <= 10:
            raise UserError(
                f"The embedding's learning rate is {self.embedding_rate} of the adapters'; give "
                "a fraction above 0, such as 0.1."
            )
        set_once = functools.partial(object.__setattr__, self)
        set_once("rank", 16 if self.rank is None else self.rank)
        set_once("alpha", float(2 * self.rank if self.alpha is None else self.alpha))
        set_once("targets", tuple(self.targets or TARGETS))
        _ = self.lora  # an impossible rank or target is refused here

    def __str__(self):
        if not self.lora:
            return {"full": "full AdamW", "lomo": "LOMO", "adalomo": "AdaLomo"}[self.name]
        kind = {"lora": "LoRA", "olora": "OLoRA"}[self.name]
        parts = [f"rank {self.rank}"]
        parts += [f"{self.base} base"] if self.base else []
        parts += ["trained embedding"] if self.embedding_rate else []
        return f"{kind} ({', '.join(parts)})"

    def options(self) -> list[str]:
        """What to type after `gemma-ko pretrain` to get this method; defaults are left out."""
        plain = Method(self.name)
        words = ["--method", self.name]
        if self.rank != plain.rank:
            words += ["--rank", str(self.rank)]
        if self.lora and self.alpha != 2 * self.rank:
            words += ["--alpha", f"{self.alpha:g}"]
        if self.targets != plain.targets:
            words += ["--targets", *self.targets]
        if self.base:
            words += ["--base", self.base]
        if self.embedding_rate:
            words += ["--train-embedding", f"{self.embedding_rate:g}"]
        return words

    def settings(self) -> dict:
        """The method as JSON values."""
        return dataclasses.asdict(self) | {"targets": self.targets and list(self.targets)}

    @property
    def lora(self) -> Lora | None:
        """The adapters, for the methods that have any."""
        if self.name not in ("lora", "olora"):
            return None
        return Lora(self.rank, self.alpha, self.targets, olora=self.name == "olora")

    @property
    def in_blocks(self) -> bool:
        """Whether gradients are applied block by block, so that none can be added up."""
        return self.name in ("lomo", "adalomo")

    def dtype(self, machine: Accelerator) -> str:
        """The Keras dtype policy of the model on a machine.

        AdamW keeps float32 master weights beside products in 16 bits. Under adapters the base
        never changes, so 16 bits do for it; and for LOMO too in bfloat16, to which it rounds
        stochastically.
        """
        policy = runtime.choose_dtype(machine).policy
        narrow = policy.removeprefix("mixed_")
        return narrow if self.lora or (self.in_blocks and narrow == "bfloat16") else policy

    def learning_rate(self, parameters: int) -> float:
        """The peak rate where none is given.

        Args:
            parameters: number of parameters of the model.
        """
        return (_TOY_RATES if parameters < _TOY_PARAMETERS else _RATES)[self.name]

    # --- weights ---

    def split(self, params: dict, seed: int = 0) -> tuple[dict, dict]:
        """What is trained and what only takes part.

        Together they compute what the model computes; a quantised base does so nearly.

        Args:
            params: the model's weights, arrays or tracers; they are not changed.
            seed: of LoRA's random start.

        Returns:
            (trained, frozen), by name.
        """
        if not self.lora:
            return dict(params), {}
        frozen, trained = add_adapters(params, self.lora, seed)
        if self.base:
            frozen = quantize(frozen, _BITS[self.base])
        if self.embedding_rate:
            trained[EMBEDDING] = frozen.pop(EMBEDDING).astype("float32")
        return trained, frozen

    def merge(self, trained: dict, frozen: dict, shapes: dict) -> dict:
        """One plain model out of what was trained and what was frozen.

        A quantised base counts with the values that it stood for during the training.

        Args:
            trained: weights as from `split`, after training.
            frozen: as from `split`.
            shapes: of the plain weights, as from `Decoder.shapes`.
        """
        if not self.lora:
            return trained
        plain = dequantize(frozen, shapes) if self.base else dict(frozen)
        adapters = {n: w for n, w in trained.items() if n != EMBEDDING}
        if EMBEDDING in trained:
            plain[EMBEDDING] = jnp.asarray(trained[EMBEDDING], shapes[EMBEDDING].dtype)
        return merge(plain, adapters)

    # --- state ---

    def first_state(self, trained: dict, dtype: str = "float32") -> TrainState:
        """Step 0: the weights and the optimiser's zeros; shapes under `jax.eval_shape`.

        Args:
            trained: from `split`.
            dtype: of products, see `Decoder.product_dtype`.
        """
        if self.in_blocks:
            return lomo.lomo_state(trained, adaptive=self.name == "adalomo")
        return loop.first_state(trained, self._optimizer(optax.constant_schedule(0.0)), dtype)

    def begin(
        self, params: dict, mesh=None, seed: int = 0, dtype: str = "float32"
    ) -> tuple[TrainState, dict]:
        """The state at step 0 and the frozen weights, on their devices.

        Args:
            params: the model's weights; they are not changed and share no memory with what is
                returned, which an update overwrites.
            mesh: devices, or None for the first.
            seed: of LoRA's random start.
            dtype: of products, see `Decoder.product_dtype`.
        """
        # On the host: quantised or not, the base need not fit on a device twice.
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            trained, frozen = self.split(params, seed)
        trained = sharding.place(trained, mesh, copy=True)
        return _begin(trained, self, mesh, dtype), sharding.place(frozen, mesh)

    def abstract(self, decoder: Decoder, mesh) -> tuple[TrainState, dict]:
        """`begin` on shapes alone.

        Args:
            decoder: the model; its weights may be shapes only.
            mesh: real or abstract.

        Returns:
            (state, frozen weights) of `jax.ShapeDtypeStruct`s with shardings.
        """
        trained, frozen = jax.eval_shape(self.split, decoder.shapes())
        state = jax.eval_shape(lambda x: self.first_state(x, decoder.product_dtype), trained)

        def placed(x, place):
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place)

        state = jax.tree.map(placed, state, loop.state_places(state, mesh))
        return state, jax.tree.map(placed, frozen, sharding.shardings(frozen, mesh))

    # --- update ---

    def update(
        self,
        decoder: Decoder,
        schedule,
        *,
        loss: LossSum | None = None,
        mesh=None,
        rematerialise: bool = False,
    ) -> Update:
        """The jitted update: (state, batch, frozen weights) -> (state, figures).

        Args:
            decoder: the forward pass.
            schedule: learning rate by updates done.
            loss: what is minimised; the next token's cross-entropy by default.
            mesh: devices, or None for one.
            rematerialise: recompute blocks in the backward pass to save memory. LOMO always
                does.

        Raises:
            UserError: another loss for a method that has its own backward pass.
        """
        if not self.in_blocks:
            loss = loss or next_token_loss(decoder, rematerialise)
            return loop.make_update(loss, self._optimizer(schedule), mesh)
        if loss:
            raise UserError(
                f"{self} has a backward pass of its own, for the loss of pre-training only: "
                "take full, lora or olora."
            )
        adaptive = self.name == "adalomo"
        clip_norm = None if adaptive else self.clip_norm
        return lomo.make_lomo_update(
            decoder, schedule, adaptive=adaptive, clip_norm=clip_norm, mesh=mesh
        )

    def _optimizer(self, schedule):
        scales = {EMBEDDING: self.embedding_rate} if self.embedding_rate else {}
        return adamw(schedule, self.clip_norm, self.weight_decay, scales)


@functools.partial(jax.jit, static_argnums=(1, 2, 3), donate_argnums=0)
def _begin(trained: dict, method: Method, mesh, dtype: str) -> TrainState:
    """What an update returns is bound to its devices; another state would compile it once more."""
    state = method.first_state(trained, dtype)
    if mesh is None:
        return state  # bound, as the weights are
    return jax.lax.with_sharding_constraint(state, loop.state_places(state, mesh))
