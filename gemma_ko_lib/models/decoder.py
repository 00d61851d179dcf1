"""The forward pass of training and evaluation: KerasHub's own decoder blocks, run statelessly.

All blocks of a Gemma have weights of the same shapes. They are stacked and run under one
`lax.scan`, which compiles one block whatever the depth; in what blocks differ (windows, rotations)
they are told apart by data. What is changed in KerasHub's blocks stands in `keras_hub_blocks`.
"""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models import keras_hub_blocks, kernels
from gemma_ko_lib.models.configs import build_backbone
from gemma_ko_lib.models.keras_hub_blocks import TokenTree, name_inside
from gemma_ko_lib.models.sharding import BLOCKS, EMBEDDING, split_rows
from gemma_ko_lib.runtime import UserError

Params = dict[str, jax.Array]

# After so many layers all kinds have come: every second of a Gemma 2 is global, of a 3 every sixth.
_PERIOD = 6


class Decoder:
    """A backbone as a pure function of its weights.

    Weights are a flat dict. Names: "token_embedding/embeddings", "final_normalization/scale", and
    "blocks/{weight}" with a leading axis over the layers.

    Args:
        backbone: a KerasHub GemmaBackbone or text-only Gemma3Backbone.
        num_layers: of the model, where the backbone has only its first layers; these are repeated.

    Attributes:
        blocks: KerasHub's decoder blocks, in order.
    """

    def __init__(self, backbone, num_layers: int | None = None):
        keras_hub_blocks.check(backbone)
        self.backbone = backbone
        built = backbone.transformer_layers
        self.blocks = [built[i % len(built)] for i in range(num_layers or len(built))]
        config = {key: value for key, value in backbone.get_config().items() if key != "name"}
        config["num_layers"] = len(self.blocks)
        self._computes = type(backbone).__name__, json.dumps(config, sort_keys=True, default=str)

    def __eq__(self, other):
        return isinstance(other, Decoder) and self._computes == other._computes

    def __hash__(self):
        return hash(self._computes)

    # --- weights ---

    def variables_by_name(self) -> dict[str, list]:
        """The backbone's Keras variables behind each weight, one per layer where stacked."""
        named = {
            EMBEDDING: [self.backbone.token_embedding.embeddings],
            "final_normalization/scale": [self.backbone.layer_norm.scale],
        }
        for block in self.blocks:
            for variable in block.variables:
                named.setdefault(BLOCKS + name_inside(variable), []).append(variable)
        return named

    def read_weights(self) -> Params:
        """The backbone's weights in this module's layout."""
        return {
            name: jnp.stack([v.value for v in variables])
            if name.startswith(BLOCKS)
            else jnp.asarray(variables[0].value)
            for name, variables in self.variables_by_name().items()
        }

    def write_weights(self, params: Params) -> None:
        """Put weights into the KerasHub backbone, so that its own methods see them.

        Raises:
            ValueError: the backbone has no place for those of all layers, see `build_decoder`.
        """
        if len(self.backbone.transformer_layers) < len(self.blocks):
            raise ValueError(f"the backbone has not all {len(self.blocks)} layers")
        for name, variables in self.variables_by_name().items():
            for index, variable in enumerate(variables):
                value = params[name][index] if name.startswith(BLOCKS) else params[name]
                variable.assign(value)

    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the weights, without allocating any."""
        return {
            name: jax.ShapeDtypeStruct(
                (len(variables), *variables[0].shape)
                if name.startswith(BLOCKS)
                else variables[0].shape,
                variables[0].dtype,
            )
            for name, variables in self.variables_by_name().items()
        }

    def layers(self, params: Params) -> list[Params]:
        """The weights of every layer, in order, by their names inside its block."""
        stacks = of_blocks(params)
        return [{n: w[i] for n, w in stacks.items()} for i in range(len(self.blocks))]

    # --- forward ---

    def hidden(
        self,
        params: Params,
        token_ids,
        segment_ids,
        *,
        tree: TokenTree | None = None,
        rematerialise: bool = False,
    ):
        """Final hidden states.

        Args:
            params: weights, as from `read_weights`.
            token_ids: int32 [batch, length].
            segment_ids: int32 [batch, length]; positions attend within their own
                segment only, 0 is padding.
            tree: the rows hold trees of texts.
            rematerialise: recompute each block in the backward pass, instead of keeping what its
                linear layers returned.

        Returns:
            [batch, length, d_model] in the dtype of products.
        """

        def run(x, layer):
            return self.run_block(*layer, x, segment_ids, tree), None

        # What lies between the linear layers is cheaper to compute again than to keep.
        keep = None if rematerialise else jax.checkpoint_policies.dots_with_no_batch_dims_saveable
        layers = jnp.arange(len(self.blocks)), of_blocks(params)
        x, _ = jax.lax.scan(jax.checkpoint(run, policy=keep), self.embed(params, token_ids), layers)
        return self.normalize(params, x)

    # --- its parts, for who takes gradients block by block ---

    def embed(self, params: Params, token_ids):
        """What the first block reads: scaled embeddings [batch, length, d_model]."""
        embedding = params[EMBEDDING].astype(self.compute_dtype)
        return split_rows(embedding[token_ids] * self.embedding_scale)

    def run_block(self, layer, weights: Params, x, segment_ids, tree: TokenTree | None = None):
        """One block.

        Args:
            layer: its number from below, an int or a traced one.
            weights: of this layer, by their names inside its block.
            x: the block's input, [batch, length, d_model].
            segment_ids: as for `hidden`.
            tree: as for `hidden`.
        """
        return split_rows(
            keras_hub_blocks.run_layer(self.blocks, layer, weights, x, segment_ids, tree)
        )

    def normalize(self, params: Params, x):
        """The last block's output -> final hidden states."""
        scale = params["final_normalization/scale"]
        x, _ = self.backbone.layer_norm.stateless_call([scale], [], x)
        return x.astype(self.product_dtype)

    def logits(self, params: Params, token_ids, segment_ids):
        """Next-token logits, float32 [batch, length, vocabulary] (small inputs only)."""
        hidden = self.hidden(params, token_ids, segment_ids)
        return project(hidden, params[EMBEDDING], self.soft_cap)

    @property
    def embedding_scale(self):
        """√d_model, which embeddings are multiplied by before the first block."""
        return jnp.sqrt(jnp.float32(self.backbone.hidden_dim)).astype(self.compute_dtype)

    @property
    def compute_dtype(self) -> str:
        """Number format of the activations."""
        return self.backbone.token_embedding.compute_dtype

    @property
    def product_dtype(self) -> str:
        """Number format of what is multiplied."""
        return kernels.product_dtype(self.backbone)

    @property
    def dtype_policy(self) -> str:
        """Keras dtype policy of weights and activations."""
        return self.backbone.dtype_policy.name

    @property
    def soft_cap(self) -> float | None:
        """Cap of the final logits, or None."""
        return self.backbone.final_logit_soft_cap


def project(hidden, embedding, soft_cap: float | None):
    """Logits of hidden states against the tied embedding.

    Args:
        hidden: [..., d_model].
        embedding: [vocabulary, d_model].
        soft_cap: see `kernels.soft_capped`.

    Returns:
        float32 [..., vocabulary].
    """
    logits = kernels.times_rows(hidden, embedding.astype(hidden.dtype))
    return kernels.soft_capped(logits, soft_cap)


def of_blocks(params: Params) -> Params:
    """What is stacked over the layers, by its names inside a block."""
    return {n.removeprefix(BLOCKS): w for n, w in params.items() if n.startswith(BLOCKS)}


def unstack(params: Params) -> dict[str, np.ndarray]:
    """Weights by KerasHub's names: one array per block, for files that others read."""
    flat = {}
    for name, value in params.items():
        array = np.asarray(value)  # in host memory: no copy, and neither is a part of it
        parts = array if name.startswith(BLOCKS) else [array]
        flat |= zip(names_in_files(name, len(parts)), parts, strict=True)
    return flat


def stack(flat: dict[str, np.ndarray], decoder: Decoder) -> Params:
    """The inverse of `unstack`, for a given decoder.

    Arrays are taken out of `flat` as they are stacked: a model that is loaded need not be in
    memory twice.

    Raises:
        KeyError: a weight is missing.
    """
    params = {}
    for name, shape in decoder.shapes().items():
        arrays = [flat.pop(one) for one in names_in_files(name, len(decoder.blocks))]
        params[name] = jnp.asarray(
            np.stack(arrays) if name.startswith(BLOCKS) else arrays[0], shape.dtype
        )
    return params


def names_in_files(name: str, num_layers: int) -> list[str]:
    """KerasHub's names of a weight: one of each block for what is stacked over them."""
    if not name.startswith(BLOCKS):
        return [name]
    return [f"decoder_block_{i}/{name.removeprefix(BLOCKS)}" for i in range(num_layers)]


def build_decoder(kind: str, config: dict, dtype: str, name: str = "") -> Decoder:
    """The decoder of a configuration; for equal arguments the same object.

    Of its blocks it has the first six, which its layers are in turn: it can compute with the
    weights of all layers, and cannot hold them.

    Args:
        kind: KerasHub backbone class.
        config: the backbone's arguments, as in `models.CONFIGS`.
        dtype: Keras dtype policy.
        name: of the model, for the message.

    Raises:
        UserError: no such model can be built.
    """
    try:
        return _build_decoder(kind, tuple(sorted(config.items())), dtype)
    except UserError:  # another KerasHub; it says what to install
        raise
    except Exception as error:  # Keras and JAX raise a dozen types for impossible numbers
        said = f"{name}: no" if name else "No"
        raise UserError(
            f"{said} {kind} can be built of its configuration ({type(error).__name__}: "
            f"{str(error).splitlines()[0]:.200})."
        ) from error


@functools.lru_cache(maxsize=64)
def _build_decoder(kind: str, settings: tuple, dtype: str) -> Decoder:
    config = dict(settings)
    layers = config["num_layers"]
    backbone = build_backbone(kind, {**config, "num_layers": min(layers, _PERIOD)}, dtype)
    return Decoder(backbone, layers)
