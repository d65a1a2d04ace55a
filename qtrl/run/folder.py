"""The folder of a run: made once, refused when taken, read back by name."""

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from qtrl.config.saved import read_config
from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_text
from qtrl.files.untrusted import check_tree
from qtrl.loggers.wandb import read_run_id

HANDED_DOWN = "QTRL_RUN_DIR"
"""Rank 0 names its run folder to the processes that it starts by this variable."""

RUN_BY_OTHERS = frozenset({"prefetch.pkl", "other.pickle", "pickle.pkl", "transform.t"})
"""Files that TorchRL and tensordict unpickle where they find them; qtrl neither writes nor reads any."""


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
    """Find the folder of an earlier run, which the command line names by `key` and a stranger may have made.

    Raises:
        RunFolderError: There is none, it has no config, or it holds links or other things that no run leaves.
    """
    if path is None:
        raise RunFolderError(f"which run? give its folder, as in {key}=runs/NAME")
    folder = Path(path).expanduser().absolute()
    if not (folder / "config.yaml").is_file():
        raise RunFolderError(f"{folder} is not a run folder: it has no config.yaml")
    check_run_tree(folder)
    return folder


def check_run_tree(folder: Path) -> None:
    """Refuse a folder that holds links or other things that no run leaves.

    Raises:
        RunFolderError: With the first of them.
    """
    check_tree(folder, skipped="wandb", refused=RUN_BY_OTHERS)
    _check_wandb(folder / "wandb")


def save_config(cfg: DictConfig, run_dir: Path) -> None:
    """Write `config.yaml`."""
    write_text(run_dir / "config.yaml", config_text(cfg))


def config_text(cfg: DictConfig) -> str:
    """Return what `config.yaml` holds: everything resolved, without what is for one command only."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    plain.pop("trust", None)
    return yaml.safe_dump(plain, sort_keys=False)


def load_config(run_dir: Path, trust: Collection[str] = ()) -> DictConfig:
    """Read `config.yaml` back; where the run lies is taken from `run_dir`, never from the file.

    Args:
        run_dir: The run's folder.
        trust: Classes and environment ids of the user's own that the config may name.

    Raises:
        RunFolderError: It is not a config of a run, or names what it may not.
    """
    plain = read_config(run_dir / "config.yaml", trust)
    plain.pop("trust", None)
    plain |= {"run_dir": str(run_dir), "ckpt_path": None, "paths": {"runs": str(run_dir.parent)}}
    cfg = OmegaConf.create(plain)
    OmegaConf.set_struct(cfg, True)
    return cfg


def _check_wandb(folder: Path) -> None:
    """Look at what qtrl and W&B read in W&B's folder; W&B makes links there, which it replaces but does not follow."""
    if (folder / "settings").exists():
        raise RunFolderError(f"{str(folder / 'settings')!r} would change where W&B sends a run: remove it")
    read_run_id(folder / "run_id.txt")


def hand_down(run_dir: Path) -> None:
    """Name the run folder to processes started from now on."""
    os.environ[HANDED_DOWN] = str(run_dir)


def handed_down() -> Path | None:
    """Return the run folder that rank 0 named, in a process that it started."""
    path = os.environ.get(HANDED_DOWN)
    return Path(path) if path and "LOCAL_RANK" in os.environ else None
