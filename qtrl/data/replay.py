"""The replay: TorchRL's buffer over rows in memory or in memory-mapped files."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from tensordict import TensorDict
from torchrl.data import RandomSampler, TensorDictReplayBuffer, TensorStorage

from qtrl.data.files import ColumnFiles, read_rows, write_rows
from qtrl.data.schema import Column
from qtrl.errors import ConfigError


class RowStorage(TensorStorage):
    """TorchRL's tensor storage over rows that exist already, of which the first `filled` count."""

    def fill(self, filled: int) -> None:
        """Say how many rows hold data."""
        self._len = filled


class Rows(ABC):
    """Where the rows of the replay live, and how they outlast the process."""

    def __init__(self, columns: Sequence[Column], capacity: int) -> None:
        self.columns, self.capacity = tuple(columns), capacity

    @abstractmethod
    def open(self) -> TensorDict:
        """Give the ring of rows, a TensorDict of shape (capacity,)."""

    def reserve(self, rows: int) -> None:  # noqa: B027 - memory needs nothing
        """Make sure that the first `rows` rows can be written."""

    @abstractmethod
    def commit(self, ring: TensorDict, written: int) -> None:
        """Bring the rows onto the disk; `written` counts all rows ever written, also those overwritten since."""

    @abstractmethod
    def restore(self, ring: TensorDict, written: int) -> None:
        """Fill the ring with what `commit` saved at `written`."""


class MemoryRows(Rows):
    """Rows in memory; a commit writes the filled ones to a new folder and keeps the two newest."""

    def __init__(self, columns: Sequence[Column], capacity: int, folder: Path) -> None:
        super().__init__(columns, capacity)
        self._folder = folder

    def open(self) -> TensorDict:
        """Allocate the ring."""
        ring = TensorDict(batch_size=[self.capacity])
        for column in self.columns:
            ring[column.key] = torch.zeros(self.capacity, *column.shape, dtype=column.dtype)
        return ring

    def commit(self, ring: TensorDict, written: int) -> None:
        """Write the filled rows, unless these very rows are saved already."""
        target = self._folder / str(written)
        if not target.exists():
            write_rows(target, self.columns, ring[: min(written, self.capacity)])
        saved = sorted(
            (path for path in self._folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)
        )
        for old in saved[:-2]:
            shutil.rmtree(old)

    def restore(self, ring: TensorDict, written: int) -> None:
        """Read the rows into the ring."""
        count = min(written, self.capacity)
        ring[:count] = read_rows(self._folder / str(written), self.columns, count)


class MemmapRows(Rows):
    """Rows in memory-mapped files: the operating system writes them, a commit only waits for it."""

    def __init__(self, columns: Sequence[Column], capacity: int, folder: Path) -> None:
        super().__init__(columns, capacity)
        self._files = ColumnFiles(folder, columns, capacity)

    def open(self) -> TensorDict:
        """Map the files."""
        return self._files.map()

    def reserve(self, rows: int) -> None:
        """Claim disk space."""
        self._files.reserve(rows)

    def commit(self, ring: TensorDict, written: int) -> None:
        """Force the files onto the disk."""
        self._files.sync()

    def restore(self, ring: TensorDict, written: int) -> None:
        """Nothing to read: the files are the rows."""


STORAGES: dict[str, type[Rows]] = {"memory": MemoryRows, "memmap": MemmapRows}
"""What `data.storage` may be."""


class Replay:
    """A ring of transitions with uniform sampling.

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
        self._generator = torch.Generator().manual_seed(seed)
        self._storage = RowStorage(self._ring)
        self._storage.fill(0)
        self.buffer = TensorDictReplayBuffer(
            storage=self._storage, sampler=RandomSampler(), batch_size=batch_size, generator=self._generator
        )

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    @property
    def row_bytes(self) -> int:
        """Bytes that one transition takes."""
        return sum(column.row_bytes for column in self.columns)

    def extend(self, transitions: TensorDict) -> None:
        """Append transitions, shape (n,); keys that are no column are left out."""
        self._rows.reserve(min(self.written + len(transitions), self.capacity))
        self.buffer.extend(transitions.select(*(column.key for column in self.columns)))
        self.written += len(transitions)

    def sample(self) -> TensorDict:
        """Draw a minibatch uniformly with replacement, shape (batch_size,)."""
        return self.buffer.sample()

    def draw(self, rows: int, generator: torch.Generator) -> TensorDict:
        """Draw rows as `sample` does, shape (rows,), with a generator of the caller's: `sample` notices nothing."""
        return self._ring[torch.randint(len(self), (rows,), generator=generator)]

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
            self._storage.fill(len(self))
            self.buffer.writer.load_state_dict({"_cursor": self.written % self.capacity})
