"""Files that appear whole or not at all."""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from qtrl.errors import RunFolderError

PART = re.compile(r"\.[^/]+\.(?:[0-9a-f]{16}|link)\.part")
"""Names of the files that `new_part` and `link` make, and that a kill leaves behind."""


def fsync(path: Path) -> None:
    """Wait until a file's contents, or a folder's list of names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(part: Path, target: Path) -> None:
    """Give a finished file or folder its final name in one step, and make that last."""
    os.replace(part, target)  # noqa: PTH105 - the name says that it replaces
    fsync(target.parent)


def new_part(target: Path) -> tuple[int, Path]:
    """Make an empty file in the folder of `target`, under a name that nobody can have prepared.

    Returns:
        Its descriptor, open for reading and writing, and its path.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), part


def link(source: Path, target: Path) -> None:
    """Give a file a second name in the same folder, in place of whatever has that name."""
    part = target.with_name(f".{target.name}.link.part")
    part.unlink(missing_ok=True)
    os.link(source, part, follow_symlinks=False)
    try:
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)  # it is still there where both names were the same file's already


def write_text(path: Path, text: str) -> None:
    """Replace a text file; readers see the old text or the new one.

    Raises:
        RunFolderError: It cannot be written; the old text is kept.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file as `write_text` does.

    Raises:
        RunFolderError: It cannot be written; the old content is kept.
    """
    part = None
    try:
        descriptor, part = new_part(path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        publish(part, path)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what killed writers left in a folder; call it where no other process can be writing there."""
    for path in folder.iterdir():
        if PART.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
            with suppress(FileNotFoundError):
                path.unlink()
