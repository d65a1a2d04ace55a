"""The tests of a supervised run: on the validation rows every so many epochs, on the test rows at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from qtrl.callbacks.examples.predictions import predict, scale_of, write_predictions, write_surface
from qtrl.callbacks.examples.scores import Scores, score
from qtrl.callbacks.periodic import Periodic
from qtrl.keys import SCORES
from qtrl.nn import quantum_layers


class ExampleTests(Periodic):
    """Test the model with its real blocks; the checkpoint of the best validation is the best one.

    Args:
        table: A `qtrl.data.tables.Table`.
        split: Its `qtrl.data.tables.Split`.
        run_dir: Where the predictions of the test rows are written, and of two inputs the decision surface.
        every_env_steps: Examples from one validation to the next.
        seed: Seeds the blocks' random draws.

    Attributes:
        last: Examples seen, and scores, of the newest validation; None before the first.
        best: Those of the one with the best accuracy or R².
        tested: Examples seen, and scores, of the test at the end; None before it.
    """

    def __init__(self, table: Any, split: Any, run_dir: Path, *, every_env_steps: int, seed: int) -> None:
        super().__init__(every_env_steps)
        self._table, self._split, self._run_dir, self._seed = table, split, run_dir, seed
        self.chief = SCORES[table.kind][1]
        self.last: tuple[int, dict[str, float]] | None = None
        self.best: tuple[int, dict[str, float]] | None = None
        self.tested: tuple[int, dict[str, float]] | None = None
        self._details: dict[str, Any] = {}

    def measure(self, trainer: Trainer, module: Any) -> None:
        """Score the validation rows."""
        scores = self._scores(trainer, module, "validation")
        self.last = (module.env_steps, dict(scores.values))
        if self.best is None or scores.values[self.chief] > self.best[1][self.chief]:
            self.best = self.last

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Score the validation rows, and the test rows once: nothing is chosen by them."""
        super().on_train_end(trainer, pl_module)
        if self.tested is None or self.tested[0] != pl_module.env_steps:
            scores = self._scores(trainer, pl_module, "test")
            self.tested = (pl_module.env_steps, dict(scores.values))
            self._details = dict(scores.details)

    def _scores(self, trainer: Trainer, module: Any, name: str) -> Scores:
        """Predict on rank 0, tell all ranks, log."""
        scores: Scores | None = None
        if trainer.is_global_zero:
            part, layers, meters = getattr(self._split, name), quantum_layers(module), module.meters
            with meters.stopwatch.section("test"), meters.ledger.timed("test", layers):
                outputs = predict(module, part.inputs, seed=self._seed)
            meters.ledger.add("test", layers.block_cost(len(part)))
            scores = score(outputs, part.targets, scale=scale_of(module))
            if name == "test":
                self._write(module, outputs)
        scores = trainer.strategy.broadcast(scores)
        assert scores is not None
        if trainer.is_global_zero:
            row = {"env_steps": module.env_steps, "updates": module.updates}
            row |= {f"{name}/{metric}": value for metric, value in scores.values.items()}
            for logger in trainer.loggers:
                logger.log_metrics(row)
        return scores

    def _write(self, module: Any, outputs: Any) -> None:
        path = self._run_dir / "test_predictions.csv"
        write_predictions(path, outputs, self._split.test, self._table, scale_of(module))
        if len(self._table.columns) == 2:
            write_surface(self._run_dir / "decision_surface.csv", module, self._table, seed=self._seed)

    @property
    def best_at(self) -> int | None:
        """Examples seen at the best validation; None before the first."""
        return self.best[0] if self.best else None

    def score(self, metric: str) -> float:
        """Return a score of the test, or of the last validation, after at least one test."""
        part, _, name = metric.partition("/")
        found = self.tested if part == "test" else self.last
        assert found is not None
        return found[1][name]

    def summary(self) -> Mapping[str, Any]:
        """Return what `summary.json` says of the tests."""
        parts = {"validation": self.last, "test": self.tested}
        scores = {f"{part}_{name}": value for part, found in parts.items() if found for name, value in found[1].items()}
        if self.best:
            scores |= {f"best_validation_{self.chief}": self.best[1][self.chief], "best_env_steps": self.best[0]}
        return scores | self._details

    def status(self) -> str:
        """Describe the newest validation for the progress bar."""
        return f"validation {self.chief} {self.last[1][self.chief]:.3f}" if self.last else ""

    def result(self) -> str:
        """Describe the last and the best test in one line."""
        assert self.last is not None and self.best is not None
        tested = f"test {self.chief} {self.tested[1][self.chief]:.4f}, " if self.tested else ""
        best = f"best {self.best[1][self.chief]:.4f} after {self.best[0]:,} examples"
        return f"{tested}validation {self.chief} {self.last[1][self.chief]:.4f}, {best}"

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Say which table the model was trained on, and what its columns and classes are called."""
        table = self._table
        checkpoint["fingerprint"] = table.fingerprint
        checkpoint["table"] = {"columns": [*table.columns], "classes": [*table.classes], "target": table.target}

    def state_dict(self) -> dict[str, Any]:
        """Return the results as plain data."""
        own = {"last_scores": self.last, "best": self.best, "tested": self.tested, "details": self._details}
        return super().state_dict() | own

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self.last, self.best, self.tested = (state_dict[name] for name in ("last_scores", "best", "tested"))
        self._details = state_dict["details"]
