"""Checksums of the rows that a checkpoint may sample, one for each column and block."""

import zlib
from collections.abc import Sequence
from typing import Any

import torch

from qtrl.data.storage.column_files import WITHOUT
from qtrl.data.storage.ring import MOST_ROWS, block_of, first_of_block, oldest_row
from qtrl.errors import CheckpointError


class Checksums:
    """CRC32 of the rows from `first` up to `end`, the latter not included; it goes on where it was left.

    Args:
        columns: Number of columns.
        first: The row to begin with.
    """

    def __init__(self, columns: int, first: int = 0) -> None:
        self.first = self.end = first
        self._columns = columns
        self._blocks: list[tuple[int, ...]] = []

    def since(self, oldest: int) -> "Checksums":
        """Return a copy without the blocks that end before row `oldest`; an empty one if all do."""
        copy = Checksums(self._columns, oldest)
        if self.end >= oldest:
            copy.first, copy.end = max(self.first, first_of_block(oldest)), self.end
            copy._blocks = self._blocks[block_of(copy.first) - block_of(self.first) :]
        return copy

    def append(self, rows: int, data: Sequence[memoryview]) -> None:
        """Go on with rows that lie in one block: their bytes in each column."""
        if not self._blocks or first_of_block(self.end) == self.end:
            self._blocks.append((0,) * self._columns)
        self._blocks[-1] = tuple(zlib.crc32(part, crc) for part, crc in zip(data, self._blocks[-1], strict=True))
        self.end += rows

    def differing(self, row: int, data: Sequence[memoryview]) -> list[int]:
        """Return the columns whose bytes are not those of the block that begins with `row`."""
        expected = self._blocks[block_of(row) - block_of(self.first)]
        return [column for column, part in enumerate(data) if zlib.crc32(part) != expected[column]]

    def state_dict(self) -> dict[str, object]:
        """Return plain data; the checksums have the shape (blocks, columns)."""
        blocks = torch.tensor(self._blocks, dtype=torch.int64).reshape(-1, self._columns)
        return {"first": self.first, "committed": self.end, "checksums": blocks}

    @classmethod
    def from_state(cls, state: dict[str, Any], columns: int, *, capacity: int, rows: int) -> "Checksums":
        """Take what `state_dict` returned from a checkpoint, with the rows `written` beside it.

        Args:
            state: Written by anybody.
            columns: Number of columns.
            capacity: Rows that may be sampled.
            rows: Rows of the files.

        Raises:
            CheckpointError: A value is missing, of the wrong type or size, or contradicts another.
        """
        written, first, committed = (_count(state, key) for key in ("written", "first", "committed"))
        if committed != written:
            raise CheckpointError(f"replay of {written} rows was saved with {committed} of them; {WITHOUT}")
        if not max(0, written - rows) <= first <= oldest_row(written, capacity):
            raise CheckpointError(f"replay of {written} rows cannot have checksums from row {first} on; {WITHOUT}")
        blocks, shape = state.get("checksums"), (block_of(written - 1) - block_of(first) + 1 if written else 0, columns)
        if not isinstance(blocks, torch.Tensor) or blocks.dtype != torch.int64 or blocks.shape != shape:
            raise CheckpointError(f"replay of {written} rows: expected int64 checksums of shape {shape}; {WITHOUT}")
        sums = cls(columns, first)
        sums.end, sums._blocks = written, [tuple(block) for block in blocks.tolist()]
        return sums


def _count(state: dict[str, Any], key: str) -> int:
    value = state.get(key)
    if type(value) is not int or not 0 <= value <= MOST_ROWS:
        raise CheckpointError(f"replay: '{key}' must be a number of rows, got {str(value)[:40]!r}; {WITHOUT}")
    return value
