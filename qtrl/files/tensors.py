"""Named tensors in a file of the safetensors format, which holds nothing that could be run."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from qtrl.errors import CheckpointError, RunFolderError
from qtrl.files.atomic import write_bytes
from qtrl.files.untrusted import read_regular

LARGEST = 2**30
"""Bytes of a file."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, atomically.

    Raises:
        RunFolderError: The file cannot be written.
    """
    from safetensors.torch import save

    write_bytes(path, save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors onto the CPU; names and shapes are still untrusted.

    Raises:
        CheckpointError: The file is missing, too large, damaged, or of another format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(read_regular(path, limit=LARGEST))
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path}") from None
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no file of safetensors, or damaged: {str(error).splitlines()[0]}") from error
