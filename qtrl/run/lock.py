"""Exclusive use of a folder by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qtrl.errors import RunFolderError


@contextmanager
def locked(path: Path, key: str = "run_dir", hint: str = "wait for it, or choose another") -> Iterator[None]:
    """Lock a folder, which `key` of the command line names, until the block or the process ends, however it ends.

    Raises:
        RunFolderError: Another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise RunFolderError(f"{key}={path} is in use by another process: {hint}") from error
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(descriptor)
