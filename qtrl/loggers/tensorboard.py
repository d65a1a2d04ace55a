"""TensorBoard's event files; env steps are the axis of every metric."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from qtrl.errors import ConfigError, RunFolderError
from qtrl.keys import ENV_STEPS


class TensorBoard(Logger):
    """Event files in the run folder's `tensorboard/`, made at the first row.

    Lightning's own logger takes the trainer's step as the axis, which here counts the steps of three optimizers. A run
    that goes on hides what was written after the checkpoint that it goes on from.

    Args:
        save_dir: The run folder.
        run_name: Has no effect: TensorBoard calls a run by its folder.
        tags: Have no effect.
        config: Shown as a text beside the metrics.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    name, version = "tensorboard", ""

    def __init__(
        self,
        save_dir: Path,
        *,
        run_name: str = "",
        tags: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            install = "pip install 'qtrl[tensorboard]'"
            raise ConfigError(f"logger=tensorboard needs TensorBoard ({error}): {install}") from error
        self._make, self._folder, self._config = SummaryWriter, save_dir / "tensorboard", dict(config or {})
        self._writer: Any = None

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config is given when the logger is made."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one row; `metrics` holds `env_steps`, and `step` is not used.

        Raises:
            RunFolderError: The files cannot be written.
        """
        env_steps = int(metrics[ENV_STEPS])
        try:
            if self._writer is None:
                self._writer = self._begin(env_steps)
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, env_steps)
        except OSError as error:
            told = f"{error.strerror}; mend that, then go on with resume=true"
            raise RunFolderError(f"{self._folder} cannot be written: {told}") from error

    def _begin(self, env_steps: int) -> Any:
        """Make the event file; of earlier files, what lies at `env_steps` or later is hidden."""
        writer = self._make(str(self._folder), purge_step=env_steps)
        config = json.dumps(self._config, indent=2, default=str)
        writer.add_text("config", f"```json\n{config}\n```", env_steps)
        return writer

    def finalize(self, status: str) -> None:
        """Write what is still to be written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
