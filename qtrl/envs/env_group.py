"""The group of environments that one worker (this thread, a pool thread or a process) steps one after the other."""

from collections.abc import Callable, Sequence

import gymnasium as gym
import numpy as np

from qtrl.envs.episode import Episode, Record, Step
from qtrl.envs.shared_memory import SharedArrays
from qtrl.envs.simulator import LOST

Starts = Sequence[tuple[int, int | None]]
"""Rows of the environments to reset, each with a seed or None."""


class EnvGroup:
    """Environments that belong to one worker.

    Args:
        make: Makes one environment; where one fails, those made before are closed.
        rows: Their rows in the arrays.
        arrays: The rows of all workers.
    """

    def __init__(self, make: Callable[[], gym.Env], rows: Sequence[int], arrays: SharedArrays) -> None:
        self.rows, self._arrays = rows, arrays
        self._episodes: dict[int, Episode] = {}
        try:
            for row in rows:
                self._episodes[row] = Episode(make())
        except BaseException:
            self.close()
            raise

    def step(self) -> None:
        """Take the actions and write the results; an episode that ends leaves its true last observation."""
        action, observation, reward, terminated, truncated, lost = self._arrays
        for row, episode in self._episodes.items():
            observation[row], reward[row], terminated[row], truncated[row], info = episode.step(action[row])
            lost[row] = LOST in info

    def reset(self, starts: Starts) -> None:
        """Reset those of the environments that are in this group, and write their observations."""
        for row, seed in starts:
            if row in self._episodes:
                self._arrays.observation[row] = self._episodes[row].reset(seed)

    def records(self) -> list[Record | None]:
        """Return the episodes so far; None for each that cannot be replayed."""
        return [episode.record() for episode in self._episodes.values()]

    def resume(self, records: Sequence[Record | None], step_given: bool) -> list[bool]:
        """Resume episodes by replaying them up to the last step, whose results the arrays hold.

        Args:
            records: One for each environment of this group, or None where it cannot be replayed.
            step_given: Whether the caller was given that last step. Where an episode cannot be resumed, a new one then
                begins; otherwise the step under way truncates it.

        Returns:
            Whether each environment was resumed.
        """
        return [self._resume(row, record, step_given) for row, record in zip(self.rows, records, strict=True)]

    def _resume(self, row: int, record: Record | None, step_given: bool) -> bool:
        _, observation, reward, terminated, truncated, _ = self._arrays
        newest: Step = (observation[row], reward[row], terminated[row], truncated[row], {})
        if record is not None and self._episodes[row].resume(record, newest):
            return True
        if step_given:
            self.reset([(row, None)])
        else:
            truncated[row] = True
        return False

    def close(self) -> None:
        """Close the environments."""
        for episode in self._episodes.values():
            episode.close()


def split_rows(num_envs: int, workers: int) -> list[list[int]]:
    """Divide consecutive rows among at most `workers` workers as evenly as possible; the first has the most."""
    return [part.tolist() for part in np.array_split(np.arange(num_envs), min(workers, num_envs))]
