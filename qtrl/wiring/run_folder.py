"""The folder of a run: made once, refused when taken, read back by name."""

import os
import time
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from qtrl.atomic import write_text
from qtrl.errors import RunFolderError

HANDED_DOWN = "QTRL_RUN_DIR"
"""Rank 0 names its run folder to the processes that it starts by this variable."""


def default_run_dir(runs: str, experiment: str | None, seed: int) -> Path:
    """Name a new run folder after the experiment, the seed and the time."""
    return Path(runs) / f"{experiment or 'run'}-s{seed}-{time.strftime('%Y%m%d-%H%M%S')}"


def make_run_dir(path: Path) -> Path:
    """Make the folder of a new run.

    Raises:
        RunFolderError: It holds something already, or cannot be written.
    """
    path = path.expanduser().absolute()
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            hint = "choose another run_dir, or add resume=true to go on with it"
            raise RunFolderError(f"run_dir={path} exists and is not empty: {hint}")
        (path / "checkpoints").mkdir(parents=True)
    except OSError as error:
        raise RunFolderError(f"run_dir={path} cannot be written: {error.strerror}; choose another run_dir") from error
    return path


def existing_run_dir(path: str | None, key: str) -> Path:
    """Find the folder of an earlier run, which the command line names by `key`.

    Raises:
        RunFolderError: There is none, or it has no config.
    """
    if path is None:
        raise RunFolderError(f"which run? give its folder, as in {key}=runs/NAME")
    folder = Path(path).expanduser().absolute()
    if not (folder / "config.yaml").is_file():
        raise RunFolderError(f"{folder} is not a run folder: it has no config.yaml")
    return folder


def save_config(cfg: DictConfig, run_dir: Path) -> None:
    """Write `config.yaml`, everything resolved."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    write_text(run_dir / "config.yaml", yaml.safe_dump(plain, sort_keys=False))


def load_config(run_dir: Path) -> DictConfig:
    """Read `config.yaml` back.

    Raises:
        RunFolderError: It is not a YAML mapping.
    """
    try:
        plain = yaml.safe_load((run_dir / "config.yaml").read_text())
    except yaml.YAMLError as error:
        raise RunFolderError(f"{run_dir / 'config.yaml'} is not YAML; was it edited?") from error
    if not isinstance(plain, dict):
        raise RunFolderError(f"{run_dir / 'config.yaml'} is not a mapping; was it edited?")
    cfg = OmegaConf.create(plain)
    OmegaConf.set_struct(cfg, True)
    return cfg


def hand_down(run_dir: Path) -> None:
    """Name the run folder to processes started from now on."""
    os.environ[HANDED_DOWN] = str(run_dir)


def handed_down() -> Path | None:
    """Return the run folder that rank 0 named, in a process that it started."""
    path = os.environ.get(HANDED_DOWN)
    return Path(path) if path and "LOCAL_RANK" in os.environ else None
