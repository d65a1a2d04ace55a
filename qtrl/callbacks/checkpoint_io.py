"""Checkpoints on disk: written aside, forced to disk, renamed, with a checksum that is read."""

import hashlib
import io
import os
import tempfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from qtrl.atomic import publish
from qtrl.errors import CheckpointError

MAGIC = b"qtrl-sha256:"
"""Begins the trailer behind the archive that `torch.save` writes, which `torch.load` does not look at."""
TRAILER = len(MAGIC) + hashlib.sha256().digest_size
ZIP_END = b"PK\x05\x06"
"""Begins the last 22 bytes of an archive that `torch.save` wrote."""
PLAIN = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.dtype, torch.device, torch.Size)


def assert_plain(value: Any, where: str = "checkpoint") -> None:
    """Refuse what `torch.load(..., weights_only=True)` could not read back.

    Raises:
        CheckpointError: Something in `value` is neither a tensor nor plain data; says where.
    """
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            assert_plain(key, where)
            assert_plain(item, f"{where}.{key}")
    elif type(value) in (list, tuple, set):
        for index, item in enumerate(value):
            assert_plain(item, f"{where}[{index}]")
    elif type(value) not in PLAIN:
        raise CheckpointError(
            f"{where} holds a {type(value).__qualname__}; a checkpoint holds tensors and plain data only"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it.

    Args:
        path: The file.

    Returns:
        What was saved, tensors on the CPU.

    Raises:
        CheckpointError: No such file, a wrong checksum, or not a checkpoint at all.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    data = path.read_bytes()
    archive, trailer = data[:-TRAILER], data[-TRAILER:]
    signed = trailer.startswith(MAGIC)
    if signed and hashlib.sha256(archive).digest() != trailer[len(MAGIC) :]:
        raise CheckpointError(f"{path} is damaged: its checksum does not match; take {path.name}.prev beside it")
    if not signed and not data[-22:].startswith(ZIP_END):
        raise CheckpointError(f"{path} is not a checkpoint, or only a part of one: it does not end as one")
    try:
        checkpoint = torch.load(io.BytesIO(archive if signed else data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises nearly anything on a file that is not its own
        raise CheckpointError(f"{path} is not a checkpoint that loads with weights_only=True") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} is not a checkpoint: it has no state_dict")
    return checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint reader and writer, made safe against kills.

    The new file is written in the folder of the old one and takes its name in one step; the old one stays as `.prev`.
    Lightning's own writer goes through the temporary folder, which may lie on another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint of plain data."""
        assert_plain(checkpoint)
        target = Path(path).absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=f".{target.name}", suffix=".part", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                _write(file, checkpoint)
            Path(part).chmod(0o644)
            if target.exists():
                _keep_previous(target)
            publish(Path(part), target)
        except (OSError, RuntimeError) as error:
            raise CheckpointError(f"cannot write {target}: {error}; the previous checkpoint is kept") from error
        finally:
            with suppress(FileNotFoundError):
                Path(part).unlink()

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; never with anything but `weights_only=True`."""
        return read_checkpoint(Path(path))


def _write(file: Any, checkpoint: dict[str, Any]) -> None:
    torch.save(checkpoint, file)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").digest()
    file.seek(0, os.SEEK_END)
    file.write(MAGIC + digest)
    file.flush()
    os.fsync(file.fileno())


def _keep_previous(target: Path) -> None:
    link = target.with_name(f".{target.name}.link.part")
    with suppress(FileNotFoundError):
        link.unlink()
    os.link(target, link)
    try:
        publish(link, target.with_name(target.name + ".prev"))
    finally:
        with suppress(FileNotFoundError):
            link.unlink()
