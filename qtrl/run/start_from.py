"""The checkpoint that a run starts from, where it has one."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from qtrl.files.checkpoint import read_checkpoint
from qtrl.process.launchers import handed_down
from qtrl.run.checkpoint_checks import build_fitting
from qtrl.run.folder import LAST, resumed_run_dir
from qtrl.run.settings import RunSettings

Made = TypeVar("Made", bound=nn.Module)


@dataclass(frozen=True)
class StartingPoint:
    """The content of a checkpoint that a run resumes from (`resumes`), or whose weights alone it starts with."""

    path: Path
    checkpoint: dict[str, Any]
    resumes: bool

    def build(self, make_module: Callable[[], Made]) -> Made:
        """Make the module that the config describes, once the checkpoint is known to fit it.

        Raises:
            CheckpointError: The checkpoint does not fit.
        """
        module = build_fitting(make_module, self.checkpoint, self.path)
        if not self.resumes:
            module.load_state_dict(self.checkpoint["state_dict"])
        return module


def find_starting_point(settings: RunSettings, held: ExitStack) -> StartingPoint | None:
    """Read the checkpoint that the settings ask for; `held` keeps the folder of a run that resumes locked.

    Raises:
        CheckpointError: It cannot be read.
        RunFolderError: The folder is in use.
    """
    if settings.resume is True:
        leads, path = handed_down() is None, settings.folder / LAST
        checkpoint = held.enter_context(resumed_run_dir(settings.folder)) if leads else read_checkpoint(path)
        return StartingPoint(path, checkpoint, resumes=True)
    if settings.ckpt_path is not None:
        path = Path(str(settings.ckpt_path)).expanduser()
        return StartingPoint(path, read_checkpoint(path), resumes=False)
    return None
