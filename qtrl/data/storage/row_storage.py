"""TorchRL storage over a ring of transitions that outlasts the process: in memory, or in memory-mapped files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tensordict import NestedKey, TensorDict
from torch import Tensor
from torchrl.data.replay_buffers.storages import Storage

from qtrl.data.schema import Column
from qtrl.data.storage.checksums import Checksums
from qtrl.data.storage.column_files import ColumnFiles
from qtrl.data.storage.ring import file_rows, newest_in, oldest_row, pieces
from qtrl.errors import ConfigError
from qtrl.process.threads import one_thread


class RowStorage(Storage):
    """A ring of rows of which the newest `capacity` can be sampled, and the files in which they are checkpointed.

    TorchRL's writer and samplers see `capacity` slots: slot s is the newest row r with r modulo `capacity` equal to s.
    The files are a ring too, longer by the slack: until then nothing that an earlier checkpoint may sample is
    overwritten. A ring in memory and one in memory-mapped files make the same files, of which a checkpoint trusts what
    its checksums cover.

    Args:
        columns: The layout of a row.
        in_memory: Whether the ring takes memory that is no file's, and a commit appends the rows since the last one to
            the files. Else the files are the ring: the operating system writes them, a commit only waits for it.
        capacity: Rows that may be sampled.
        slack: Rows that may be written before the files lose the oldest row that may be sampled.
        folder: Where the files lie.
        keep: Whether files of an earlier process may be gone on with.
        device: Where a ring in memory lies.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        in_memory: bool,
        capacity: int,
        slack: int,
        folder: Path,
        keep: bool,
        device: torch.device,
    ) -> None:
        super().__init__(capacity)
        self._in_memory, self._device = in_memory, device
        self.written = 0
        """Rows ever written, also those overwritten since."""
        self.file_rows = file_rows(capacity, slack)
        self._columns, self._files = tuple(columns), ColumnFiles(folder, columns, self.file_rows)
        self._checksums = Checksums(len(self._columns))
        self.tensors: dict[NestedKey, Tensor] = self._open(keep)
        """The columns, shape (R, ...) with R at least `capacity`; row r lies at place r modulo R."""
        self._rows = len(self.tensors[self._columns[0].key])

    def __len__(self) -> int:
        return min(self.written, self.max_size)

    def set(self, cursor: Any, data: TensorDict, *, set_cursor: bool = True) -> None:
        """Append rows, shape (n,), whose keys may be more than the columns; `cursor` holds their slots.

        Raises:
            NotImplementedError: Rows that were written are to be changed, which checkpoints may rely on.
        """
        if not set_cursor:
            raise NotImplementedError("rows of the replay are written once: checkpoints may rely on them")
        first, end = self.written, self.written + len(data)
        self.reserve(end)
        for key, tensor in self.tensors.items():
            column = data[key]
            for row, count in pieces(first, end, self._rows):
                tensor.narrow(0, row % self._rows, count).copy_(column.narrow(0, row - first, count), non_blocking=True)
        self.written = end
        self._moved()

    def get(self, index: Any) -> TensorDict:
        """Return rows by slot: copies, but views for a slice of slots that lie in the ring as they are numbered."""
        if isinstance(index, tuple):  # what samplers of slices give
            (index,) = index
        if isinstance(index, slice) and self._in_order():
            views = {key: tensor[: len(self)][index] for key, tensor in self.tensors.items()}
            return TensorDict(views, batch_size=[len(range(len(self))[index])])
        slots = index if isinstance(index, Tensor) else torch.arange(len(self))[index]
        places = self._places(slots).reshape(-1).to(self._device, non_blocking=True)
        with one_thread():  # memory sets the pace; `tensor[places]` takes twice as long, memory of before as long
            columns = {key: tensor.index_select(0, places) for key, tensor in self.tensors.items()}
        # Of no device, or TorchRL's buffer would add the slots to minibatches by a copy that waits for the device.
        rows = TensorDict(columns, batch_size=[len(places)])
        return rows if slots.ndim else rows[0]

    def reserve(self, written: int) -> None:
        """Make sure that the rows before number `written` can be written.

        Raises:
            RunFolderError: The disk is full.
        """
        if not self._in_memory:
            self._files.reserve(written)

    def commit(self) -> None:
        """Bring the rows onto the disk.

        Raises:
            RunFolderError: A file cannot be written; the next commit begins where the last good one ended.
        """
        checksums = self._checksums.since(oldest_row(self.written, self.max_size))
        if self._in_memory:
            self._files.make()
            self._files.reserve(self.written)
        for row, count in pieces(checksums.end, self.written, self._rows):
            data = [part.cpu().numpy().data for part in self._bytes(row, count)]
            if self._in_memory:
                self._files.write(row, data)
            checksums.append(count, data)
        self._files.sync()
        self._checksums = checksums

    def state_dict(self) -> dict[str, Any]:
        """Return the number of rows and the checksums of those that were committed, not the rows themselves."""
        return {"written": self.written, **self._checksums.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the rows of the last commit before `state_dict`.

        Raises:
            CheckpointError: The state is malformed.
            RunFolderError: A file is missing, or its rows are not those that were committed.
        """
        sizes = {"capacity": self.max_size, "rows": self.file_rows}
        checksums = Checksums.from_state(state_dict, len(self._columns), **sizes)
        for row, count in pieces(checksums.first, checksums.end, self.file_rows):
            parts = self._files.read(row, count)
            self._check(checksums, row, count, parts)
            if self._in_memory:
                self._take(row, count, parts, oldest_row(checksums.end, self.max_size))
        self._checksums, self.written = checksums, checksums.end
        self._moved()

    def _moved(self) -> None:
        """Tell samplers that cache something of the rows that they have changed."""
        self._set_last_cursor((self.written - 1) % self.max_size if self.written else None)
        self._bump_mutation_revision()

    def _in_order(self) -> bool:
        return self.written <= self.max_size or self._rows == self.max_size

    def _places(self, slots: Tensor) -> Tensor:
        """Return where in the ring the rows of some slots lie."""
        return slots if self._in_order() else newest_in(slots, self.written, self.max_size) % self._rows

    def _bytes(self, row: int, count: int) -> list[Tensor]:
        """Return the bytes of rows that lie beside each other in the ring, uint8, as a view."""
        place = row % self._rows
        parts = (self.tensors[column.key].narrow(0, place, count) for column in self._columns)
        return [part.reshape(-1).view(torch.uint8) for part in parts]

    def _check(self, checksums: Checksums, row: int, count: int, parts: Sequence[Tensor]) -> None:
        """Refuse rows of one block that are not what was saved, or hold a truth value that is none."""
        bad = checksums.differing(row, [part.numpy().data for part in parts])
        bad += [i for i, column in enumerate(self._columns) if column.dtype == torch.bool and parts[i].max() > 1]
        if bad:
            raise self._files.damaged(bad[0], row, count)

    def _open(self, keep: bool) -> dict[NestedKey, Tensor]:
        """Give the columns of the ring."""
        if self._in_memory:  # pages are taken as they are filled
            sizes = {each.key: (self.max_size, *each.shape) for each in self._columns}
            kinds = {each.key: each.dtype for each in self._columns}
            return {key: torch.empty(size, dtype=kinds[key], device=self._device) for key, size in sizes.items()}
        self._files.make(fresh=not keep)
        return self._files.map()

    def _take(self, row: int, count: int, parts: Sequence[Tensor], oldest: int) -> None:
        """Put the bytes of rows of one block into the ring, but for those before row `oldest`."""
        for first, length in pieces(max(row, oldest), row + count, self.max_size):
            for target, part, column in zip(self._bytes(first, length), parts, self._columns, strict=True):
                target.copy_(part.narrow(0, (first - row) * column.row_bytes, length * column.row_bytes))


STORAGES = {"memory": True, "memmap": False, "device": True}
"""What `data.storage` may be, and whether the rows then take memory that is no file's."""


def storage_device(storage: str, learning: torch.device) -> torch.device:
    """Return where the rows of a storage of `STORAGES` lie: for `device` on the GPU that learns, else on the CPU.

    Raises:
        ConfigError: No GPU learns.
    """
    if storage != "device":
        return torch.device("cpu")
    if learning.type == "cpu":
        raise ConfigError("data.storage=device needs a GPU that learns: set trainer=gpu, or choose memory or memmap")
    return learning


def in_memory(storage: str) -> bool:
    """Tell whether the rows of a storage of `STORAGES` take memory that is no file's.

    Raises:
        ConfigError: The name is unknown.
    """
    if storage not in STORAGES:
        raise ConfigError(f"data.storage={storage!r} is unknown; choose one of {', '.join(STORAGES)}")
    return STORAGES[storage]
