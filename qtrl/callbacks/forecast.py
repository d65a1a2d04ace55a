"""What a run will cost, said once its speed is known."""

import resource
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, Trainer

from qtrl.callbacks.protocols import Learner

UPDATES = 100
"""Updates that the speed is taken from, after the first one, which compiles what has to be."""
BESIDE = ("test", "probe", "save")
"""Sections of the stopwatch that are no part of the speed."""


class Forecast(Callback):
    """Say how long the run will take, and what it will occupy, at the speed of its first hundred updates.

    Tests, probes and checkpoints come on top. A run that ends before that says nothing.

    Args:
        total_env_steps: Env steps of the run.
        updates: Updates of the run, on each rank.
        replay_bytes: Returns the bytes of the replay on disk and in memory, over all ranks, for a module.
    """

    def __init__(self, *, total_env_steps: int, updates: int, replay_bytes: Callable[[Any], tuple[int, int]]) -> None:
        self._total, self._updates, self._replay_bytes = total_env_steps, updates, replay_bytes
        self._first: tuple[float, int, int] | None = None
        self._env_steps, self._said = 0, False

    def on_train_batch_end(self, trainer: Trainer, pl_module: Learner, *args: Any) -> None:  # type: ignore[override]
        """Look at the first update after each step of the environments: between two of them lie whole turns."""
        if self._said or pl_module.env_steps == self._env_steps:
            return
        self._env_steps = pl_module.env_steps
        seconds = time.monotonic() - sum(pl_module.meters.stopwatch.seconds[name] for name in BESIDE)
        now = (seconds, pl_module.env_steps, pl_module.updates)
        if self._first is None:
            self._first = now
        elif now[2] - self._first[2] >= UPDATES:
            self._said = True
            if trainer.is_global_zero:
                print(self._line(pl_module, self._first, now), flush=True)

    def _line(self, module: Learner, first: tuple[float, int, int], now: tuple[float, int, int]) -> str:
        seconds = (now[0] - first[0]) / (now[1] - first[1]) * max(0, self._total - now[1])
        disk, memory = self._replay_bytes(module)
        memory += resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        work = f"{self._total:,} env steps and {self._updates:,} updates"
        return (
            f"qtrl: {work}, {duration(seconds)} to go at the speed of the first {now[2] - first[2]} updates, beside "
            f"tests and checkpoints; {disk / 1e9:.2g} GB on disk, {memory / 1e9:.2g} GB of memory"
        )


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: seconds, minutes, hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
