"""Checkpoint files: atomic writes with a checksum, and reads that never run code from the file."""

import hashlib
import io
import os
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from qtrl.errors import CheckpointError, RunFolderError
from qtrl.files.atomic import link, new_part, publish
from qtrl.files.untrusted import read_regular

MAGIC = b"qtrl-sha256:"
"""What follows the archive that `torch.save` wrote, before its SHA-256 digest; `torch.load` ignores both."""
TRAILER = len(MAGIC) + hashlib.sha256().digest_size
LARGEST = 2**32
"""Bytes of a checkpoint; the replay is not in it."""
PLAIN = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.dtype, torch.device, torch.Size)
"""Allow-list of the types that a checkpoint may hold, apart from built-in containers."""


def assert_plain(value: Any, where: str = "checkpoint", seen: set[int] | None = None) -> None:
    """Raise a CheckpointError that names the first value at or below `where` that is no tensor and no plain data.

    `torch.load(..., weights_only=True)` may reject such a value. Containers that were `seen`, by id, are skipped.
    """
    seen = set() if seen is None else seen
    if type(value) in PLAIN or id(value) in seen:
        return
    seen.add(id(value))
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            assert_plain(key, where, seen)
            assert_plain(item, f"{where}.{key}", seen)
    elif type(value) in (list, tuple, set):
        for index, item in enumerate(value):
            assert_plain(item, f"{where}[{index}]", seen)
    else:
        kind = type(value).__qualname__
        raise CheckpointError(f"{where} holds a {kind}; a checkpoint holds tensors and plain data only")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, without running code, and verify its checksum; its contents are still untrusted.

    Raises:
        CheckpointError: The file is missing, damaged, or not a checkpoint.
    """
    archive = _archive(path)
    try:
        checkpoint = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)  # noqa: TID251
        assert_plain(checkpoint)
    except Exception as error:  # torch.load raises nearly anything on a file that is not its own
        raise CheckpointError(f"{path} is not a checkpoint that loads with weights_only=True") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} is not a checkpoint: it has no state_dict")
    return checkpoint


def _archive(path: Path) -> memoryview:
    """Return the archive that `torch.save` wrote, after checking its digest and the sizes that its entries claim."""
    try:
        data = memoryview(read_regular(path, limit=LARGEST))
    except FileNotFoundError:
        raise CheckpointError(f"no checkpoint at {path}") from None
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error
    archive, trailer = data[:-TRAILER], bytes(data[-TRAILER:])
    signed = trailer.startswith(MAGIC)
    if signed and hashlib.sha256(archive).digest() != trailer[len(MAGIC) :]:
        raise CheckpointError(f"{path} is damaged: its checksum does not match")
    if not signed and not bytes(data[-22:]).startswith(b"PK\x05\x06"):  # the archive's end-of-central-directory record
        raise CheckpointError(f"{path} is not a checkpoint, or only a part of one: it does not end as one")
    archive = archive if signed else data
    try:
        parts = zipfile.ZipFile(io.BytesIO(archive)).infolist()
    except Exception as error:  # zipfile raises nearly anything too
        raise CheckpointError(f"{path} is not a checkpoint: it is no archive") from error
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise CheckpointError(f"{path} is not a checkpoint: it is compressed, which torch.save never does")
    if sum(part.file_size for part in parts) > len(archive):
        raise CheckpointError(f"{path} is not a checkpoint: its parts claim more bytes than it has")
    return archive


def read_newest(path: Path) -> tuple[dict[str, Any], Path]:
    """Read a checkpoint, or if it is damaged with a warning `.prev` beside it; return it and its file.

    Raises:
        CheckpointError: Neither can be read; the message is about `path`.
    """
    try:
        return read_checkpoint(path), path
    except CheckpointError as error:
        previous = path.with_name(path.name + ".prev")
        try:
            checkpoint = read_checkpoint(previous)
        except CheckpointError:
            raise error from None
        print(f"qtrl: {error}; {previous.name} is taken instead", file=sys.stderr, flush=True)
        return checkpoint, previous


def recover_checkpoint(path: Path) -> dict[str, Any]:
    """Read as `read_newest` does; after a fallback restore the previous checkpoint to `path`, atomically.

    The damaged file is kept as `.damaged`.
    """
    checkpoint, taken = read_newest(path)
    if taken != path:
        try:
            if os.path.lexists(path):
                link(path, path.with_name(path.name + ".damaged"))
            link(taken, path)
        except OSError as error:
            raise CheckpointError(f"cannot put {taken} in the place of {path}: {error.strerror}") from error
    return checkpoint


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint atomically; the one that it replaces is kept as `.prev`.

    Raises:
        CheckpointError: It holds other than tensors and plain data, or cannot be written; `path` is then unchanged.
    """
    assert_plain(checkpoint)
    target, part = path.absolute(), None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = new_part(target)
        with os.fdopen(descriptor, "w+b") as file:
            torch.save(checkpoint, file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(MAGIC + digest)
            file.flush()
            os.fsync(descriptor)
        if target.exists():
            link(target, target.with_name(target.name + ".prev"))
        publish(part, target)
    except (OSError, RuntimeError) as error:
        reason = str(error) if isinstance(error, OSError) else f"the disk may be full ({error})"  # torch's own
        raise CheckpointError(f"cannot write {target}: {reason}; the previous checkpoint is kept") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
