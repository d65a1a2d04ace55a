"""Lightning's checkpoint plugin over `qtrl.files.checkpoint`."""

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from qtrl.files.checkpoint import read_checkpoint, write_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically and read them with `weights_only=True` alone.

    Lightning's own writer goes through the temporary folder, which may lie on another disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._checked: dict[Path, dict[str, Any]] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint as `write_checkpoint` does."""
        write_checkpoint(checkpoint, Path(path))

    def hand_out(self, path: Path, checkpoint: dict[str, Any]) -> None:
        """Serve this checkpoint, read from `path` and validated before, when Lightning asks for `path` next."""
        self._checked = {path.absolute(): checkpoint}

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the checkpoint that was handed out for `path`, or read it; `weights_only` is always True."""
        checked = self._checked.pop(Path(path).absolute(), None)
        return read_checkpoint(Path(path)) if checked is None else checked
