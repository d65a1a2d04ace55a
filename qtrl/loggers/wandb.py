"""Weights & Biases: offline unless a key is there or it is asked for; env steps are the axis of every metric."""

import netrc
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from qtrl.keys import ENV_STEPS

HOST = "api.wandb.ai"


def has_key() -> bool:
    """Tell whether this machine is logged in: by `WANDB_API_KEY`, or by `wandb login`'s entry in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class WandbRun(Logger):
    """One W&B run, made at the first row.

    Lightning's own W&B logger makes `trainer/global_step` the axis, which here counts the steps of three optimizers.
    The run goes on without W&B once it fails: `metrics.csv` has every row.

    Args:
        save_dir: The run folder; W&B writes into its `wandb/`.
        project: The W&B project.
        run_name: The run's display name.
        entity: The W&B user or team; None for the account's default.
        group: Runs to be compared share a group.
        tags: Labels to filter by.
        offline: None decides by `WANDB_MODE`, then by whether a key is there.
        config: Stored with the run.
    """

    def __init__(
        self,
        save_dir: Path,
        *,
        project: str,
        run_name: str,
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        offline: bool | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if offline is None:
            self.mode: Any = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
        else:
            self.mode = "offline" if offline else "online"
        self._save_dir, self._failed = save_dir, False
        self._run: Any = None
        self._init: dict[str, Any] = {
            "project": project,
            "name": run_name,
            "entity": entity,
            "group": group,
            "tags": list(tags),
            "config": dict(config or {}),
        }

    @property
    def name(self) -> str:
        """The logger's name."""
        return "wandb"

    @property
    def version(self) -> str:
        """The id under which W&B keeps the run, also over a resume."""
        path = self._save_dir / "wandb" / "run_id.txt"
        return path.read_text().strip() if path.is_file() else ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; made on first use."""
        if self._run is None:
            import wandb

            (self._save_dir / "wandb").mkdir(exist_ok=True)
            self._run = wandb.init(
                dir=str(self._save_dir),
                id=self.version or None,
                resume="allow",
                mode=self.mode,
                settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
                **self._init,
            )
            (self._save_dir / "wandb" / "run_id.txt").write_text(self._run.id)
            self._run.define_metric(ENV_STEPS)
            self._run.define_metric("*", step_metric=ENV_STEPS)
        return self._run

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config is given when the run is made."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row; `metrics` holds `env_steps`, and `step` is not used."""
        self._try(lambda: self.experiment.log(dict(metrics)))

    def log_summary(self, summary: Mapping[str, Any]) -> None:
        """Store the end result with the run."""
        self._try(lambda: self.experiment.summary.update(dict(summary)))

    def finalize(self, status: str) -> None:
        """Close the run, so that the next one of this process is another."""
        if self._run is not None:
            self._try(lambda: self.experiment.finish(exit_code=0 if status == "success" else 1))
            self._run = None

    def _try(self, call: Any) -> None:
        if self._failed:
            return
        try:
            call()
        except Exception as error:  # W&B's service may die in many ways; none of them may end a training
            self._failed = True
            warnings.warn(f"W&B failed ({error}); the run goes on, metrics.csv has every row", stacklevel=3)
