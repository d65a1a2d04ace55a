"""Where the rows of a run lie: row r, counted from 0 over the whole run, lies at place r modulo the ring's length."""

from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor

BLOCK_ROWS = 4_096
"""Rows of a block: files are whole blocks long, and every block has checksums of its own."""
MOST_ROWS = 2**53
"""More rows than any run writes."""

Rows = TypeVar("Rows", int, Tensor)


def file_rows(capacity: int, slack: int) -> int:
    """Return how many rows the files hold, in whole blocks.

    The first block of a checkpoint may begin up to a block before the oldest row that the checkpoint may sample.

    Args:
        capacity: Rows that may be sampled.
        slack: Rows that may be written before the oldest of these may be overwritten.
    """
    return whole_blocks(capacity + slack + BLOCK_ROWS - 1)


def whole_blocks(rows: int) -> int:
    """Round rows up to whole blocks."""
    return -(-rows // BLOCK_ROWS) * BLOCK_ROWS


def oldest_row(written: int, capacity: int) -> int:
    """Return the oldest row that may be sampled after so many were written."""
    return max(0, written - capacity)


def newest_in(slots: Rows, written: int, capacity: int) -> Rows:
    """Return the newest row of each slot of a ring of `capacity` rows, of which `written` were written."""
    oldest = oldest_row(written, capacity)
    return oldest + (slots - oldest) % capacity


def pieces(start: int, stop: int, ring_rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows where a block ends and where a ring of so many rows ends: first row and number of each piece."""
    while start < stop:
        end = min(stop, *(start - start % length + length for length in (BLOCK_ROWS, ring_rows)))
        yield start, end - start
        start = end


def first_of_block(row: int) -> int:
    """Return the first row of the block that a row is in."""
    return row - row % BLOCK_ROWS


def block_of(row: int) -> int:
    """Return the number of the block that a row is in."""
    return row // BLOCK_ROWS
