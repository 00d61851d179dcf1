"""Batches out of token shards: grain's shuffled, endless, resumable stream of packed rows."""

import grain
import jax
import numpy as np

from gemma_ko_lib.tokenization.shards import Shards


class _Rows(grain.sources.RandomAccessDataSource):
    def __init__(self, shards: Shards):
        self._shards = shards

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        row = self._shards[index]
        return {
            "token_ids": row.token_ids,
            "segment_ids": row.segment_ids,
            "row": np.int32(index),
        }


def batch_iterator(shards: Shards, rows: int, seed: int):
    """An endless iterator over shuffled batches; every epoch has its own order.

    Each process of a multi-host run reads its own rows only.

    Args:
        shards: packed rows.
        rows: rows in this process' batch.
        seed: shuffling seed.

    Returns:
        A grain iterator of {"token_ids", "segment_ids": int32 [rows, length], "row": int32
        [rows]} with `get_state()` and `set_state()`.
    """
    mine = slice(jax.process_index(), None, jax.process_count())
    return iter(
        grain.MapDataset.source(_Rows(shards))
        .slice(mine)
        .seed(seed)
        .shuffle()
        .repeat()
        .batch(rows)
        .to_iter_dataset()
    )
