"""Faults by count: the k-th call that changes a folder fails, or ends the process."""

import builtins
import io
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = (
    "open",
    "write",
    "pwrite",
    "fsync",
    "fdatasync",
    "ftruncate",
    "truncate",
    "posix_fallocate",
    "replace",
    "rename",
    "link",
    "unlink",
    "remove",
    "mkdir",
    "chmod",
)
"""Functions of `os` that change a disk, or begin to; `pathlib` and `tempfile` call them too."""
DELETE = ("unlink", "remove")
"""Works on a full disk."""
NO_SPACE, KILLED = OSError(28, "No space left on device"), 99


class Faults:
    """Count calls that change what is in a folder, and let one of them fail.

    Args:
        folder: The folder.
        at: Number of the call that fails, from 1; 0 for none.
        ends: Whether the process ends there, instead of an error being raised.
        lasting: Whether every later call fails too, as on a disk that stays full.
    """

    def __init__(self, folder: Path, at: int, *, ends: bool = False, lasting: bool = False) -> None:
        self._folder, self.at, self.ends, self.lasting = folder, at, ends, lasting
        self.calls: list[str] = []
        self.met = False

    def concerns(self, target: Any) -> bool:
        """Tell whether a path or a descriptor belongs to the folder."""
        open_file = isinstance(target, int)
        path = Path(f"/proc/self/fd/{target}").readlink() if open_file else Path(target).absolute()
        return path.is_relative_to(self._folder)

    def meet(self, name: str) -> bool:
        """Count a call; tell whether it is one that fails."""
        self.calls.append(name)
        here = len(self.calls) == self.at or (self.lasting and 0 < self.at < len(self.calls))
        self.met |= here
        return here

    def fail(self) -> None:
        """End the process, or raise what a full disk raises."""
        if self.ends:
            os._exit(KILLED)
        raise OSError(*NO_SPACE.args)

    def before(self, name: str, call: Callable) -> Callable:
        """Wrap a function that fails before it does anything."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.concerns(args[0]) and self.meet(name) and (self.ends or name not in DELETE):
                self.fail()
            return call(*args, **kwargs)

        return counted

    def file(self, opened: Any) -> "CountedFile":
        """Wrap an open file."""
        return CountedFile(opened, self)


class CountedFile:
    """A file of which each write may be the one that fails after half of its bytes."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def write(self, data: Any) -> int:
        """Write all, or half and fail."""
        if self._faults.meet("file.write"):
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            self._faults.fail()
        return self._file.write(data)

    def __enter__(self) -> "CountedFile":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def injected(faults: Faults) -> Any:
    """Count and fail the calls of this process in the `with` block."""
    originals = {name: getattr(os, name) for name in NAMES if hasattr(os, name)}
    fdopen, opener = os.fdopen, io.open

    def counted_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not set(mode) & set("wax+") or not faults.concerns(file):
            return opener(file, mode, *args, **kwargs)
        if faults.meet("open for writing"):
            faults.fail()
        return faults.file(opener(file, mode, *args, **kwargs))

    def counted_fdopen(descriptor: int, *args: Any, **kwargs: Any) -> Any:
        file = fdopen(descriptor, *args, **kwargs)
        return faults.file(file) if faults.concerns(descriptor) else file

    try:
        for name, call in originals.items():
            setattr(os, name, faults.before(name, call))
        os.fdopen = counted_fdopen
        io.open = builtins.open = counted_open
        yield faults
    finally:
        for name, call in originals.items():
            setattr(os, name, call)
        os.fdopen, io.open, builtins.open = fdopen, opener, opener
