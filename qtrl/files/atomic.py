"""Atomic writes: a file is written beside its target, forced to disk and renamed."""

import csv
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from qtrl.errors import RunFolderError

PART = re.compile(r"\.[^/]+\.(?:[0-9a-f]{16}|link)\.part")
"""Names of the temporary files of `new_part` and `link`, which a kill leaves behind."""


def fsync(path: Path) -> None:
    """Force a file's contents, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(part: Path, target: Path) -> None:
    """Rename a finished file or folder to its final name atomically, and force the rename to disk."""
    os.replace(part, target)  # noqa: PTH105 - the name says that it replaces
    fsync(target.parent)


def new_part(target: Path) -> tuple[int, Path]:
    """Create a temporary file beside `target` under an unpredictable name; return its descriptor and its path."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), part


def link(source: Path, target: Path) -> None:
    """Hard-link `source` as `target` in the same folder, replacing `target` atomically."""
    part = target.with_name(f".{target.name}.link.part")
    part.unlink(missing_ok=True)
    os.link(source, part, follow_symlinks=False)
    try:
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)  # rename does nothing where both already were the same file


def write_text(path: Path, text: str) -> None:
    """Replace a text file as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file as `write_bytes` does."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Replace a CSV file as `write_bytes` does; lines end with a newline alone."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically: readers see the old content or the new.

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
    """Remove the temporary files of killed writers; call it only while no other process writes into the folder."""
    for path in folder.iterdir():
        if PART.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
            with suppress(FileNotFoundError):
                path.unlink()
