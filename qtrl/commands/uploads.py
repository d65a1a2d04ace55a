"""Uploads of videos and reports to W&B, where the command line asks for them."""

from collections.abc import Collection
from pathlib import Path

from omegaconf import DictConfig

from qtrl.config.instantiate import logger_makers
from qtrl.config.saved import load_config
from qtrl.errors import ConfigError
from qtrl.files.run_tree import check_run_tree
from qtrl.loggers import WandbRun
from qtrl.loggers.artifacts import REPORT


def own_wandb_run(run_cfg: DictConfig, run_dir: Path) -> WandbRun:
    """Prepare the W&B run that a run was logged to, or raise a ConfigError; nothing is sent yet."""
    return _wandb_run(run_cfg, run_dir, run_dir, run_name=run_dir.name, tags=list(run_cfg.tags))


def report_wandb_run(out: Path, run_dir: Path, trust: Collection[str] = ()) -> WandbRun:
    """Prepare a W&B run for a report, in the project and group of the compared run in `run_dir`; nothing is sent yet.

    The report's folder `out` keeps the W&B run's id for the next report there.

    Raises:
        ConfigError: The run was not logged to W&B.
        RunFolderError: Its config cannot be read or is not to be trusted, or `out` holds links or settings of W&B.
    """
    if out.is_dir():
        check_run_tree(out)
    cfg = load_config(run_dir, trust)
    return _wandb_run(cfg, run_dir, out, run_name=f"{REPORT} {out.name}", job_type=REPORT)


def _wandb_run(cfg: DictConfig, run_dir: Path, save_dir: Path, **options: object) -> WandbRun:
    loggers = [make(save_dir, **options) for make in logger_makers(cfg.get("logger"))]
    run = next((logger for logger in loggers if isinstance(logger, WandbRun)), None)
    if run is None:
        raise ConfigError(f"log=true sends files to W&B, but {run_dir} was run without it: leave log=true out")
    return run


def print_address(address: str) -> None:
    """Print where files were uploaded to, which is empty where a warning told why not."""
    if address:
        print(f"qtrl: W&B: {address}")
