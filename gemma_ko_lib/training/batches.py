"""Batches out of token shards: grain's shuffled, endless, resumable stream of packed rows.

The order is that of the whole run, however many processes share it: each draws the same row
numbers and opens only the rows that its own devices compute on. So a run can go on with another
number of processes, and its losses do not depend on it.
"""

import grain
import jax
import numpy as np

from gemma_ko_lib.models.sharding import batch_sharding
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.shards import Shards


def own_rows(batch_rows: int, accumulation: int, mesh: jax.sharding.Mesh | None) -> np.ndarray:
    """Which rows of an update's batch this process has to read.

    Args:
        batch_rows: rows in a micro-batch, over all devices.
        accumulation: micro-batches an update.
        mesh: the mesh of the run, or None for one device.

    Returns:
        Their places among the batch_rows × accumulation rows, ascending.

    Raises:
        UserError: the rows cannot be dealt out evenly.
    """
    places = np.arange(accumulation * batch_rows)
    if mesh is None:
        return places
    if batch_rows % mesh.shape["fsdp"]:
        raise UserError(
            f"A micro-batch of {batch_rows} rows cannot be dealt out evenly to the "
            f"{mesh.shape['fsdp']} devices that share the batch: take a multiple of it "
            "(batch_rows of the profile), or fewer devices."
        )
    places = places.reshape(accumulation, batch_rows)
    pieces = batch_sharding(mesh).addressable_devices_indices_map(places.shape)
    return np.unique(np.concatenate([places[index].ravel() for index in pieces.values()]))


def batch_iterator(shards: Shards, rows: int, seed: int, own: np.ndarray | None = None):
    """An endless iterator over shuffled batches; every epoch has its own order.

    Args:
        shards: packed rows.
        rows: rows in a batch, over all processes.
        seed: shuffling seed.
        own: places in the batch of the rows to read, from `own_rows`; all by default.

    Returns:
        A grain iterator of {"token_ids", "segment_ids": int32 [own rows, length], "row": int32
        [own rows]} with `get_state()` and `set_state()`.
    """

    def read(numbers: np.ndarray) -> dict[str, np.ndarray]:
        numbers = numbers if own is None else numbers[own]
        found = [shards[number] for number in numbers]
        return {
            "token_ids": np.stack([row.token_ids for row in found]),
            "segment_ids": np.stack([row.segment_ids for row in found]),
            "row": numbers.astype(np.int32),
        }

    # A few batches ahead are enough; grain's own setting is 500.
    ahead = grain.ReadOptions(num_threads=4, prefetch_buffer_size=16)
    return iter(
        grain.MapDataset.range(len(shards))
        .seed(seed)
        .shuffle()
        .repeat()
        .batch(rows)
        .map(read)
        .to_iter_dataset(ahead)
    )
