"""Checkpoints on disk: written aside, forced to disk, renamed, with a checksum that is read."""

import hashlib
import io
import os
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from qtrl.errors import CheckpointError, RunFolderError
from qtrl.files.atomic import link, new_part, publish
from qtrl.files.untrusted import read_regular

MAGIC = b"qtrl-sha256:"
"""Begins the trailer behind the archive that `torch.save` writes, which `torch.load` does not look at."""
TRAILER = len(MAGIC) + hashlib.sha256().digest_size
ZIP_END = b"PK\x05\x06"
"""Begins the last 22 bytes of an archive that `torch.save` wrote."""
LARGEST = 2**32
"""Most bytes of a checkpoint; the replay is not in it."""
PLAIN = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.dtype, torch.device, torch.Size)


def assert_plain(value: Any, where: str = "checkpoint", seen: set[int] | None = None) -> None:
    """Refuse what is neither a tensor nor plain data: `torch.load(..., weights_only=True)` may not read it back.

    Args:
        value: What to look through; a container that is met again is not looked through again.
        where: What to call it.
        seen: The containers met so far.

    Raises:
        CheckpointError: Says where the first other thing is.
    """
    seen = set() if seen is None else seen
    if type(value) in (dict, OrderedDict, list, tuple, set):
        if id(value) in seen:
            return
        seen.add(id(value))
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            assert_plain(key, where, seen)
            assert_plain(item, f"{where}.{key}", seen)
    elif type(value) in (list, tuple, set):
        for index, item in enumerate(value):
            assert_plain(item, f"{where}[{index}]", seen)
    elif type(value) not in PLAIN:
        raise CheckpointError(
            f"{where} holds a {type(value).__qualname__}; a checkpoint holds tensors and plain data only"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it; what it says has still to be checked before use.

    Args:
        path: The file.

    Returns:
        What was saved, tensors on the CPU.

    Raises:
        CheckpointError: No such file, a wrong checksum, or not a checkpoint at all.
    """
    archive = _archive(path)
    try:
        checkpoint = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
        assert_plain(checkpoint)
    except Exception as error:  # torch.load raises nearly anything on a file that is not its own
        raise CheckpointError(f"{path} is not a checkpoint that loads with weights_only=True") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} is not a checkpoint: it has no state_dict")
    return checkpoint


def _archive(path: Path) -> memoryview:
    """Read what `torch.save` wrote, its checksum compared and its parts as large as they claim to be."""
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
    if not signed and not bytes(data[-22:]).startswith(ZIP_END):
        raise CheckpointError(f"{path} is not a checkpoint, or only a part of one: it does not end as one")
    archive = archive if signed else data
    try:
        parts = zipfile.ZipFile(io.BytesIO(archive)).infolist()
    except Exception as error:  # so does zipfile
        raise CheckpointError(f"{path} is not a checkpoint: it is no archive") from error
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise CheckpointError(f"{path} is not a checkpoint: it is compressed, which torch.save never does")
    if sum(part.file_size for part in parts) > len(archive):
        raise CheckpointError(f"{path} is not a checkpoint: its parts claim more bytes than it has")
    return archive


def read_newest(path: Path) -> tuple[dict[str, Any], Path]:
    """Read a checkpoint, or where it is missing or damaged the one that it replaced; say so, change nothing.

    Args:
        path: The newer file; the older one is `.prev` beside it.

    Returns:
        What was saved, and the file that it came from.

    Raises:
        CheckpointError: Neither can be read; the message is the newer one's.
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
    """Do as `read_newest`, and put the older checkpoint where the newer one belongs, so that a run can go on from it.

    A damaged file stays as `.damaged`. A kill at any instant leaves the older checkpoint where it was.
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


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint reader and writer, made safe against kills.

    The new file is written in the folder of the old one and takes its name in one step; the old one stays as `.prev`.
    Lightning's own writer goes through the temporary folder, which may lie on another disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._checked: dict[Path, dict[str, Any]] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint of plain data."""
        assert_plain(checkpoint)
        target = Path(path).absolute()
        part = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, part = new_part(target)
            with os.fdopen(descriptor, "w+b") as file:
                _write(file, checkpoint)
            if target.exists():
                link(target, target.with_name(target.name + ".prev"))
            publish(part, target)
        except (OSError, RuntimeError) as error:
            reason = str(error) if isinstance(error, OSError) else f"the disk may be full ({error})"  # torch's own
            raise CheckpointError(f"cannot write {target}: {reason}; the previous checkpoint is kept") from error
        finally:
            if part is not None:
                part.unlink(missing_ok=True)

    def hand_out(self, path: Path, checkpoint: dict[str, Any]) -> None:
        """Give Lightning this checkpoint, which was read from `path` and checked, when it asks for `path` next."""
        self._checked = {path.absolute(): checkpoint}

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return what was handed out for `path`, or read it; never with anything but `weights_only=True`."""
        checked = self._checked.pop(Path(path).absolute(), None)
        return read_checkpoint(Path(path)) if checked is None else checked


def _write(file: Any, checkpoint: dict[str, Any]) -> None:
    torch.save(checkpoint, file)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").digest()
    file.seek(0, os.SEEK_END)
    file.write(MAGIC + digest)
    file.flush()
    os.fsync(file.fileno())
