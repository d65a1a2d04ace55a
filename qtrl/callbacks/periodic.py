"""What happens every so many env steps."""

import time
from abc import ABC, abstractmethod
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.protocols import Learner


class Interval:
    """Tell at which calls a multiple of `env_steps` has been reached or passed."""

    def __init__(self, env_steps: int) -> None:
        self._interval, self._last = env_steps, 0

    def start(self, env_steps: int) -> None:
        """Begin to count at `env_steps`: what was due until then was done."""
        self._last = env_steps

    def due(self, env_steps: int) -> bool:
        """Tell whether a multiple of the interval lies between the previous call and this one."""
        passed = env_steps // self._interval > self._last // self._interval
        self._last = env_steps
        return passed


class Periodic(Callback, ABC):
    """Measure every so many env steps, and at the end unless that was just done; the time is not that of learning."""

    def __init__(self, every_env_steps: int) -> None:
        self.interval, self._last = Interval(every_env_steps), -1

    @abstractmethod
    def measure(self, trainer: Trainer, module: Any) -> None:
        """Measure and log."""

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Begin to count where the run begins or goes on."""
        self.interval.start(pl_module.env_steps)

    def state_dict(self) -> dict[str, Any]:
        """Return where the last measurement is, so that a run that is gone on with does not make it again."""
        return {"last": self._last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._last = state_dict["last"]

    def on_train_batch_end(self, trainer: Trainer, pl_module: Learner, *args: Any) -> None:  # type: ignore[override]
        """Measure where it is due."""
        if self.interval.due(pl_module.env_steps):
            start = time.perf_counter()
            self._measure(trainer, pl_module)
            pl_module.meters.stopwatch.seconds["learning"] -= time.perf_counter() - start

    def on_train_end(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Measure what the run ended with."""
        if pl_module.env_steps != self._last:
            self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, module: Learner) -> None:
        self._last = module.env_steps
        self.measure(trainer, module)
