"""The checkpoint that a run begins with, where it has one."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from omegaconf import DictConfig

from qtrl.algos import TD3
from qtrl.callbacks import AtomicCheckpointIO, read_checkpoint
from qtrl.run.checkpoint_checks import check_resumable, check_widths, load_weights
from qtrl.run.folder import handed_down
from qtrl.run.lock import LAST, reopened_run_dir


@dataclass(frozen=True)
class Origin:
    """A checkpoint that the run goes on from, or whose weights it starts with.

    Attributes:
        path: The file.
        checkpoint: What is in it.
        goes_on: Whether everything is taken over, not the weights alone.
    """

    path: Path
    checkpoint: dict[str, Any]
    goes_on: bool

    def fill(self, module: TD3, trainer: Trainer) -> None:
        """Take the weights over, and hand the rest to Lightning: what it restores is what was checked.

        Raises:
            CheckpointError: It does not fit what was built from the config.
        """
        load_weights(module, self.checkpoint, self.path)
        if self.goes_on:
            check_resumable(module, self.checkpoint, self.path)
            reader = trainer.strategy.checkpoint_io
            assert isinstance(reader, AtomicCheckpointIO)
            reader.hand_out(self.path, self.checkpoint)


def find_origin(cfg: DictConfig, held: ExitStack) -> Origin | None:
    """Read the checkpoint that the config asks for.

    Args:
        cfg: The run's config.
        held: Holds the folder of a run that goes on until it is closed.

    Raises:
        CheckpointError: It cannot be read, or is of another architecture.
        RunFolderError: The folder is in use.
    """
    if cfg.resume is True:
        path = Path(cfg.run_dir) / LAST
        leads = handed_down() is None
        checkpoint = held.enter_context(reopened_run_dir(Path(cfg.run_dir))) if leads else read_checkpoint(path)
    elif cfg.ckpt_path is not None:
        path = Path(cfg.ckpt_path).expanduser()
        checkpoint = read_checkpoint(path)
    else:
        return None
    check_widths(cfg, checkpoint, path)
    return Origin(path, checkpoint, goes_on=cfg.resume is True)
