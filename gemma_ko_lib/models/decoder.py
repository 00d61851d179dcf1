"""The forward pass of training and evaluation: KerasHub's own decoder blocks, run statelessly.

Blocks that are alike (all of Gemma 1, pairs of Gemma 2, groups of six of Gemma 3) have
their weights stacked and run under one `lax.scan`, so compile time does not grow with
depth. What is changed in KerasHub's blocks stands in `keras_hub_blocks`.
"""

import functools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np

from gemma_ko_lib.models import keras_hub_blocks, kernels
from gemma_ko_lib.models.keras_hub_blocks import TokenTree, name_inside
from gemma_ko_lib.models.sharding import split_rows

Params = dict[str, jax.Array]

_PERIODS = {"GemmaBackbone": 1, "Gemma3Backbone": 6}


class Decoder:
    """A backbone as a pure function of its weights.

    Weights are a flat dict. Names: "token_embedding/embeddings", "final_normalization/scale",
    "group_{j}/{weight}" with a leading axis over the groups for the j-th block of every
    group, and "tail_{i}/{weight}" for blocks that do not fill a group.

    Args:
        backbone: a KerasHub GemmaBackbone or text-only Gemma3Backbone.
    """

    def __init__(self, backbone):
        keras_hub_blocks.check(backbone)
        layers = backbone.transformer_layers
        period = _PERIODS[type(backbone).__name__]
        if period == 1 and backbone.use_sliding_window_attention:
            period = 2
        period = min(period, len(layers))  # a small student has less than one whole pattern
        self.num_groups = len(layers) // period
        self.backbone = backbone
        self._templates = layers[:period]
        self._tail = layers[self.num_groups * period :]
        config = {key: value for key, value in backbone.get_config().items() if key != "name"}
        self._computes = type(backbone).__name__, json.dumps(config, sort_keys=True, default=str)

    def __eq__(self, other):
        return isinstance(other, Decoder) and self._computes == other._computes

    def __hash__(self):
        return hash(self._computes)

    # --- weights ---

    def variables_by_name(self) -> dict[str, list]:
        """The backbone's Keras variables behind each weight, one per group where stacked."""
        layers, period = self.backbone.transformer_layers, len(self._templates)
        named = {
            "token_embedding/embeddings": [self.backbone.token_embedding.embeddings],
            "final_normalization/scale": [self.backbone.layer_norm.scale],
        }
        for j in range(period):
            for group in range(self.num_groups):
                for variable in layers[group * period + j].variables:
                    named.setdefault(f"group_{j}/{name_inside(variable)}", []).append(variable)
        for i, block in enumerate(self._tail):
            for variable in block.variables:
                named[f"tail_{i}/{name_inside(variable)}"] = [variable]
        return named

    def read_weights(self) -> Params:
        """The backbone's weights in this module's layout."""
        return {
            name: jnp.stack([v.value for v in variables])
            if name.startswith("group_")
            else jnp.asarray(variables[0].value)
            for name, variables in self.variables_by_name().items()
        }

    def write_weights(self, params: Params) -> None:
        """Put weights back into the KerasHub backbone, so that its own methods see them."""
        for name, variables in self.variables_by_name().items():
            for index, variable in enumerate(variables):
                value = params[name][index] if name.startswith("group_") else params[name]
                variable.assign(value)

    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the weights, without allocating any."""
        return {
            name: jax.ShapeDtypeStruct(
                (len(variables), *variables[0].shape)
                if name.startswith("group_")
                else variables[0].shape,
                variables[0].dtype,
            )
            for name, variables in self.variables_by_name().items()
        }

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
            rematerialise: recompute each group of blocks in the backward pass, instead of
                keeping what its linear layers returned.

        Returns:
            [batch, length, d_model] in the dtype of products.
        """

        def run_group(x, weights):
            for prefix in self.group_prefixes:
                x = self.run_block(prefix, weights, x, segment_ids, tree)
            return x, None

        # What lies between the linear layers is cheaper to compute again than to keep.
        keep = None if rematerialise else jax.checkpoint_policies.dots_with_no_batch_dims_saveable
        checkpoint = functools.partial(jax.checkpoint, policy=keep)
        x = self.embed(params, token_ids)
        stacked = {n: w for n, w in params.items() if n.startswith("group_")}
        x, _ = jax.lax.scan(checkpoint(run_group), x, stacked)
        for prefix in self.tail_prefixes:
            run = functools.partial(self.run_block, prefix)
            x = checkpoint(run)(params, x, segment_ids, tree)
        return self.normalize(params, x)

    # --- its parts, for who takes gradients block by block ---

    @property
    def group_prefixes(self) -> list[str]:
        """What the weights of a group's blocks are called by, in the order they run."""
        return [f"group_{j}/" for j in range(len(self._templates))]

    @property
    def tail_prefixes(self) -> list[str]:
        """The same for the blocks after the last group."""
        return [f"tail_{i}/" for i in range(len(self._tail))]

    @property
    def blocks(self) -> list:
        """A block to run for every layer, in order: its group's template, or itself."""
        return [*self._templates * self.num_groups, *self._tail]

    def layers(self, params: Params) -> list[Params]:
        """The weights of every layer, in order, by their names inside its block."""
        groups = [_inside(prefix, params) for prefix in self.group_prefixes]
        return [
            *({n: w[g] for n, w in its.items()} for g in range(self.num_groups) for its in groups),
            *(_inside(prefix, params) for prefix in self.tail_prefixes),
        ]

    def embed(self, params: Params, token_ids):
        """What the first block reads: scaled embeddings [batch, length, d_model]."""
        embedding = params["token_embedding/embeddings"].astype(self.compute_dtype)
        return split_rows(embedding[token_ids] * self.embedding_scale)

    def run_block(
        self, prefix: str, weights: Params, x, segment_ids, tree: TokenTree | None = None
    ):
        """One block.

        Args:
            prefix: from `group_prefixes` or `tail_prefixes`.
            weights: by name; a group's without their leading axis.
            x: the block's input, [batch, length, d_model].
            segment_ids: as for `hidden`.
            tree: as for `hidden`.
        """
        kind, number = prefix.rstrip("/").split("_")
        block = (self._templates if kind == "group" else self._tail)[int(number)]
        inside = _inside(prefix, weights)
        outputs = keras_hub_blocks.run_block(block, inside, x, segment_ids, tree)
        return split_rows(outputs)

    def normalize(self, params: Params, x):
        """The last block's output -> final hidden states."""
        scale = params["final_normalization/scale"]
        x, _ = self.backbone.layer_norm.stateless_call([scale], [], x)
        return x.astype(self.product_dtype)

    def logits(self, params: Params, token_ids, segment_ids):
        """Next-token logits, float32 [batch, length, vocabulary] (small inputs only)."""
        hidden = self.hidden(params, token_ids, segment_ids)
        return project(hidden, params["token_embedding/embeddings"], self.soft_cap)

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
        soft_cap: logits become cap·tanh(logits/cap) (Gemma 2, arXiv 2408.00118); None for none.

    Returns:
        float32 [..., vocabulary].
    """
    logits = kernels.times_rows(hidden, embedding.astype(hidden.dtype))
    return logits if soft_cap is None else soft_cap * jnp.tanh(logits / soft_cap)


def _inside(prefix: str, weights: Params) -> Params:
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


def unstack(params: Params) -> dict[str, np.ndarray]:
    """Weights by KerasHub's names: one array per block, for files that others read."""
    period = 1 + max((int(m[1]) for n in params if (m := re.match(r"group_(\d+)/", n))), default=-1)
    groups = next((len(w) for n, w in params.items() if n.startswith("group_")), 0)
    flat = {}
    for name, value in params.items():
        head, _, rest = name.partition("/")
        kind, _, number = head.rpartition("_")
        array = np.asarray(value)  # in host memory: no copy, and neither is a part of it
        if kind == "group":
            for group in range(groups):
                flat[f"decoder_block_{group * period + int(number)}/{rest}"] = array[group]
        elif kind == "tail":
            flat[f"decoder_block_{groups * period + int(number)}/{rest}"] = array
        else:
            flat[name] = array
    return flat


def stack(flat: dict[str, np.ndarray], decoder: Decoder) -> Params:
    """The inverse of `unstack`, for a given decoder.

    Raises:
        KeyError: a weight is missing.
    """
    params = {}
    for name, variables in decoder.variables_by_name().items():
        arrays = [flat[canonical_name(variable)] for variable in variables]
        params[name] = jnp.asarray(
            np.stack(arrays) if name.startswith("group_") else arrays[0], variables[0].dtype
        )
    return params


def canonical_name(variable) -> str:
    """A variable's path without the names that Keras puts in front of it."""
    return re.sub(
        r"^.*?(?=(decoder_block_\d+|token_embedding|final_normalization)/)", "", variable.path
    )
