"""llama.cpp's quantiser: K-quants, and scales that weigh columns by their importance.

The package `gguf` rounds to formats whose scale follows from a block's largest weight. A K-quant
searches its scales, and only llama.cpp does that search. The wheel `xllamacpp` (extra `serve`)
exports its function; `ctypes` calls it.
"""

import ctypes
import functools

import gguf
import numpy as np

from gemma_ko_lib.serving.engine import llama_cpp

_T = gguf.GGMLQuantizationType
WEIGHED = (_T.Q4_0, _T.Q5_0, _T.Q5_1, _T.Q4_K, _T.Q5_K, _T.Q6_K)  # importance changes these
# llama.cpp's choice where a row is no multiple of 256 (llama-quant.cpp, tensor_type_fallback).
FALLBACKS = {_T.Q4_K: _T.Q5_0, _T.Q5_K: _T.Q5_1, _T.Q6_K: _T.Q8_0}


def deserves_more(name: str, layers: int) -> bool:
    """Whether the mixtures "M" keep a tensor in Q6_K.

    The embeddings, which are the output layer too, do, and in the first and last eighth of the
    layers and every third between them the values and the second half of the feed-forward part
    (llama-quant.cpp, llama_tensor_get_type_impl).

    Args:
        name: in the GGUF file.
        layers: of the model.

    Example:
        >>> [layer for layer in range(18) if deserves_more(f"blk.{layer}.attn_v.weight", 18)]
        [0, 1, 4, 7, 10, 13, 15, 16, 17]
    """
    if name == "token_embd.weight":
        return True
    _, layer, part, _ = name.split(".")
    first, layer = layers // 8, int(layer)
    more = layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2
    return more and part in ("attn_v", "ffn_down")


def quantize(rows: np.ndarray, its_type: _T, importance: np.ndarray | None = None) -> np.ndarray:
    """A matrix in blocks.

    Args:
        rows: float32 [out, in]; `in` is a multiple of the type's block.
        its_type: a quantised one.
        importance: float32 [in], see `models.importance`; where errors should be small.

    Returns:
        uint8 [out, bytes of a row].

    Raises:
        UserError: xllamacpp is missing.
    """
    block, size = gguf.GGML_QUANT_SIZES[its_type]
    rows = np.ascontiguousarray(rows, np.float32)
    stored = np.empty((len(rows), rows.shape[1] // block * size), np.uint8)
    if importance is not None:
        importance = np.ascontiguousarray(importance, np.float32)
        assert importance.shape == rows.shape[1:]
    weighed = None if importance is None else importance.ctypes.data
    written = _quantize_chunk()(
        its_type, rows.ctypes.data, stored.ctypes.data, 0, *rows.shape, weighed
    )
    assert written == stored.nbytes
    return stored


@functools.cache
def _quantize_chunk():
    library = llama_cpp("K-quants and --importance need").xllamacpp.__file__
    function = ctypes.CDLL(library).ggml_quantize_chunk
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = (ctypes.c_int, pointer, pointer, count, count, count, pointer)
    function.restype = ctypes.c_size_t
    return function
