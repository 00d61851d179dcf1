"""PaliGemma in Flax NNX: an image and a prompt in, the answer's logits out.

SigLIP's image encoder, one linear layer, and the Gemma 1 of notebook 01 under a prefix-LM mask. It
computes what KerasHub's `PaliGemmaBackbone` computes, and takes its weights by their names
(arXiv 2407.07726).

Written in notebooks/03b_paligemma.ipynb; edit it there and run
`python -m data_samples.makers.notebooks`.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from gemma_ko_lib.from_scratch import gemma1


@dataclasses.dataclass(frozen=True)
class VisionConfig:
    """Sizes of the image encoder; the defaults are SigLIP So400m/14's at 224 pixels."""

    image_size: int = 224
    patch_size: int = 14
    channels: int = 3
    d_model: int = 1152
    num_layers: int = 27
    num_heads: int = 16
    ffn_dim: int = 4304

    @property
    def num_patches(self) -> int:
        """Image tokens that the language model reads."""
        return (self.image_size // self.patch_size) ** 2


def cut_into_patches(images, size: int):
    """Images [batch, height, width, channels] to [batch, patches, size² · channels].

    Patches go row by row, from the top left.
    """
    batch, height, width, channels = images.shape
    grid = images.reshape(batch, height // size, size, width // size, size, channels)
    return grid.swapaxes(2, 3).reshape(batch, -1, size * size * channels)


class VisionAttention(nnx.Module):
    """Multi-head attention in which every patch sees every patch."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs):
        self.num_heads, d = config.num_heads, config.d_model
        self.query_proj = nnx.Linear(d, d, rngs=rngs)
        self.key_proj = nnx.Linear(d, d, rngs=rngs)
        self.value_proj = nnx.Linear(d, d, rngs=rngs)
        self.out_proj = nnx.Linear(d, d, rngs=rngs)

    def __call__(self, x):
        heads = (*x.shape[:2], self.num_heads, -1)
        layers = self.query_proj, self.key_proj, self.value_proj
        q, k, v = (layer(x).reshape(heads) for layer in layers)
        return self.out_proj(jax.nn.dot_product_attention(q, k, v).reshape(x.shape))


class VisionBlock(nnx.Module):
    """Attention and a two-layer MLP, each on a normalised copy, added back."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs):
        d, ffn_dim = config.d_model, config.ffn_dim
        self.layer_norm_1 = nnx.LayerNorm(d, epsilon=1e-6, rngs=rngs)
        self.multi_head_attention = VisionAttention(config, rngs)
        self.layer_norm_2 = nnx.LayerNorm(d, epsilon=1e-6, rngs=rngs)
        self.mlp_dense_1 = nnx.Linear(d, ffn_dim, rngs=rngs)
        self.mlp_dense_2 = nnx.Linear(ffn_dim, d, rngs=rngs)

    def __call__(self, x):
        x = x + self.multi_head_attention(self.layer_norm_1(x))
        hidden = nnx.gelu(self.mlp_dense_1(self.layer_norm_2(x)))
        return x + self.mlp_dense_2(hidden)


class ImageEncoder(nnx.Module):
    """SigLIP's encoder (arXiv 2303.15343): images in, a vector for each patch out."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs):
        size, d, layers = config.patch_size, config.d_model, range(config.num_layers)
        shape = (size, size, config.channels, d)
        self.embedding_conv = gemma1.weight(rngs, shape, size**2 * config.channels)
        self.embedding_bias = nnx.Param(jnp.zeros(d))
        place = jax.random.normal(rngs.params(), (config.num_patches, d))
        self.position_embedding = nnx.Param(place)
        self.blocks = nnx.data([VisionBlock(config, rngs) for _ in layers])
        self.encoder_layer_norm = nnx.LayerNorm(d, epsilon=1e-6, rngs=rngs)

    def __call__(self, images):
        size, _, _, d = self.embedding_conv.shape
        x = cut_into_patches(images, size) @ self.embedding_conv[...].reshape(-1, d)
        x = x + self.embedding_bias[...] + self.position_embedding[...]
        for block in self.blocks:
            x = block(x)
        return self.encoder_layer_norm(x)


def prefix_lm_mask(answer, real):
    """Who sees whom, bool [batch, length, length].

    Image and prompt are seen by all; an answer token is seen by itself and what comes
    after it.

    Args:
        answer: bool [batch, length], True where the model answers.
        real: bool [batch, length], False on padding.
    """
    causal = jnp.tri(answer.shape[1], dtype=bool)
    return real[:, None, :] & (causal | ~answer[:, None, :])


def after_image(count, answer, real):
    """`answer` and `real` with `count` image tokens in front: no answer, all real."""
    answer = jnp.pad(answer, ((0, 0), (count, 0)))
    return answer, jnp.pad(real, ((0, 0), (count, 0)), constant_values=True)


class PaliGemma(nnx.Module):
    """PaliGemma (arXiv 2407.07726): image and prompt in, the answer's logits out."""

    def __init__(self, vision: VisionConfig, language: gemma1.Config, rngs: nnx.Rngs):
        self.vision = ImageEncoder(vision, rngs)
        self.projector = nnx.Linear(vision.d_model, language.d_model, rngs=rngs)
        self.language = gemma1.Gemma(language, rngs)

    def __call__(self, images, tokens, answer, real):
        """Logits at the text positions, float32 [batch, length, vocab].

        Images have numbers from -1 to 1; for the others see `prefix_lm_mask`.
        """
        image = self.projector(self.vision(images))
        x = jnp.concatenate([image, self.language.embed(tokens)], axis=1)
        mask = prefix_lm_mask(*after_image(image.shape[1], answer, real))
        positions = jnp.arange(x.shape[1])[None]
        for block in self.language.blocks:
            x = block(x, positions, mask)
        return self.language.logits(x[:, image.shape[1] :])


_EMBEDDINGS = {
    "embedding_conv": "encoder_embeddings/embedding_conv/kernel",
    "embedding_bias": "encoder_embeddings/embedding_conv/bias",
    "position_embedding": "encoder_embeddings/position_embedding/embeddings",
}


def keras_hub_name(path) -> str:
    """KerasHub's name of the weight at, say, ("vision", "embedding_conv")."""
    part, *inside = path
    if part == "language":
        return gemma1.keras_hub_name(inside)
    if part == "projector":
        return f"image_classifier/{inside[0]}"
    name = "/".join(map(str, inside)).replace("blocks/", "encoder_block_")
    if "norm" in name:
        name = name.replace("scale", "gamma").replace("bias", "beta")
    return "image_encoder/" + _EMBEDDINGS.get(name, name)
