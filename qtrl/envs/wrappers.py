"""The outermost wrapper of every environment: rescales actions and refuses non-finite values.

Shapes: O observation, A action.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.errors import EnvError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class VectorGuard(gym.Wrapper):
    """Clamp and rescale actions from [-1, 1], and refuse non-finite actions, observations and rewards.

    Gymnasium's `RescaleAction` is not used: for one uneven bound in five its rounding exceeds the bound, which fails in
    environments that check their actions, and it divides by zero where both bounds of an entry are equal. Neither it
    nor most environments clip: Humanoid's control cost grows with the square of the unclipped action.

    Args:
        env: An environment whose observation is a 1-D Box and whose action is a bounded Box of floats of any shape.
        env_id: Its name in errors.
    """

    def __init__(self, env: gym.Env, env_id: str) -> None:
        super().__init__(env)
        self.env_id = env_id
        inner = env.action_space
        self._low = inner.low.astype(np.float64)
        self._high = inner.high.astype(np.float64)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (self._low.size,), np.float32)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, env.observation_space.shape, np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode and return the observation, shape (O,), and the environment's info.

        Raises:
            EnvError: The observation is not finite.
        """
        observation, info = self.env.reset(seed=seed, options=options)
        return self._checked_observation(observation), info

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take one env step.

        Args:
            action: Shape (A,); entries beyond [-1, 1] are clamped.

        Returns:
            Observation of shape (O,), reward, terminated, truncated, and the environment's info.

        Raises:
            EnvError: The action, the observation or the reward is not finite.
            ShapeError: The action does not have shape (A,).
        """
        observation, reward, terminated, truncated, info = self.env.step(self._rescaled(action))
        reward = float(reward)
        if not math.isfinite(reward):
            raise EnvError(f"{self.env_id}: the environment gave the reward {reward}, expected a finite number")
        return self._checked_observation(observation), reward, bool(terminated), bool(truncated), info

    def _rescaled(self, action: Array) -> Array:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape:
            raise ShapeError(f"{self.env_id}: action has shape {action.shape}, expected {self.action_space.shape}")
        if not np.isfinite(action).all():
            raise EnvError(
                f"{self.env_id}: the policy gave a non-finite action ({_first_bad(action)}), look for NaN in it"
            )
        weight = (np.clip(action, -1.0, 1.0).reshape(self._low.shape) + 1.0) / 2.0
        # Weighted so that -1 and 1 give the bounds exactly; the clip catches rounding between equal bounds.
        mixed = np.clip(self._low * (1.0 - weight) + self._high * weight, self._low, self._high)
        return mixed.astype(self.env.action_space.dtype)

    def _checked_observation(self, observation: Array) -> Array:
        observation = np.asarray(observation, dtype=np.float32)
        if not np.isfinite(observation).all():
            raise EnvError(
                f"{self.env_id}: the environment gave a non-finite observation ({_first_bad(observation)}), "
                "expected finite numbers"
            )
        return observation


def _first_bad(values: Array) -> str:
    index = int(np.flatnonzero(~np.isfinite(values))[0])
    return f"{values[index]} at index {index} of {values.size}"
