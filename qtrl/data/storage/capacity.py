"""Whether the replay fits where it is to lie: asked before anything is allocated, since both fill up hours later."""

import bisect
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from qtrl.data.storage.ring import MOST_ROWS, file_rows
from qtrl.errors import ConfigError

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


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes of memory that this process may still take, or None where the system does not say.

    Args:
        root: Where `proc` and `sys` lie.

    Source: the kernel's pages on `/proc/meminfo` (MemAvailable) and on control groups, version 2. What a group uses
    holds the pages of files, which the kernel gives up when memory runs short.
    """
    limits = [1024 * value for name, value in _fields(root / "proc/meminfo") if name == "MemAvailable:"]
    limits += _groups(root)
    return max(0, min(limits)) if limits else None


def _groups(root: Path) -> Iterator[int]:
    """Give what each control group around this process leaves, the outer ones included."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    base = root / "sys/fs/cgroup"
    for line in lines:
        if line.startswith("0::"):  # version 2
            inner = base / line.removeprefix("0::").strip("/")
            for folder in (inner, *inner.parents[: len(inner.parts) - len(base.parts)]):
                yield from _left(folder)


def _left(folder: Path) -> Iterator[int]:
    try:
        most, now = (folder / "memory.max").read_text().strip(), int((folder / "memory.current").read_text())
    except OSError:
        return
    if most != "max":
        files = ("inactive_file", "active_file")
        yield int(most) - now + sum(value for name, value in _fields(folder / "memory.stat") if name in files)


def _fields(path: Path) -> Iterator[tuple[str, int]]:
    """Give the lines of a table of names and numbers; none where it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        name, value, *_ = line.split()
        yield name, int(value)


def replay_bytes(row_bytes: int, *, capacity: int, slack: int, rows_of_run: int) -> tuple[int, int]:
    """Return the bytes of a replay's files, and of its rows in memory, at the end of a run; see `check_capacity`."""
    rows = min(file_rows(capacity, slack), file_rows(rows_of_run, 0))
    return row_bytes * rows, row_bytes * min(capacity, rows_of_run)
