"""What several environments read and write while they are stepped side by side.

Shapes: N environments, O observation, A action.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from qtrl.envs.episode import Array, Episode, Record, Step
from qtrl.envs.simulator import LOST

Starts = Sequence[tuple[int, int | None]]
"""The environments that begin an episode, each with a seed or None."""


@dataclass(frozen=True)
class Workers:
    """What steps the environments.

    Attributes:
        count: How many environments are stepped at the same time, at most.
        timeout: Seconds that a step or reset may take before a worker process counts as hung.
        max_restarts: Lost worker processes that are started again within an hour.
    """

    count: int
    timeout: float = 30.0
    max_restarts: int = 3


class Columns(NamedTuple):
    """One row for each environment, in memory that workers may share.

    Attributes:
        action: What to do next, shape (N, A), float32.
        observation: The newest one, shape (N, O), float32.
        reward: Of the last step, shape (N,), float64.
        terminated: Whether the last step ended the episode, shape (N,).
        truncated: Whether the last step met a time limit, shape (N,).
        lost: Whether the last step is no transition, shape (N,); the observation is then the one before, and the
            episode counts as truncated.
    """

    action: Array
    observation: Array
    reward: Array
    terminated: Array
    truncated: Array
    lost: Array


def make_columns(num_envs: int, observation_size: int, action_size: int, allocate: Callable[[int], Any]) -> Columns:
    """Lay the columns out.

    Args:
        num_envs: N.
        observation_size: O.
        action_size: A.
        allocate: Gives a buffer of so many bytes, all of them zero; called once for each column.
    """

    def column(*shape: int, dtype: type) -> Array:
        size = math.prod(shape)
        return np.frombuffer(allocate(size * np.dtype(dtype).itemsize), dtype, size).reshape(shape)

    return Columns(
        action=column(num_envs, action_size, dtype=np.float32),
        observation=column(num_envs, observation_size, dtype=np.float32),
        reward=column(num_envs, dtype=np.float64),
        terminated=column(num_envs, dtype=np.bool_),
        truncated=column(num_envs, dtype=np.bool_),
        lost=column(num_envs, dtype=np.bool_),
    )


class Lane:
    """Environments that one worker steps one after the other.

    Args:
        episodes: The environments.
        rows: Their rows, which follow each other.
        columns: The rows of all lanes.
    """

    def __init__(self, episodes: Sequence[Episode], rows: Sequence[int], columns: Columns) -> None:
        self.rows = rows
        self._episodes, self._columns = dict(zip(rows, episodes, strict=True)), columns

    def step(self) -> None:
        """Take the actions and write what they led to, at the end of an episode its true last observation."""
        action, observation, reward, terminated, truncated, lost = self._columns
        for row, episode in self._episodes.items():
            observation[row], reward[row], terminated[row], truncated[row], info = episode.step(action[row])
            lost[row] = LOST in info

    def reset(self, starts: Starts) -> None:
        """Begin an episode in those of the environments that belong here, and write its observation."""
        for row, seed in starts:
            if row in self._episodes:
                self._columns.observation[row] = self._episodes[row].reset(seed)

    def records(self) -> list[Record | None]:
        """Return the episodes so far; None for each that cannot be taken up again."""
        return [episode.record() for episode in self._episodes.values()]

    def resume(self, row: int, record: Record | None, step_given: bool) -> bool:
        """Take up an episode, of which the columns hold the last step.

        Args:
            row: One of this lane's.
            record: The episode, or None where it cannot be taken up.
            step_given: Whether somebody was given that step. If so, a new episode begins where this one cannot be
                taken up; else that step truncates it.

        Returns:
            Whether the environment goes on where it was.
        """
        _, observation, reward, terminated, truncated, _ = self._columns
        newest: Step = (observation[row], reward[row], terminated[row], truncated[row], {})
        if record is not None and self._episodes[row].resume(record, newest):
            return True
        if step_given:
            self.reset([(row, None)])
        else:
            truncated[row] = True
        return False

    def resume_all(self, records: Sequence[Record | None], *, step_given: bool) -> list[bool]:
        """Do `resume` for all environments of this lane; the records are those of all lanes."""
        return [self.resume(row, records[row], step_given) for row in self.rows]

    def close(self) -> None:
        """Close the environments."""
        for episode in self._episodes.values():
            episode.close()


def make_lane(make: Callable[[], gym.Env], rows: Sequence[int], columns: Columns) -> Lane:
    """Make the environments of some rows; where one fails, those before it are closed."""
    episodes: list[Episode] = []
    try:
        for _ in rows:
            episodes.append(Episode(make()))
    except BaseException:
        for episode in episodes:
            episode.close()
        raise
    return Lane(episodes, rows, columns)


def split_rows(num_envs: int, workers: int) -> list[list[int]]:
    """Share rows out among at most so many workers, as evenly as can be, neighbours together."""
    return [part.tolist() for part in np.array_split(np.arange(num_envs), min(workers, num_envs))]
