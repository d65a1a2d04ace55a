"""The replay: a ring of transitions, also seen as TorchRL's buffer."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tensordict import NestedKey, TensorDict
from torch import Tensor
from torchrl.data import RandomSampler, RoundRobinWriter, TensorDictReplayBuffer, TensorStorage

from qtrl.data.rows import STORAGES
from qtrl.data.schema import Column
from qtrl.errors import ConfigError
from qtrl.threads import one_thread


class RowStorage(TensorStorage):
    """TorchRL's tensor storage over rows that exist already, of which the first `filled` count."""

    def fill(self, filled: int) -> None:
        """Say how many rows hold data."""
        self._len = filled


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

    Raises:
        ConfigError: An unknown storage, or a size below 1.
    """

    def __init__(
        self, columns: Sequence[Column], *, capacity: int, batch_size: int, storage: str, folder: Path, seed: int
    ) -> None:
        if capacity < 1 or batch_size < 1:
            raise ConfigError(f"replay of {capacity} rows with minibatches of {batch_size}: both must be at least 1")
        if storage not in STORAGES:
            raise ConfigError(f"data.storage={storage!r} is unknown; choose one of {', '.join(STORAGES)}")
        self.capacity, self.columns, self.written = capacity, tuple(columns), 0
        self._rows = STORAGES[storage](columns, capacity, folder)  # type: ignore[call-arg]
        self._ring = self._rows.open()
        self._tensors = {column.key: self._ring[column.key] for column in columns}
        self._generator = torch.Generator().manual_seed(seed)
        self._storage, self._writer = RowStorage(self._ring), RowWriter()
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
        self._rows.reserve(min(self.written + len(transitions), self.capacity))
        for start, count, offset in self._places(len(transitions)):
            for key, tensor in self._tensors.items():
                tensor.narrow(0, start, count).copy_(transitions[key].narrow(0, offset, count))
        self.written += len(transitions)
        self._settle()

    def _places(self, rows: int) -> Iterator[tuple[int, int, int]]:
        """Cut rows where the ring ends: first place in the ring, number, first row."""
        offset = 0
        while offset < rows:
            start = (self.written + offset) % self.capacity
            count = min(rows - offset, self.capacity - start)
            yield start, count, offset
            offset += count

    def _settle(self) -> None:
        """Tell TorchRL's buffer what was written."""
        self._storage.fill(len(self))
        self._writer.move(self.written, self.capacity)

    def sample(self) -> TensorDict:
        """Draw a minibatch uniformly with replacement, shape (batch_size,); its tensors are never written again."""
        return self.draw(self._batch_size, self._generator)

    def draw(self, rows: int, generator: torch.Generator) -> TensorDict:
        """Draw rows as `sample` does, shape (rows,), with a generator of the caller's: `sample` notices nothing."""
        index = torch.randint(len(self), (rows,), generator=generator)
        columns: dict[NestedKey, Tensor] = {}
        with one_thread():  # memory sets the pace; `tensor[index]` takes twice as long, memory of before as long
            for key, tensor in self._tensors.items():
                columns[key] = tensor.index_select(0, index)
        return TensorDict(columns, batch_size=[rows])

    def commit(self) -> None:
        """Bring all rows onto the disk, for a checkpoint that is about to be written."""
        self._rows.commit(self._ring, self.written)

    def state_dict(self) -> dict[str, object]:
        """Return the counters and the sampler's random state; the rows themselves are saved by `commit`."""
        return {"written": self.written, "sampler": self._generator.get_state()}

    def load_state_dict(self, state: dict, *, rows: bool = True) -> None:
        """Take back what `state_dict` returned, with the rows of that moment unless `rows` is false."""
        self._generator.set_state(state["sampler"])
        if rows:
            self.written = state["written"]
            self._rows.restore(self._ring, self.written)
            self._settle()
