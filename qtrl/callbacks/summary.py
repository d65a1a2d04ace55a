"""The end result of a run as one JSON file."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.protocols import Learner, Test, concluding, source_of
from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_json


class RunSummary(Callback):
    """Write `summary.json` at the end, or when the run stops before it.

    Args:
        path: The file.
        test: Summarizes the tests; other callbacks that are `Concluding` add what they have to say.
        warmup_env_steps: Env steps that do not count as learning.
        total_env_steps: Env steps of a complete run.
        facts: Added as they are: env id, versions, commit, seed.
        unit: What is counted, for the status of a run that ended early.
    """

    def __init__(
        self,
        path: Path,
        test: Test,
        *,
        warmup_env_steps: int,
        total_env_steps: int,
        facts: dict[str, Any],
        unit: str = "env step",
    ) -> None:
        self.path, self._test, self._facts = path, test, facts
        self._warmup, self._total = warmup_env_steps, total_env_steps
        self._unit = unit

    def on_train_end(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Write the summary of a complete run, or of one that Lightning ended before, as by `trainer.max_time`."""
        done = source_of(trainer).env_steps
        early = f"ended at {self._unit} {done} of {self._total}"
        self._write(trainer, pl_module, "complete" if done >= self._total else early)

    def on_exception(self, trainer: Trainer, pl_module: Learner, exception: BaseException) -> None:  # type: ignore[override]
        """Write what there is, and why the run stopped."""
        with suppress(RunFolderError):  # a full disk is often why the run stopped
            self._write(trainer, pl_module, f"{type(exception).__name__}: {exception}".rstrip(": "))

    def _write(self, trainer: Trainer, module: Learner, status: str) -> None:
        if not trainer.is_global_zero:
            return
        summary = {"status": status} | self._progress(trainer, module) | dict(self._test.summary())
        for callback in concluding(trainer):
            summary |= callback.summary()
        summary |= self._facts
        write_json(self.path, summary)
        for logger in trainer.loggers:
            if hasattr(logger, "log_summary"):
                logger.log_summary(summary)

    def _progress(self, trainer: Trainer, module: Learner) -> dict[str, Any]:
        seconds, ledger = module.meters.stopwatch.seconds, module.meters.ledger.over_ranks(trainer.world_size)
        learning, per_update = seconds["learning"], module.meters.flops.gflop_per_update
        purposes = module.meters.purposes
        steps = max(0, module.env_steps - self._warmup)
        return {
            "env_steps": max(module.env_steps, getattr(trainer.train_dataloader, "env_steps", 0)),
            "updates": module.updates,
            "gflop_per_update": None if per_update is None else per_update * trainer.world_size,
            "wall_seconds": module.meters.wall_seconds(),
            "learning_seconds": learning,
            "env_steps_per_second": steps / learning if learning > 0 else 0.0,
            "updates_per_second": module.updates / learning if learning > 0 else 0.0,
            "longest_save_seconds": module.meters.longest_save,
            "seconds": {name: seconds[name] for name in module.meters.sections},
            "circuits": ledger.total().circuits,
            "shots": ledger.total().shots,
            "circuit_seconds": sum(ledger.seconds.values()),
            "circuits_by_purpose": {purpose: ledger.circuits[purpose] for purpose in purposes},
            "shots_by_purpose": {purpose: ledger.shots[purpose] for purpose in purposes},
            "circuit_seconds_by_purpose": {purpose: ledger.seconds[purpose] for purpose in purposes},
            "parameter_shift_circuits": ledger.parameter_shift_circuits,
            "world_size": trainer.world_size,
        }
