"""What all vector environments share: Gymnasium's interface over rows that lanes of environments read and write.

Shapes: N environments, O observation, A action.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from qtrl.envs.lanes import Array, Starts, make_columns, split_rows
from qtrl.specs import EnvSpec


class VectorEnv(gym.vector.VectorEnv):
    """Gymnasium's interface to N environments, and the two halves of its `step`.

    Nothing is reset by itself: `step` gives the true last observation of an episode, and `reset` with a `reset_mask`
    the first one of the next. No `info` is collected: that alone would take Gymnasium's own vector environments a tenth
    of the time of Humanoid's simulation.

    Leaves say where the environments run. All of them give the same numbers.

    Args:
        make: Makes one environment as `make_env` does; leaves whose workers are processes pickle it.
        num_envs: N.
        spec: The environment's sizes.
        workers: How many environments are stepped at the same time, at most.
    """

    autoreset_mode = AutoresetMode.DISABLED
    steps_beside = True
    """Whether environments step while this thread does something else."""

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, spec: EnvSpec, *, workers: int) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (spec.observation_size,), np.float32)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (spec.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._columns = make_columns(num_envs, spec.observation_size, spec.action_size, self._allocate)
        self._open(make, split_rows(num_envs, workers))

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Take one env step everywhere; see `step_async` and `step_wait`."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Array) -> None:
        """Begin to take one env step everywhere; actions have shape (N, A)."""
        self._columns.action[:] = actions
        self._begin()

    def step_wait(self) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Wait for the step that `step_async` began.

        Returns:
            Observations (N, O), rewards, terminated and truncated (N,), no info; the arrays are the caller's.

        Raises:
            EnvError: As `make_env`'s environments, or a worker died.
        """
        self._end()
        _, observation, reward, terminated, truncated = self._columns
        return observation.copy(), reward.copy(), terminated.copy(), truncated.copy(), {}

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: One for each environment; a single one counts up.
            options: `reset_mask` of shape (N,) chooses the environments; without it all are reset.

        Returns:
            The newest observations (N, O) of all environments, and no info.
        """
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
        self._reset([(row, seeds[row] if seeds else None) for row in np.flatnonzero(mask).tolist()])
        return self._columns.observation.copy(), {}

    def _allocate(self, size: int) -> Any:
        """Give a zeroed buffer of `size` bytes that all workers share."""
        return bytearray(size)

    @abstractmethod
    def _open(self, make: Callable[[], gym.Env], parts: list[list[int]]) -> None:
        """Make one lane for each part of the rows."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin to step all lanes."""

    @abstractmethod
    def _end(self) -> None:
        """Wait until all lanes are done, and raise what went wrong in them."""

    @abstractmethod
    def _reset(self, starts: Starts) -> None:
        """Begin episodes."""
