"""Opening a run folder for training: held by one run at a time, in order whatever happened to the last one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qtrl.callbacks import recover_checkpoint
from qtrl.errors import RunFolderError
from qtrl.files.atomic import PART, remove_parts
from qtrl.run.folder import check_run_tree, make_run_dir

LAST = Path("checkpoints", "last.ckpt")
OF_AN_EARLIER_START = ("metrics.csv", "summary.json")
"""Left by a run that was killed before its first checkpoint."""


def has_checkpoint(run_dir: Path) -> bool:
    """Tell whether there is a checkpoint to go on from, be it the previous one."""
    return any((run_dir / LAST.with_name(LAST.name + suffix)).exists() for suffix in ("", ".prev"))


@contextmanager
def new_run_dir(path: Path, *, leftovers: bool = False) -> Iterator[None]:
    """Make and hold the folder of a run that begins.

    Args:
        path: The folder.
        leftovers: Whether it may hold what a run left that was killed before its first checkpoint.

    Raises:
        RunFolderError: It holds something else, is in use, or cannot be written.
    """
    if leftovers and _begun(path):
        with held(path):
            _clear(path)
            yield
    else:
        make_run_dir(path)
        with held(path):
            yield


def _clear(path: Path) -> None:
    """Take away what a run left that has no checkpoint."""
    check_run_tree(path)
    if has_checkpoint(path):
        raise RunFolderError(f"run_dir={path} has got a checkpoint just now: give the command again to go on with it")
    for name in OF_AN_EARLIER_START:
        (path / name).unlink(missing_ok=True)
    shutil.rmtree(path / LAST.parent / "replay", ignore_errors=True)
    (path / LAST.parent).mkdir(exist_ok=True)


def _begun(path: Path) -> bool:
    """Tell whether a run began in this folder: it has a config, or was killed just before it had one."""
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir() if not PART.fullmatch(entry.name)}
    return "config.yaml" in names or names <= {"checkpoints"}


@contextmanager
def reopened_run_dir(path: Path) -> Iterator[dict[str, Any]]:
    """Hold the folder of a run that goes on, and give the checkpoint that it goes on from.

    Raises:
        RunFolderError: It is in use.
        CheckpointError: Neither the last checkpoint nor the previous one can be read.
    """
    with held(path):
        checkpoint = recover_checkpoint(path / LAST)
        for folder in (path, (path / LAST).parent):
            remove_parts(folder)
        yield checkpoint


@contextmanager
def held(path: Path, key: str = "run_dir") -> Iterator[None]:
    """Lock the folder itself, which the system undoes when the process ends, however it ends.

    Args:
        path: The folder.
        key: The key of the command line that names it.

    Raises:
        RunFolderError: Another process holds it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise RunFolderError(f"{key}={path} is in use by another process: wait for it, or choose another") from error
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(descriptor)
