"""Where the rows of the replay live: in memory, or in memory-mapped files."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from tensordict import TensorDict
from torch import Tensor

from qtrl.data.checksums import Checksums
from qtrl.data.files import ColumnFiles
from qtrl.data.ring import file_rows, oldest_row, pieces
from qtrl.data.schema import Column
from qtrl.errors import ConfigError


class Rows(ABC):
    """A ring of rows, and the files in which they outlast the process.

    The files are a ring too, longer by the slack: until then nothing that an earlier checkpoint may sample is
    overwritten. Both storages make the same files, of which a checkpoint trusts what its checksums cover.

    Args:
        columns: The layout of a row.
        capacity: Rows that may be sampled.
        slack: Rows that may be written before the files lose the oldest row that may be sampled.
        folder: Where the files lie.
        keep: Whether files of an earlier process may be gone on with.
    """

    in_memory: ClassVar[bool]
    """Whether the ring takes memory that is no file's."""

    def __init__(self, columns: Sequence[Column], *, capacity: int, slack: int, folder: Path, keep: bool) -> None:
        self._columns, self._capacity, self.file_rows = tuple(columns), capacity, file_rows(capacity, slack)
        self._files = ColumnFiles(folder, columns, self.file_rows)
        self._checksums = Checksums(len(self._columns))
        self.ring = self._open(keep)
        """The rows, shape (R,) with R at least `capacity`; row r lies at place r modulo R."""

    @property
    def checksums(self) -> Checksums:
        """Those of the rows that the last commit brought onto the disk, or the last restore found there."""
        return self._checksums

    @abstractmethod
    def _open(self, keep: bool) -> TensorDict:
        """Give the ring."""

    def reserve(self, written: int) -> None:  # noqa: B027 - memory needs nothing
        """Make sure that the rows before number `written` can be written."""

    @abstractmethod
    def commit(self, written: int) -> None:
        """Bring the rows onto the disk; `written` counts all rows ever written, also those overwritten since.

        Raises:
            RunFolderError: A file cannot be written; the next commit begins where the last good one ended.
        """

    @abstractmethod
    def restore(self, checksums: Checksums) -> None:
        """Take the committed rows that these checksums cover, and go on from there.

        Raises:
            RunFolderError: A file is missing, or its rows are not those that were committed.
        """

    def _bytes(self, row: int, count: int) -> list[Tensor]:
        """Return the bytes of rows that lie beside each other in the ring, uint8, as a view."""
        place = row % len(self.ring)
        return [self.ring[column.key].narrow(0, place, count).reshape(-1).view(torch.uint8) for column in self._columns]

    def _check(self, checksums: Checksums, row: int, count: int, parts: Sequence[Tensor]) -> None:
        """Refuse rows of one block that are not what was saved, or hold a truth value that is none."""
        bad = checksums.differing(row, [part.numpy().data for part in parts])
        bad += [i for i, column in enumerate(self._columns) if column.dtype == torch.bool and parts[i].max() > 1]
        if bad:
            raise self._files.damaged(bad[0], row, count)


class MemoryRows(Rows):
    """Rows in memory; a commit appends those since the last one to the files."""

    in_memory = True

    def _open(self, keep: bool) -> TensorDict:
        ring = TensorDict(batch_size=[self._capacity])
        for column in self._columns:
            ring[column.key] = torch.empty(self._capacity, *column.shape, dtype=column.dtype)  # taken as it is filled
        return ring

    def commit(self, written: int) -> None:
        """Write the new rows; of more than the ring has, those that it still has."""
        checksums = self._checksums.since(oldest_row(written, self._capacity))
        self._files.make()
        self._files.reserve(written)
        for row, count in pieces(checksums.end, written, self._capacity):
            data = [part.numpy().data for part in self._bytes(row, count)]
            self._files.write(row, data)
            checksums.append(count, data)
        self._files.sync()
        self._checksums = checksums

    def restore(self, checksums: Checksums) -> None:
        """Read the rows into memory."""
        oldest = oldest_row(checksums.end, self._capacity)
        for row, count in pieces(checksums.first, checksums.end, self.file_rows):
            parts = self._files.read(row, count)
            self._check(checksums, row, count, parts)
            start = max(row, oldest)
            for first, length in pieces(start, row + count, self._capacity):
                for target, part, column in zip(self._bytes(first, length), parts, self._columns, strict=True):
                    target.copy_(part.narrow(0, (first - row) * column.row_bytes, length * column.row_bytes))
        self._checksums = checksums


class MemmapRows(Rows):
    """Rows in memory-mapped files: the operating system writes them, a commit only waits for it."""

    in_memory = False

    def _open(self, keep: bool) -> TensorDict:
        self._files.make(fresh=not keep)
        return self._files.map()

    def reserve(self, written: int) -> None:
        """Claim disk space."""
        self._files.reserve(written)

    def commit(self, written: int) -> None:
        """Force the files onto the disk."""
        checksums = self._checksums.since(oldest_row(written, self._capacity))
        for row, count in pieces(checksums.end, written, self.file_rows):
            checksums.append(count, [part.numpy().data for part in self._bytes(row, count)])
        self._files.sync()
        self._checksums = checksums

    def restore(self, checksums: Checksums) -> None:
        """Look whether the rows are as they were; they are there already."""
        for row, count in pieces(checksums.first, checksums.end, self.file_rows):
            self._check(checksums, row, count, self._bytes(row, count))
        self._checksums = checksums


STORAGES: dict[str, type[Rows]] = {"memory": MemoryRows, "memmap": MemmapRows}
"""What `data.storage` may be."""


def storage_named(name: str) -> type[Rows]:
    """Return a class of `STORAGES`.

    Raises:
        ConfigError: The name is unknown.
    """
    if name not in STORAGES:
        raise ConfigError(f"data.storage={name!r} is unknown; choose one of {', '.join(STORAGES)}")
    return STORAGES[name]
