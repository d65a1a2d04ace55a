"""Where the rows of the replay live: in memory, or in memory-mapped files."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from tensordict import TensorDict

from qtrl.data.files import ColumnFiles, read_rows, write_rows
from qtrl.data.schema import Column


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
