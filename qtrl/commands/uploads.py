"""Files of a run and of a report, sent to W&B where it is asked for."""

from collections.abc import Collection, Sequence
from pathlib import Path

from omegaconf import DictConfig

from qtrl.config.instantiate import build
from qtrl.config.saved import load_config
from qtrl.errors import ConfigError
from qtrl.loggers import WandbRun
from qtrl.loggers.artifacts import REPORT, log_report, log_video
from qtrl.run.folder import check_run_tree


def own_wandb_run(run_cfg: DictConfig, run_dir: Path) -> WandbRun:
    """Prepare the W&B run that a run was logged to; nothing is sent yet.

    Args:
        run_cfg: The run's config.
        run_dir: Its folder.

    Raises:
        ConfigError: It was not logged to W&B.
    """
    return _wandb_run(run_cfg, run_dir, run_dir, run_name=run_dir.name, tags=list(run_cfg.tags))


def report_wandb_run(out: Path, run_dir: Path, trust: Collection[str] = ()) -> WandbRun:
    """Prepare a W&B run for a report, in the project and group of the runs that it is about; nothing is sent yet.

    Args:
        out: The folder of the report, which keeps the run's id: the next report there goes to the same run.
        run_dir: The folder of one of the runs.
        trust: Classes and environment ids of the user's own that its config may name.

    Raises:
        ConfigError: The run was not logged to W&B.
        RunFolderError: Its config cannot be read, or `out` holds links or settings of W&B.
    """
    if out.is_dir():
        check_run_tree(out)
    cfg = load_config(run_dir, trust)
    return _wandb_run(cfg, run_dir, out, run_name=f"{REPORT} {out.name}", job_type=REPORT)


def send_video(run: WandbRun, path: Path, *, env_steps: int) -> None:
    """Send a video of a test episode, and say where it is.

    Args:
        run: As `own_wandb_run` prepared it.
        path: An MP4 file.
        env_steps: Those after which the agent was tested.
    """
    _say(log_video(run, path, env_steps=env_steps))


def send_report(run: WandbRun, files: Sequence[Path]) -> None:
    """Send the files of a report, and say where they are.

    Args:
        run: As `report_wandb_run` prepared it.
        files: The page, then the others that were written.
    """
    _say(log_report(run, files))


def _wandb_run(cfg: DictConfig, run_dir: Path, save_dir: Path, **options: object) -> WandbRun:
    run = build(cfg.logger)(save_dir, **options) if cfg.get("logger") else None
    if not isinstance(run, WandbRun):
        raise ConfigError(f"log=true sends files to W&B, but {run_dir} was run without it: leave log=true out")
    return run


def _say(where: str) -> None:
    if where:  # else a warning told why not
        print(f"qtrl: W&B: {where}")
