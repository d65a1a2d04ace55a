"""The end result of a run as one JSON file."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.algos import TD3
from qtrl.callbacks.metric_rows import SECTIONS
from qtrl.callbacks.testing import Testing
from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_json
from qtrl.keys import PURPOSES


class RunSummary(Callback):
    """Write `summary.json` at the end, or when the run stops before it.

    Args:
        path: The file.
        testing: Has the last and the best test.
        warmup_env_steps: Env steps that do not count as learning.
        facts: Added as they are: env id, versions, commit, seed.
    """

    def __init__(self, path: Path, testing: Testing, *, warmup_env_steps: int, facts: dict[str, Any]) -> None:
        self.path, self._testing, self._warmup, self._facts = path, testing, warmup_env_steps, facts

    def on_train_end(self, trainer: Trainer, pl_module: TD3) -> None:  # type: ignore[override]
        """Write the summary of a complete run."""
        self._write(trainer, pl_module, "complete")

    def on_exception(self, trainer: Trainer, pl_module: TD3, exception: BaseException) -> None:  # type: ignore[override]
        """Write what there is, and why the run stopped."""
        with suppress(RunFolderError):  # a full disk is often why the run stopped
            self._write(trainer, pl_module, f"{type(exception).__name__}: {exception}".rstrip(": "))

    def _write(self, trainer: Trainer, module: TD3, status: str) -> None:
        if not trainer.is_global_zero:
            return
        summary = {"status": status} | self._progress(trainer, module) | self._tests() | self._facts
        write_json(self.path, summary)
        for logger in trainer.loggers:
            if hasattr(logger, "log_summary"):
                logger.log_summary(summary)

    def _progress(self, trainer: Trainer, module: TD3) -> dict[str, Any]:
        seconds, ledger = module.meters.stopwatch.seconds, module.meters.ledger.over_ranks(trainer.world_size)
        learning = seconds["learning"]
        steps = max(0, module.env_steps - self._warmup)
        return {
            "env_steps": max(module.env_steps, getattr(trainer.train_dataloader, "env_steps", 0)),
            "updates": module.updates,
            "wall_seconds": module.meters.wall_seconds(),
            "learning_seconds": learning,
            "env_steps_per_second": steps / learning if learning > 0 else 0.0,
            "updates_per_second": module.updates / learning if learning > 0 else 0.0,
            "longest_save_seconds": module.meters.longest_save,
            "seconds": {name: seconds[name] for name in SECTIONS},
            "circuits": ledger.total().circuits,
            "shots": ledger.total().shots,
            "circuit_seconds": sum(ledger.seconds.values()),
            "circuits_by_purpose": {purpose: ledger.circuits[purpose] for purpose in PURPOSES},
            "shots_by_purpose": {purpose: ledger.shots[purpose] for purpose in PURPOSES},
            "circuit_seconds_by_purpose": {purpose: ledger.seconds[purpose] for purpose in PURPOSES},
            "parameter_shift_circuits": ledger.parameter_shift_circuits,
            "world_size": trainer.world_size,
        }

    def _tests(self) -> dict[str, Any]:
        last, best = self._testing.last, self._testing.best
        if last is None or best is None:
            return {"return_mean": None, "return_std": None, "return_per_episode": []}
        history = self._testing.history
        return {
            "return_mean": last.return_mean,
            "return_std": last.return_std,
            "return_per_episode": list(last.returns),
            "best_return_mean": best.return_mean,
            "best_env_steps": best.env_steps,
            "last_ten_return_mean": history.recent_mean,
            "last_ten_env_steps": list(history.recent),
        }
