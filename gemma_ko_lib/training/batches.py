"""Batches of packed rows: grain's shuffled, endless, resumable stream.

The order is that of the whole run, however many processes share it: each draws the same row
numbers and opens only the rows that its own devices compute on. So a run can go on with another
number of processes or devices, and its losses do not depend on it.
"""

from typing import Protocol

import grain
import jax
import numpy as np

from gemma_ko_lib.models.sharding import batch_sharding
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.packing import ARRAYS, next_token_targets


class PackedData(Protocol):
    """Packed rows to train on: `Shards`, or `ConversationRows` with their own targets.

    Attributes:
        digest: of the rows' content, by which a resumed run knows them again.
    """

    digest: str

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, number: int):
        """A row: token_ids and segment_ids [length]; perhaps targets and loss_weights too."""


class Batches:
    """An endless iterator over shuffled batches; every epoch has its own order.

    Yields dicts of "token_ids", "segment_ids", "targets" (int32), "loss_weights" (float32), all
    [own rows, length], and "row", the numbers of the rows (int32; −1 for an empty row).

    Args:
        data: packed rows.
        rows: rows in a batch, over all processes.
        seed: shuffling seed.
        own: places in the batch of the rows to read, from `own_rows`; all by default. A place
            at or after `rows` is filled with an empty row, which has no loss.
    """

    def __init__(self, data: PackedData, rows: int, seed: int, own: np.ndarray | None = None):
        self._data, self._rows = data, rows
        self._own = np.arange(rows) if own is None else own
        # A few batches ahead are enough; grain's own setting is 500.
        ahead = grain.ReadOptions(num_threads=4, prefetch_buffer_size=16)
        # Without a number of epochs grain cannot count batches of one row.
        numbers = grain.MapDataset.range(len(data)).seed(seed).shuffle().repeat(2**31)
        self._iterator = iter(numbers.batch(rows).map(self._read).to_iter_dataset(ahead))
        self.get_state = self._iterator.get_state
        self.set_state = self._iterator.set_state

    def __next__(self) -> dict[str, np.ndarray]:
        return next(self._iterator)

    def _read(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        numbers = numbers[self._own[self._own < self._rows]]
        # A process may have empty rows only; one row then tells how long they are.
        found = [self._data[number] for number in numbers] or [self._data[0]]
        batch = {
            name: np.stack([getattr(row, name) for row in found])[: len(numbers)]
            for name in ARRAYS
            if hasattr(found[0], name)
        }
        if "targets" not in batch:
            targets, weights = next_token_targets(batch["token_ids"], batch["segment_ids"])
            batch |= {"targets": targets, "loss_weights": weights}
        empty = len(self._own) - len(numbers)
        batch = {name: np.pad(x, ((0, empty), (0, 0))) for name, x in batch.items()}
        return batch | {"row": np.pad(numbers, (0, empty), constant_values=-1).astype(np.int32)}


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
            f"--rows {batch_rows} cannot be dealt out evenly to the {mesh.shape['fsdp']} devices "
            "that share a micro-batch: give a multiple of it, or leave the option out."
        )
    places = places.reshape(accumulation, batch_rows)
    pieces = batch_sharding(mesh).addressable_devices_indices_map(places.shape)
    return np.unique(np.concatenate([places[index].ravel() for index in pieces.values()]))
