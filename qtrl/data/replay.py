"""The replay: a ring of transitions, also seen as TorchRL's buffer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tensordict import NestedKey, TensorDict
from torch import Tensor
from torchrl.data import RandomSampler, RoundRobinWriter, TensorDictReplayBuffer, TensorStorage

from qtrl.data.checksums import Checksums
from qtrl.data.ring import newest_in, pieces
from qtrl.data.rows import storage_named
from qtrl.data.schema import Column
from qtrl.errors import CheckpointError, ConfigError
from qtrl.process.threads import one_thread


class RowStorage(TensorStorage):
    """TorchRL's tensor storage over a ring of rows, of which the newest `capacity` can be reached.

    Slot s shows the newest row r with r modulo `capacity` equal to s, wherever in the ring it lies.

    Args:
        ring: The rows, shape (R,) with R at least `capacity`.
        capacity: Number of slots.
    """

    def __init__(self, ring: TensorDict, capacity: int) -> None:
        super().__init__(ring)
        self.max_size, self.rows, self._written = capacity, len(ring), 0

    def settle(self, written: int) -> None:
        """Say how many rows were ever written."""
        self._written, self._len = written, min(written, self.max_size)

    def places(self, slots: Tensor) -> Tensor:
        """Return where in the ring the rows of some slots lie."""
        if self._written <= self.max_size or self.rows == self.max_size:
            return slots
        return newest_in(slots, self._written, self.max_size) % self.rows

    def get(self, index: Any) -> TensorDict:
        """Return rows by slot."""
        return self._storage[self.places(torch.arange(self._len)[index])]


class RowWriter(RoundRobinWriter):
    """TorchRL's writer, whose place is set by who wrote the rows."""

    def move(self, written: int, capacity: int) -> None:
        """Go where the next row belongs after so many were ever written."""
        self._cursor, self._write_count = written % capacity, written


class Replay:
    """A ring of transitions with uniform sampling.

    TorchRL's buffer takes half a millisecond to write a row and one to draw a minibatch, so both are done here, on the
    columns themselves and with the same draws. `buffer` shows the same rows to whatever works on TorchRL's buffers.

    Args:
        columns: The layout of a row.
        capacity: Rows kept; the oldest is overwritten first.
        batch_size: Rows of a minibatch.
        storage: A name in `STORAGES`.
        folder: Where the rows lie or are saved.
        seed: Seed of the sampler's own generator.
        slack: Rows that may be written before the files lose one that an earlier checkpoint may sample; two
            checkpoints stay whole with the rows of two intervals.
        keep: Whether commits are asked for, and files of an earlier process may be gone on with.

    Raises:
        ConfigError: An unknown storage, or a size below 1.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        capacity: int,
        batch_size: int,
        storage: str,
        folder: Path,
        seed: int,
        slack: int = 0,
        keep: bool = True,
    ) -> None:
        if capacity < 1 or batch_size < 1:
            raise ConfigError(f"replay of {capacity} rows with minibatches of {batch_size}: both must be at least 1")
        self.capacity, self.columns, self.written = capacity, tuple(columns), 0
        self._rows = storage_named(storage)(columns, capacity=capacity, slack=slack, folder=folder, keep=keep)
        self._tensors = {column.key: self._rows.ring[column.key] for column in columns}
        self._generator = torch.Generator().manual_seed(seed)
        self._storage, self._writer = RowStorage(self._rows.ring, capacity), RowWriter()
        self._batch_size = batch_size
        self.buffer = TensorDictReplayBuffer(
            storage=self._storage,
            sampler=RandomSampler(),
            writer=self._writer,
            batch_size=batch_size,
            generator=self._generator,
        )
        """A view for reading; rows come in by `extend`."""
        self._settle()

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    @property
    def row_bytes(self) -> int:
        """Bytes that one transition takes."""
        return sum(column.row_bytes for column in self.columns)

    def extend(self, transitions: TensorDict) -> None:
        """Append transitions, shape (n,); keys that are no column are left out."""
        first, end = self.written, self.written + len(transitions)
        self._rows.reserve(end)
        for row, count in pieces(first, end, self._storage.rows):
            place = row % self._storage.rows
            for key, tensor in self._tensors.items():
                tensor.narrow(0, place, count).copy_(transitions[key].narrow(0, row - first, count))
        self.written = end
        self._settle()

    def _settle(self) -> None:
        """Tell TorchRL's buffer what was written."""
        self._storage.settle(self.written)
        self._writer.move(self.written, self.capacity)

    def sample(self) -> TensorDict:
        """Draw a minibatch uniformly with replacement, shape (batch_size,); its tensors are never written again."""
        return self.draw(self._batch_size, self._generator)

    def draw(self, rows: int, generator: torch.Generator) -> TensorDict:
        """Draw rows as `sample` does, shape (rows,), with a generator of the caller's: `sample` notices nothing."""
        index = self._storage.places(torch.randint(len(self), (rows,), generator=generator))
        columns: dict[NestedKey, Tensor] = {}
        with one_thread():  # memory sets the pace; `tensor[index]` takes twice as long, memory of before as long
            for key, tensor in self._tensors.items():
                columns[key] = tensor.index_select(0, index)
        return TensorDict(columns, batch_size=[rows])

    def commit(self) -> None:
        """Bring all rows onto the disk, for a checkpoint that is about to be written.

        Raises:
            RunFolderError: The rows cannot be written; those of the checkpoints before stay as they are.
        """
        self._rows.commit(self.written)

    def state_dict(self) -> dict[str, Any]:
        """Return counters, checksums and the sampler's random state; the rows themselves are saved by `commit`."""
        return {
            "written": self.written,
            "sampler": self._generator.get_state(),
            **self._rows.checksums.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], *, rows: bool = True) -> None:
        """Take back what `state_dict` returned, with the rows of that moment unless `rows` is false.

        Raises:
            CheckpointError: The state is not one of such a replay.
            RunFolderError: The files do not hold the rows of that moment.
        """
        sampler = _generator_state(state)
        if rows:
            checksums = Checksums.from_state(
                state, len(self.columns), capacity=self.capacity, rows=self._rows.file_rows
            )
            self._rows.restore(checksums)
            self.written = checksums.end
            self._settle()
        self._generator.set_state(sampler)


def _generator_state(state: dict[str, Any]) -> Tensor:
    """Return the sampler's random state, tried on a generator of its own."""
    try:
        sampler: Tensor = state["sampler"]
        torch.Generator().set_state(sampler)
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError("replay: 'sampler' in the checkpoint is not the state of a torch.Generator") from error
    return sampler
