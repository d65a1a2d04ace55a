"""Reading of untrusted files: opened once, without following links, regular, of a bounded size."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from qtrl.errors import RunFolderError


class NotAnObjectError(RunFolderError):
    """A file holds something else than a JSON object."""


def read_regular(path: Path, *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Type and size are checked on the open descriptor, so that the file cannot be exchanged in between.

    Raises:
        FileNotFoundError: It does not exist.
        RunFolderError: It is a link, not a regular file, too large, or cannot be read.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise RunFolderError(f"{path} has {size:,} bytes, expected at most {limit:,}")
        return file.read(limit)


def read_json_object(path: Path, *, limit: int = 2**24) -> dict[str, Any]:
    """Read a JSON object of at most `limit` bytes, 16 MiB where nothing else is said.

    Raises:
        FileNotFoundError: It does not exist.
        NotAnObjectError: It is not whole, not JSON, or no object; says which, with the path.
        RunFolderError: It is a link, not a regular file, too large, or cannot be read.
    """
    try:
        found = json.loads(read_regular(path, limit=limit))
    except (ValueError, RecursionError):
        raise NotAnObjectError(f"{path} is not JSON, or not whole") from None
    if not isinstance(found, dict):
        raise NotAnObjectError(f"{path} is no JSON object")
    return found


def read_parts(path: Path, offsets: Iterable[int], length: int) -> list[bytes]:
    """Read parts of equal length of a regular file; those that reach beyond its end are left out.

    Raises:
        FileNotFoundError: It does not exist.
        RunFolderError: It is a link, not a regular file, or cannot be read.
    """
    with _opened(path) as file:
        parts = [os.pread(file.fileno(), length, offset) for offset in offsets]
    return [part for part in parts if len(part) == length]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file without following links or waiting for a FIFO."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RunFolderError(f"{path} is no regular file")
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise RunFolderError(f"{path} cannot be read: {reason}; expected a regular file") from error


def check_tree(folder: Path, *, skipped: str, refused: set[str]) -> None:
    """Refuse a folder that holds anything but folders and regular files, so that no write can escape from it.

    Args:
        folder: Root of the tree.
        skipped: Name of a direct subfolder whose contents are not checked.
        refused: File names that are not allowed either.
    """
    for parent, folders, files in os.walk(folder, onerror=_raise_unreadable):
        for name in (*folders, *files):
            path = Path(parent, name)
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # another process of the run has just replaced it
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
                raise RunFolderError(f"{str(path)!r} is {kind}; a run folder holds regular files only: remove it")
            if name in refused:
                raise RunFolderError(f"{str(path)!r} is no file of qtrl's, and other programs run it: remove it")
        if Path(parent) == folder:
            folders[:] = [name for name in folders if name != skipped]


def _raise_unreadable(error: OSError) -> None:
    raise RunFolderError(f"{error.filename} cannot be read: {error.strerror}") from error
