"""The checkpoints of a run: `last.ckpt` to go on from, `best.ckpt` with the best test return."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.periodic import Interval
from qtrl.callbacks.protocols import Learner, Test, source_of
from qtrl.errors import EnvFaultError
from qtrl.process.stopping import Interruption


class Checkpoints(Callback):
    """Save every so many env steps, at the end, where a signal or failing environments stop it, and each best test.

    After anything else that went wrong nothing is saved: the last checkpoint is the last good one.

    Args:
        folder: Where the checkpoints lie.
        test: Knows at which test the best result was seen; listed before this callback.
        every_env_steps: Interval between saves of `last.ckpt`.
    """

    def __init__(self, folder: Path, test: Test, *, every_env_steps: int) -> None:
        self.last_path, self.best_path = folder / "last.ckpt", folder / "best.ckpt"
        self._test, self._interval, self._best_env_steps = test, Interval(every_env_steps), -1
        self._saved: tuple[int, object] = (-1, None)

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on, and save the test that was made up for."""
        self._interval.start(pl_module.env_steps)
        self._save_best(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return which test `best.ckpt` is of."""
        return {"best_env_steps": self._best_env_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._best_env_steps = state_dict["best_env_steps"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Learner, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Add how many env steps were collected, which may be after the last update, and how many rows were written."""
        checkpoint["collected_env_steps"] = source_of(trainer).env_steps
        counts = (getattr(logger, "row_count", None) for logger in trainer.loggers)
        checkpoint["csv_rows"] = next((count for count in counts if count is not None), 0)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Learner, *args: Any) -> None:  # type: ignore[override]
        """Save what is due."""
        self._save_best(trainer)
        if self._interval.due(pl_module.env_steps):
            self._save_last(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Save the end, to be gone on from with more env steps, unless that was just done."""
        self._save_best(trainer)
        if self._saved != (pl_module.updates, self._test.last):
            self._save_last(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: Learner, exception: BaseException) -> None:  # type: ignore[override]
        """Save what a run has that was asked to stop, or whose environments failed; it did so between two updates.

        All ranks stop together when they are asked to, but one alone whose environments fail.
        """
        if isinstance(exception, Interruption) or (isinstance(exception, EnvFaultError) and trainer.world_size == 1):
            self._save_last(trainer, pl_module)

    def _save_best(self, trainer: Trainer) -> None:
        best_at = self._test.best_at
        if best_at is not None and best_at != self._best_env_steps:
            self._best_env_steps = best_at
            trainer.save_checkpoint(self.best_path, weights_only=False)

    def _save_last(self, trainer: Trainer, module: Learner) -> None:
        meters, start = module.meters, time.perf_counter()
        with meters.stopwatch.section("save"):
            source_of(trainer).commit()
            trainer.save_checkpoint(self.last_path, weights_only=False)
        meters.longest_save = max(meters.longest_save, time.perf_counter() - start)
        self._saved = (module.updates, self._test.last)
