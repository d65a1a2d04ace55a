"""Metrics to numbers, once every so many env steps."""

import statistics
from typing import Any

from lightning.pytorch import Trainer

from qtrl.callbacks.periodic import Periodic
from qtrl.callbacks.protocols import Learner, ReplayStream, RLLearner, source_of
from qtrl.meters import RunMeters
from qtrl.nn import quantum_layers
from qtrl.quantum.information import binary_entropy


class LearnerRows(Periodic):
    """Write one row of the metrics that every learner has; losses are rank 0's, counts are sums over ranks.

    Lightning's `self.log` costs more than a small update; so the module keeps tensors, and this turns them into floats.
    """

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on."""
        super().on_train_start(trainer, pl_module)
        self._before = self._progress(pl_module)

    def measure(self, trainer: Trainer, module: Any) -> None:
        """Write a row."""
        if not trainer.is_global_zero:
            return
        row: dict[str, float] = {"env_steps": module.env_steps, "updates": module.updates}
        row |= self._collected(trainer) | self._times(module)
        row |= self._quantum(module.meters, trainer.world_size)
        row |= {name: value.mean().item() for name, value in module.metrics.items()}
        row |= self._derived(module)
        for logger in trainer.loggers:
            logger.log_metrics(row)

    def _collected(self, trainer: Trainer) -> dict[str, float]:
        """Return what the data says; to be overridden."""
        return {}

    def _derived(self, module: Any) -> dict[str, float]:
        """Return what follows from the newest minibatch; to be overridden."""
        return {}

    def _times(self, module: Learner) -> dict[str, float]:
        seconds = module.meters.stopwatch.seconds
        row: dict[str, float] = {f"time/{name}": seconds[name] for name in module.meters.sections}
        row["time/total"] = module.meters.wall_seconds()
        now = self._progress(module)
        steps, updates, elapsed = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        if elapsed > 0:
            row |= {"time/env_steps_per_second": steps / elapsed, "time/updates_per_second": updates / elapsed}
        return row

    @staticmethod
    def _quantum(meters: RunMeters, world_size: int) -> dict[str, float]:
        ledger = meters.ledger.over_ranks(world_size)
        row: dict[str, float] = {"quantum/parameter_shift_circuits": ledger.parameter_shift_circuits}
        for name, counts in (("circuits", ledger.circuits), ("shots", ledger.shots), ("seconds", ledger.seconds)):
            row[f"quantum/{name}"] = sum(counts.values())
            row |= {f"quantum/{name}/{purpose}": counts[purpose] for purpose in meters.purposes}
        return row

    @staticmethod
    def _progress(module: Learner) -> tuple[int, int, float]:
        return module.env_steps, module.updates, module.meters.stopwatch.seconds["learning"]


class MetricRows(LearnerRows):
    """Write one row of all metrics of reinforcement learning; returns are rank 0's."""

    def _collected(self, trainer: Trainer) -> dict[str, float]:
        stream: ReplayStream = source_of(trainer)
        ended = stream.stats.episodes.pop()
        row: dict[str, float] = {
            "train/episodes": stream.stats.episodes.count,
            "train/lost_steps": stream.stats.lost_steps,
            "train/env_errors": stream.stats.env_errors,
        }
        if ended:
            row["train/return"] = statistics.fmean(total for total, _ in ended)
            row["train/episode_length"] = statistics.fmean(length for _, length in ended)
        return row | {f"train/info/{name}": value for name, value in stream.stats.info.pop().items()}

    def _derived(self, module: RLLearner) -> dict[str, float]:
        entropies = [
            binary_entropy(module.q_out[name].mean(dim=0)).sum().item()
            for name, layer in quantum_layers(module.actor).items()
            if layer.block.gives_probabilities and name in module.q_out
        ]
        return {"train/q_out_entropy": sum(entropies)} if entropies else {}


class ExampleRows(LearnerRows):
    """Write one row of the metrics of a run over examples, of which an epoch has so many.

    Args:
        every_env_steps: Examples from one row to the next.
        epoch: Examples of an epoch, over all ranks.
    """

    def __init__(self, every_env_steps: int, *, epoch: int) -> None:
        super().__init__(every_env_steps)
        self._epoch = epoch

    def _derived(self, module: Learner) -> dict[str, float]:
        return {"train/epoch": module.env_steps / self._epoch}
