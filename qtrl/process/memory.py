"""The memory that this process may still take."""

from collections.abc import Iterator
from pathlib import Path


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
