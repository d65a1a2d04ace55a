"""What MuJoCo does not tell of by itself: a simulation that became unstable."""

import sys
from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.errors import EnvError

LOST = "qtrl.lost"
"""Key in a step's `info`: the step is no transition."""
MOST_LOST, WITHIN = 100, 10_000
"""Steps of one environment that may be lost within so many of its env steps.

Each ends an episode. A sound simulation loses none; at one step in a hundred an episode has a hundred steps on average
whatever the policy does, so that nothing is learned about the later ones.
"""


class SimulatorGuard(gym.Wrapper):
    """Notice that MuJoCo reset its simulation, and mark the step.

    At a huge or non-finite position, velocity or acceleration MuJoCo writes a warning, puts the body back to its
    initial state in the middle of the step, and goes on: the observation is finite, and nothing is terminated. Its
    counters of such warnings tell; time alone would not in the first step of an episode.

    Args:
        env: An environment that has MuJoCo's `data`.
        env_id: The name to use in errors.
    """

    def __init__(self, env: gym.Env, env_id: str) -> None:
        super().__init__(env)
        self.env_id = env_id
        self._env_steps = 0
        self._lost: deque[int] = deque(maxlen=MOST_LOST)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, as the environment does."""
        self._last, info = self.env.reset(seed=seed, options=options)
        self._counters = _instabilities(self.env.unwrapped.data)
        self._sound = self._counters.tobytes()
        return self._last, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one env step.

        Returns:
            What the environment gives. For a step in which the simulation was reset: the observation before it, reward
            0, truncated, and `LOST` in the info.

        Raises:
            EnvError: More than `MOST_LOST` steps were lost `WITHIN` so many.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._env_steps += 1
        if self._counters.tobytes() != self._sound:
            self._count()
            return self._last, 0.0, False, True, {**info, LOST: True}
        self._last = observation
        return observation, reward, terminated, truncated, info

    def _count(self) -> None:
        full = len(self._lost) == MOST_LOST
        if full and self._env_steps - self._lost[0] < WITHIN:
            raise EnvError(
                f"{self.env_id}: MuJoCo's simulation was unstable in more than {MOST_LOST} of the last {WITHIN:,} env "
                "steps; try another version of the environment or of mujoco, or a shorter time step"
            )
        self._lost.append(self._env_steps)


def guard_simulator(env: gym.Env, env_id: str) -> gym.Env:
    """Put a `SimulatorGuard` around an environment of MuJoCo; return any other one as it is."""
    mujoco = sys.modules.get("mujoco")  # whoever has its data has imported it
    data = getattr(env.unwrapped, "data", None)
    return SimulatorGuard(env, env_id) if mujoco and isinstance(data, mujoco.MjData) else env


def _instabilities(data: Any) -> np.ndarray:
    """Return a live view of the counters of bad positions, velocities, accelerations and controls."""
    kinds = sys.modules["mujoco"].mjtWarning
    return data.warning.number[kinds.mjWARN_BADQPOS : kinds.mjWARN_BADCTRL + 1]
