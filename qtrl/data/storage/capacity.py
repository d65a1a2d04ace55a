"""Whether the replay fits where it is to lie: asked before anything is allocated, since both fill up hours later."""

import bisect
import math
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from qtrl.data.storage.ring import MOST_ROWS, file_rows
from qtrl.errors import ConfigError
from qtrl.process.memory import available_memory

CPU = torch.device("cpu")
HEADROOM = 1.05
"""Bytes asked for each byte of rows."""


def check_capacity(
    row_bytes: int,
    *,
    capacity: int,
    slack: int,
    rows_of_run: int,
    in_memory: bool,
    folder: Path | None,
    processes: int = 1,
    device: torch.device = CPU,
) -> None:
    """Refuse a replay that cannot be filled.

    Args:
        row_bytes: Bytes of a row.
        capacity: Rows that may be sampled.
        slack: As in `Replay`.
        rows_of_run: Rows that the run writes on each rank; what it cannot fill is not counted.
        in_memory: Whether the ring takes memory.
        folder: Where the files lie; None for a replay without files. What they take already counts as available.
        processes: Ranks that share the machine.
        device: Whose memory the ring takes.

    Raises:
        ConfigError: Says what is needed, what there is, and the largest capacity that fits.
    """
    each = math.ceil(HEADROOM * row_bytes * processes)
    demands: list[tuple[str, int, Callable[[int], int]]] = []  # of what, bytes to be had, bytes that a capacity needs
    if in_memory and device.type == "cuda":  # where all rows are taken at once, and each rank has its own memory
        of_rank = math.ceil(HEADROOM * row_bytes)
        demands.append(("of memory on the GPU", available_on_gpu(device), lambda size: of_rank * size))
    elif in_memory and (memory := available_memory()) is not None:
        demands.append(("of memory", memory, lambda size: each * min(size, rows_of_run)))
    if folder is not None:
        disk = available_disk(folder) + processes * present(folder)
        rows = file_rows(rows_of_run, 0)
        demands.append((f"on the disk of {folder}", disk, lambda size: each * min(file_rows(size, slack), rows)))
    sizes = range(min(capacity, MOST_ROWS) + 1)
    fitting = [bisect.bisect_right(sizes, available, key=needed) - 1 for _, available, needed in demands]
    for where, available, needed in demands:
        need, largest = needed(capacity), min(fitting)
        if need > available:
            advice = f"set data.capacity to at most {largest} or make room" if largest > 0 else "make room"
            raise ConfigError(
                f"the replay of data.capacity={capacity} needs {need / 1e9:.3g} GB {where}, "
                f"there are {available / 1e9:.3g} GB: {advice}"
            )


def check_allocation(row_bytes: Iterable[int], capacity: int) -> None:
    """Refuse a ring in memory that the operating system does not even promise, whatever the run fills of it.

    Args:
        row_bytes: Bytes of a row in each column.
        capacity: Rows of the ring, all of which are asked for at once.

    Raises:
        ConfigError: Says what is needed.
    """
    rings = [capacity * column for column in row_bytes]
    try:
        for ring in rings:
            torch.empty(ring, dtype=torch.uint8)
    except (RuntimeError, MemoryError):
        needed = f"asks for {sum(rings) / 1e9:.3g} GB of memory at once, which the system does not give"
        raise ConfigError(
            f"the replay of data.capacity={capacity} {needed}: set it lower, or data.storage=memmap"
        ) from None


def available_disk(folder: Path) -> int:
    """Return the free bytes where a folder is or will be; no limit where the file system does not count bytes."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return usage.free if usage.total else 2**62


def available_on_gpu(device: torch.device) -> int:
    """Return the free bytes of a GPU."""
    return torch.cuda.mem_get_info(device)[0]


def present(folder: Path) -> int:
    """Return the bytes that the files of a folder take on the disk."""
    files = (path.lstat() for path in folder.glob("*.bin"))
    return sum(512 * found.st_blocks for found in files)  # which counts in 512 bytes


def replay_bytes(row_bytes: int, *, capacity: int, slack: int, rows_of_run: int) -> tuple[int, int]:
    """Return the bytes of a replay's files, and of its rows in memory, at the end of a run; see `check_capacity`."""
    rows = min(file_rows(capacity, slack), file_rows(rows_of_run, 0))
    return row_bytes * rows, row_bytes * min(capacity, rows_of_run)
