"""Rows on disk: one raw file for each column, its layout known from the config and never read from the folder."""

import errno
import mmap
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from tensordict import NestedKey
from torch import Tensor

from qtrl.data.schema import Column
from qtrl.data.storage.ring import whole_blocks
from qtrl.errors import RunFolderError
from qtrl.files.atomic import fsync

WITHOUT = "checkpoint_replay=none with resume_force=true goes on without it"
REASONS = {
    errno.ELOOP: "is a link; qtrl only opens files that lie in the run folder",
    errno.ENOENT: f"is missing; {WITHOUT}",
    errno.EFBIG: "would be too large; set data.capacity or checkpoint_every_env_steps lower",
    errno.ENOSPC: "No space left on device; free space or set data.capacity lower",
}
"""What to say for an error of the operating system."""


class ColumnFiles:
    """The columns of a ring of rows, each in a file of its own.

    The files are as long as the ring from the start but sparse; `reserve` claims real space ahead of the writer, so
    that a full disk is an error and not a bus error.

    Args:
        folder: Where the files lie.
        columns: The layout of a row.
        rows: Rows of the ring.
    """

    def __init__(self, folder: Path, columns: Sequence[Column], rows: int) -> None:
        self._folder, self._rows, self._reserved = folder, rows, 0
        self._files = [(folder / f"{column.name}.bin", column, column.row_bytes * rows) for column in columns]

    def make(self, *, fresh: bool = False) -> None:
        """Make the files that are not there, after a look at those that are.

        Args:
            fresh: Whether new files take the place of all that are there.

        Raises:
            RunFolderError: A file cannot be made, or is not a regular file of the size that the layout asks for.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"replay folder {self._folder}: {error.strerror}; choose another run_dir") from error
        _refuse_link(self._folder)
        missing = []
        for path, _, size in self._files:
            if fresh or not os.path.lexists(path):
                missing.append((path, size))
            else:
                with _opened(path, size):
                    pass
        for path, size in missing:
            _make(path, size)

    def map(self) -> dict[NestedKey, Tensor]:
        """Map the files into memory: a tensor of shape (rows, ...) for each column."""
        tensors: dict[NestedKey, Tensor] = {}
        for path, column, size in self._files:
            with _opened(path, size) as file:
                data = torch.frombuffer(mmap.mmap(file, size), dtype=column.dtype)
            tensors[column.key] = data.view(self._rows, *column.shape)
        return tensors

    def reserve(self, rows: int) -> None:
        """Claim disk space for the first `rows` rows, in whole blocks.

        Raises:
            RunFolderError: The disk is full.
        """
        rows = min(whole_blocks(rows), self._rows)
        if rows <= self._reserved:
            return
        for path, column, size in self._files:
            with _opened(path, size) as file:
                os.posix_fallocate(file, self._reserved * column.row_bytes, (rows - self._reserved) * column.row_bytes)
        self._reserved = rows

    def write(self, row: int, data: Sequence[memoryview]) -> None:
        """Write rows that lie in one block: their bytes in each column."""
        for (path, column, size), part in zip(self._files, data, strict=True):
            with _opened(path, size) as file:
                _write(file, part, row % self._rows * column.row_bytes)

    def read(self, row: int, count: int) -> list[Tensor]:
        """Read rows that lie in one block: their bytes in each column, uint8."""
        parts = []
        for path, column, size in self._files:
            part = torch.empty(count * column.row_bytes, dtype=torch.uint8)
            with _opened(path, size) as file:
                _read(file, part.numpy().data, row % self._rows * column.row_bytes)
            parts.append(part)
        return parts

    def damaged(self, column: int, row: int, count: int) -> RunFolderError:
        """Return the error for rows of a column that are not what was saved."""
        path, _, _ = self._files[column]
        return RunFolderError(f"replay file {path}: rows {row} to {row + count - 1} are damaged; {WITHOUT}")

    def sync(self) -> None:
        """Force what was written onto the disk, and the names of the files with it."""
        for path, _, size in self._files:
            with _opened(path, size) as file:
                os.fsync(file)
        with _explained(self._folder):
            fsync(self._folder)
            fsync(self._folder.parent)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise RunFolderError(f"replay folder {folder} {REASONS[errno.ELOOP]}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one of the run folder."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"replay file {path} {REASONS.get(error.errno or 0, error.strerror)}") from error


@contextmanager
def _opened(path: Path, size: int) -> Iterator[int]:
    """Open a regular file of this size; a link is not followed, and a pipe does not block."""
    _refuse_link(path.parent)
    with _explained(path):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise RunFolderError(f"replay file {path} is not a regular file; {WITHOUT}")
            if found.st_size != size:
                raise RunFolderError(
                    f"replay file {path} has {found.st_size} bytes, expected {size}; keep data.capacity, num_envs and "
                    f"checkpoint_every_env_steps, or {WITHOUT}"
                )
            yield file
        finally:
            os.close(file)


def _make(path: Path, size: int) -> None:
    """Make a sparse file, which appears with its whole length."""
    part = path.with_name(path.name + ".part")
    with _explained(path):
        with suppress(FileNotFoundError):
            part.unlink()
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(file, size)
        finally:
            os.close(file)
        os.replace(part, path)  # noqa: PTH105 - the name says that it replaces


def _write(file: int, data: memoryview, offset: int) -> None:
    while len(data):
        done = os.pwrite(file, data, offset)
        data, offset = data[done:], offset + done


def _read(file: int, data: memoryview, offset: int) -> None:
    while len(data):
        done = os.preadv(file, [data], offset)
        if not done:
            raise OSError(errno.EIO, "ends too early")
        data, offset = data[done:], offset + done
