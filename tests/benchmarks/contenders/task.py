"""What all contenders do, and the clock that they are timed by. Nothing here imports torch."""

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A short training run of TD3 with one update for each env step after warm-up.

    Attributes:
        envs: Environments side by side.
        measured: Env steps of the window that is timed.
        skipped: Env steps with learning before it.
        warmup: Env steps with random actions before that.
        env_id: What is learned.
        batch: Rows of a minibatch.
        capacity: Rows of the replay.
        hidden: Width of both hidden layers of every network.
    """

    envs: int = 1
    measured: int = 300
    skipped: int = 50
    warmup: int = 500
    env_id: str = "Humanoid-v4"
    batch: int = 256
    capacity: int = 100_000
    hidden: int = 256

    @property
    def total(self) -> int:
        """Env steps of the run: a step of all environments more than the window needs."""
        return self.warmup + self.skipped + self.measured + 2 * self.envs


class Clock:
    """Time the window of a task."""

    def __init__(self, task: Task) -> None:
        self._edges = [task.warmup + task.skipped, task.warmup + task.skipped + task.measured]
        self._ticks: list[tuple[int, float]] = []
        self._kibibytes = 0

    def tick(self, env_steps: int) -> None:
        """Note the time where the window begins and where it ends.

        Args:
            env_steps: Made so far; a contender calls always at the same place of its loop.
        """
        if len(self._ticks) < len(self._edges) and env_steps >= self._edges[len(self._ticks)]:
            self._ticks.append((env_steps, time.perf_counter()))
            self._kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def result(self) -> dict[str, float]:
        """Return env steps per second within the window, and the process's peak memory at its end in MB."""
        (first, begin), (last, end) = self._ticks
        return {"env_steps_per_second": (last - first) / (end - begin), "peak_megabytes": 1.024e-3 * self._kibibytes}
