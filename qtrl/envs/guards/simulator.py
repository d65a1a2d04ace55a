"""Detection of MuJoCo simulations that became unstable, which MuJoCo itself resets silently."""

import sys
from collections import deque
from typing import Any

import gymnasium as gym

from qtrl.errors import EnvFaultError

LOST = "qtrl.lost"
"""Key in a step's `info`: the step is not a valid transition."""
MOST_LOST, WITHIN = 100, 10_000
"""Maximum number of lost steps of one environment within a number of its env steps. A stable simulation loses none; at
one in a hundred, episodes have a hundred steps on average, so that nothing is learned about later ones."""


class SimulatorGuard(gym.Wrapper):
    """Detect that MuJoCo reset its simulation within a step, and mark that step as lost.

    At a huge or non-finite position, velocity or acceleration MuJoCo logs a warning, resets the body to its initial
    state in the middle of the step, and continues: the observation is finite, and the episode is not terminated. Its
    warning counters show it; simulated time would not in the first step of an episode. The marked step gives the
    observation before it, reward 0, truncated, and `LOST` in its info.

    Args:
        env: An environment with MuJoCo's `data`.
        env_id: Its name in errors.
    """

    def __init__(self, env: gym.Env, env_id: str) -> None:
        super().__init__(env)
        self.env_id = env_id
        self._env_steps = 0
        self._lost: deque[int] = deque(maxlen=MOST_LOST)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        self._last, info = self.env.reset(seed=seed, options=options)
        kinds = sys.modules["mujoco"].mjtWarning
        # A view of the counters for bad positions, velocities, accelerations and controls.
        self._counters = self.env.unwrapped.data.warning.number[kinds.mjWARN_BADQPOS : kinds.mjWARN_BADCTRL + 1]
        self._sound = self._counters.tobytes()
        return self._last, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one env step; raise an `EnvFaultError` if more than `MOST_LOST` of the last `WITHIN` ones were lost."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._env_steps += 1
        if self._counters.tobytes() == self._sound:
            self._last = observation
            return observation, reward, terminated, truncated, info
        if len(self._lost) == MOST_LOST and self._env_steps - self._lost[0] < WITHIN:
            raise EnvFaultError(
                f"{self.env_id}: MuJoCo's simulation was unstable in more than {MOST_LOST} of the last {WITHIN:,} env "
                "steps; try another version of the environment or of mujoco, or a shorter time step"
            )
        self._lost.append(self._env_steps)
        return self._last, 0.0, False, True, {**info, LOST: True}


def guard_simulator(env: gym.Env, env_id: str) -> gym.Env:
    """Wrap a MuJoCo environment in a `SimulatorGuard`; return any other one unchanged."""
    mujoco = sys.modules.get("mujoco")  # imported by every environment that uses it
    try:
        data = env.unwrapped.data
    except Exception:  # a property, or a `__getattr__`, of a user's that asks something that is not there yet
        data = None
    return SimulatorGuard(env, env_id) if mujoco and isinstance(data, mujoco.MjData) else env
