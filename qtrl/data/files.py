"""Rows on disk: one raw file for each column, its layout known from the config and never read from the folder."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from tensordict import TensorDict
from torch import Tensor

from qtrl.atomic import fsync, publish
from qtrl.data.schema import Column
from qtrl.errors import RunFolderError

RESERVE_ROWS = 16_384
"""Disk space is claimed this many rows at a time: a full disk is then an error and not a bus error."""


class ColumnFiles:
    """Memory-mapped columns of a ring of rows.

    The files are as long as the ring from the start but sparse; `reserve` claims real space ahead of the writer.

    Args:
        folder: Where the files lie; made if absent.
        columns: The layout of a row.
        capacity: Rows of the ring.

    Raises:
        RunFolderError: A file cannot be made, or an existing one does not have the size that the layout asks for.
    """

    def __init__(self, folder: Path, columns: Sequence[Column], capacity: int) -> None:
        self._columns, self._capacity, self._reserved = tuple(columns), capacity, 0
        self._paths = [folder / f"{column.name}.bin" for column in columns]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path, column in zip(self._paths, self._columns, strict=True):
                _size_file(path, column.row_bytes * capacity)
        except OSError as error:
            raise RunFolderError(f"replay folder {folder}: {error.strerror}; choose another run_dir") from error

    def map(self) -> TensorDict:
        """Map the files into a TensorDict of shape (capacity,)."""
        rows = TensorDict(batch_size=[self._capacity])
        for path, column in zip(self._paths, self._columns, strict=True):
            shape = (self._capacity, *column.shape)
            size = column.row_bytes * self._capacity // column.dtype.itemsize
            rows[column.key] = torch.from_file(str(path), shared=True, size=size, dtype=column.dtype).view(shape)
        return rows

    def reserve(self, rows: int) -> None:
        """Claim disk space for the first `rows` rows.

        Raises:
            RunFolderError: The disk is full.
        """
        while self._reserved < min(rows, self._capacity):
            count = min(RESERVE_ROWS, self._capacity - self._reserved)
            for path, column in zip(self._paths, self._columns, strict=True):
                _claim(path, self._reserved * column.row_bytes, count * column.row_bytes)
            self._reserved += count

    def sync(self) -> None:
        """Force what was written onto the disk."""
        for path in self._paths:
            fsync(path)


def write_rows(folder: Path, columns: Sequence[Column], rows: TensorDict) -> None:
    """Write rows held in memory as column files; the folder appears complete or not at all.

    Args:
        folder: The folder to make.
        columns: The layout of a row.
        rows: The rows, shape (n,).
    """
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for column in columns:
        path = part / f"{column.name}.bin"
        rows[column.key].contiguous().numpy().tofile(path)
        fsync(path)
    publish(part, folder)


def read_rows(folder: Path, columns: Sequence[Column], count: int) -> TensorDict:
    """Read `count` rows that `write_rows` wrote.

    Raises:
        RunFolderError: A file is missing or has another size.
    """
    rows = TensorDict(batch_size=[count])
    for column in columns:
        rows[column.key] = _read_column(folder / f"{column.name}.bin", column, count)
    return rows


def _read_column(path: Path, column: Column, count: int) -> Tensor:
    expected = column.row_bytes * count
    found = path.stat().st_size if path.is_file() and not path.is_symlink() else None
    if found != expected:
        raise RunFolderError(f"replay file {path} has {found} bytes, expected {expected} for {count} rows")
    if count == 0:
        return torch.empty(0, *column.shape, dtype=column.dtype)
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=column.dtype).view(count, *column.shape)


def _size_file(path: Path, size: int) -> None:
    if path.is_symlink():
        raise RunFolderError(f"replay file {path} is a link; qtrl only opens files that lie in the run folder")
    if not path.exists():
        with path.open("wb") as file:
            file.truncate(size)
    elif path.stat().st_size != size:
        raise RunFolderError(f"replay file {path} has {path.stat().st_size} bytes, expected {size}; keep data.capacity")


def _claim(path: Path, offset: int, length: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(descriptor, offset, length)
    except OSError as error:
        raise RunFolderError(f"replay file {path}: {error.strerror}; free space or set data.capacity lower") from error
    finally:
        os.close(descriptor)
