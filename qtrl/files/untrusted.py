"""Reading of untrusted files: opened once, without following links, regular, of a bounded size."""

import errno
import os
import stat
from pathlib import Path

from qtrl.errors import RunFolderError

OPENING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags for `os.open`: do not follow a link, do not block on a FIFO."""


def read_regular(path: Path, *, limit: int) -> bytes:
    """Read a regular file; its type and size are checked on the open descriptor, so it cannot be swapped in between.

    Args:
        path: The file; its last component may not be a symbolic link.
        limit: Maximum size in bytes.

    Raises:
        FileNotFoundError: It does not exist.
        RunFolderError: It is a link, not a regular file, too large, or cannot be read.
    """
    try:
        descriptor = os.open(path, OPENING)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise RunFolderError(f"{path} cannot be read: {reason}; expected a regular file") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise RunFolderError(f"{path} is no regular file")
        if found.st_size > limit:
            raise RunFolderError(f"{path} has {found.st_size:,} bytes, expected at most {limit:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def check_tree(folder: Path, *, skipped: str, refused: frozenset[str]) -> None:
    """Refuse a folder that holds anything but folders and regular files, so that no write can escape from it.

    Args:
        folder: Root of the tree.
        skipped: Name of a direct subfolder whose contents are not checked.
        refused: File names that are not allowed.

    Raises:
        RunFolderError: Names the first link, FIFO, socket, device or refused name.
    """
    for parent, folders, files in os.walk(folder, onerror=_cannot_look):
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
                raise RunFolderError(
                    f"{str(path)!r} is no file of qtrl's, and other programs run what it says: remove it"
                )
        if Path(parent) == folder:
            folders[:] = [name for name in folders if name != skipped]


def _cannot_look(error: OSError) -> None:
    raise RunFolderError(f"{error.filename} cannot be read: {error.strerror}") from error
