"""What several environments read and write while they are stepped side by side.

Shapes: N environments, O observation, A action.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Starts = Sequence[tuple[int, int | None]]
"""The environments that begin an episode, each with a seed or None."""


class Columns(NamedTuple):
    """One row for each environment, in memory that workers may share.

    Attributes:
        action: What to do next, shape (N, A), float32.
        observation: The newest one, shape (N, O), float32.
        reward: Of the last step, shape (N,), float64.
        terminated: Whether the last step ended the episode, shape (N,).
        truncated: Whether the last step met a time limit, shape (N,).
    """

    action: Array
    observation: Array
    reward: Array
    terminated: Array
    truncated: Array


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
    )


class Lane:
    """Environments that one worker steps one after the other.

    Args:
        envs: The environments.
        first: The row of the first of them; the others follow.
        columns: The rows of all lanes.
    """

    def __init__(self, envs: Sequence[gym.Env], first: int, columns: Columns) -> None:
        self._envs, self._first, self._columns = envs, first, columns

    def step(self) -> None:
        """Take the actions and write what they led to, at the end of an episode its true last observation."""
        action, observation, reward, terminated, truncated = self._columns
        for row, env in enumerate(self._envs, self._first):
            observation[row], reward[row], terminated[row], truncated[row], _ = env.step(action[row])

    def reset(self, starts: Starts) -> None:
        """Begin an episode in those of the environments that belong here, and write its observation."""
        for row, seed in starts:
            if 0 <= row - self._first < len(self._envs):
                self._columns.observation[row] = self._envs[row - self._first].reset(seed=seed)[0]

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()


def make_lane(make: Callable[[], gym.Env], rows: Sequence[int], columns: Columns) -> Lane:
    """Make the environments of some rows; where one fails, those before it are closed."""
    envs: list[gym.Env] = []
    try:
        for _ in rows:
            envs.append(make())
    except BaseException:
        Lane(envs, 0, columns).close()
        raise
    return Lane(envs, rows[0], columns)


def split_rows(num_envs: int, workers: int) -> list[list[int]]:
    """Share rows out among at most so many workers, as evenly as can be, neighbours together."""
    return [part.tolist() for part in np.array_split(np.arange(num_envs), min(workers, num_envs))]
