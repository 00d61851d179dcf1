"""Writes safetensors one tensor at a time, in shards: a model larger than free memory leaves too.

The format: eight bytes with the length of the header, the header (JSON: type, shape and place of
each tensor), and the tensors behind one another.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

SHARD_BYTES = 5_000_000_000
_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


class Tensor(NamedTuple):
    """A tensor that is made when it is written."""

    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], np.ndarray]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * (4 if self.dtype == "float32" else 2)


def write_shards(folder: Path, tensors: dict[str, Tensor], shard_bytes: int = SHARD_BYTES) -> None:
    """Write model.safetensors, or model-00001-of-0000N.safetensors and their index.

    Args:
        folder: where to; it exists.
        tensors: by name.
        shard_bytes: most bytes of a file, unless one tensor alone has more.
    """
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in tensors.items():
        filled = sum(one.size for one in shards[-1].values())
        if filled and filled + tensor.size > shard_bytes:
            shards.append({})
        shards[-1][name] = tensor
    if len(shards) == 1:
        _write(folder / "model.safetensors", shards[0])
        return
    places = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        _write(folder / file, shard)
        places |= dict.fromkeys(shard, file)
    total = sum(tensor.size for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), "utf-8")


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    header: dict = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.size
        about = {"dtype": _TYPES[tensor.dtype], "shape": tensor.shape, "data_offsets": [start, end]}
        header[name] = about
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor.make()).view(np.uint8).data)
