"""The folder of a run: validated, made or rewound, and locked while the run trains."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qtrl.errors import ConfigError, RunFolderError
from qtrl.files.atomic import PART, remove_parts, write_text
from qtrl.files.checkpoint import recover_checkpoint
from qtrl.files.run_tree import check_run_tree
from qtrl.loggers import MetricsCSV
from qtrl.process.launchers import HANDED_DOWN
from qtrl.run.lock import locked
from qtrl.run.settings import AUTO, RunSettings
from qtrl.tasks import RunLength

LAST = Path("checkpoints", "last.ckpt")


def has_checkpoint(run_dir: Path) -> bool:
    """Tell whether there is a checkpoint to resume from, be it the previous one."""
    return any((run_dir / LAST.with_name(LAST.name + suffix)).exists() for suffix in ("", ".prev"))


@contextmanager
def new_run_dir(settings: RunSettings, config: str) -> Iterator[None]:
    """Make and lock the folder of a run that begins, and save the text of its `config.yaml`.

    With `resume=auto` the folder may hold what a run left that was killed before its first checkpoint.

    Raises:
        RunFolderError: It holds something else, is in use, or cannot be written.
    """
    path, leftovers = settings.folder, settings.resume == AUTO and _begun(settings.folder)
    if not leftovers:
        _make(path)
    with locked(path):
        if leftovers:
            _clear(path)
        try:
            write_text(path / "config.yaml", config)
        except RunFolderError:
            with suppress(OSError):  # a folder that holds nothing yet would only be in the way of the next try
                (path / "checkpoints").rmdir()
                path.rmdir()
            raise
        os.environ[HANDED_DOWN] = str(path)
        yield


@contextmanager
def resumed_run_dir(path: Path) -> Iterator[dict[str, Any]]:
    """Lock the folder of a run that resumes, and yield the checkpoint that it resumes from."""
    with locked(path):
        checkpoint = recover_checkpoint(path / LAST)
        for folder in (path, (path / LAST).parent):
            remove_parts(folder)
        yield checkpoint


def rewind(settings: RunSettings, length: RunLength, config: str, checkpoint: dict[str, Any], csv: MetricsCSV) -> None:
    """Bring the folder of a run that resumes to the moment of its checkpoint.

    Raises:
        ConfigError: The run would be shorter than what was made of it already.
    """
    done, total = checkpoint["collected_env_steps"], length.total
    if total < done:
        raise ConfigError(f"resume: {length.asked} is below the {done} {length.unit}s already made")
    csv.truncate(checkpoint["csv_rows"])
    write_text(settings.folder / "config.yaml", config)
    os.environ[HANDED_DOWN] = settings.run_dir


def _make(path: Path) -> None:
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            hint = "choose another run_dir, or add resume=true to continue it"
            raise RunFolderError(f"run_dir={path} exists and is not empty: {hint}")
        (path / "checkpoints").mkdir(parents=True)
    except OSError as error:
        raise RunFolderError(f"run_dir={path} cannot be written: {error.strerror}; choose another run_dir") from error


def _clear(path: Path) -> None:
    check_run_tree(path)
    if has_checkpoint(path):
        raise RunFolderError(f"run_dir={path} has got a checkpoint just now: repeat the command to resume from it")
    for name in ("metrics.csv", "summary.json"):
        (path / name).unlink(missing_ok=True)
    shutil.rmtree(path / LAST.parent / "replay", ignore_errors=True)
    (path / LAST.parent).mkdir(exist_ok=True)


def _begun(path: Path) -> bool:
    """Tell whether a run began in this folder: it has a config, or was killed just before it had one."""
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir() if not PART.fullmatch(entry.name)}
    return "config.yaml" in names or names <= {"checkpoints"}
