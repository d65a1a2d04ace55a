"""Files that appear whole or not at all."""

import os
from pathlib import Path


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


def write_text(path: Path, text: str) -> None:
    """Replace a text file; readers see the old text or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    fsync(part)
    publish(part, path)
