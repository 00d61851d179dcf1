"""Memory of full-parameter training of Gemma 2 2B: LOMO and AdaLomo against AdamW.

The compiler's own analysis of the library's updates, on shapes: no weight is allocated, nothing
runs. All in float32, since a CPU computes bfloat16 products by way of float32 copies. The peak
is that of an update: its arguments and temporaries.
"""

import jax
from jax.sharding import Mesh

from gemma_ko_lib.models import CONFIGS, build_decoder
from gemma_ko_lib.training.method import Method
from gemma_ko_lib.training.size import Batching
from gemma_ko_lib.training.step_compiler import Step, abstract_update

MODEL, ROWS, LENGTH = "gemma2_2b_en", 1, 128


def _peak(method: str) -> int:
    mesh = Mesh([[jax.devices()[0]]], ("fsdp", "tensor"))
    step = Step(MODEL, Method(method), "float32", Batching(ROWS, LENGTH, ROWS))
    update, shapes = abstract_update(step, mesh)
    memory = update.lower(*shapes).compile().memory_analysis()
    new = memory.output_size_in_bytes - memory.alias_size_in_bytes
    return memory.argument_size_in_bytes + memory.temp_size_in_bytes + new


def measure() -> list[tuple[str, str]]:
    """Rows of (what, figure)."""
    decoder = build_decoder(*CONFIGS[MODEL], "float32")
    weights = sum(x.size * x.dtype.itemsize for x in decoder.shapes().values())
    peaks = {method: _peak(method) for method in ("full", "lomo", "adalomo")}
    rows = [
        (f"weights of {MODEL}, 26 blocks, float32", f"{weights / 2**30:.2f} GiB"),
        (
            f"peak of an update on {ROWS} × {LENGTH} tokens: AdamW",
            f"{peaks['full'] / 2**30:.2f} GiB",
        ),
    ]
    for method in ("lomo", "adalomo"):
        rows += [
            (f"  {method}", f"{peaks[method] / 2**30:.2f} GiB"),
            (f"  {method} / AdamW (goal ≤ 0.30)", f"{peaks[method] / peaks['full']:.3f}"),
            (f"  {method} / weights (goal ≤ 1.25)", f"{peaks[method] / weights:.3f}"),
        ]
    return rows
