"""The outermost wrapper of every environment: rescales actions and refuses non-finite values.

Shapes: O observation, A action.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.errors import EnvError, EnvFaultError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
LARGEST = float(np.finfo(np.float32).max)


def to_bounds(action: Array, space: gym.spaces.Box) -> Array:
    """Clamp actions (..., A) and map them from [-1, 1] to the bounds of a space, (..., *its shape)."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    weight = (np.clip(action, -1.0, 1.0).reshape((*action.shape[:-1], *low.shape)) + 1.0) / 2.0
    # Weighted so that -1 and 1 give the bounds exactly; the clip catches rounding between equal bounds.
    mixed = np.clip(low * (1.0 - weight) + high * weight, low, high)
    return np.asarray(mixed, space.dtype)  # also for a scalar, of which `clip` makes no array


class VectorGuard(gym.Wrapper):
    """Clamp and rescale actions from [-1, 1], and refuse non-finite actions, observations and rewards.

    Gymnasium's `RescaleAction` is not used: for one uneven bound in five its rounding exceeds the bound, which fails in
    environments that check their actions, and it divides by zero where both bounds of an entry are equal. Neither it
    nor most environments clip: Humanoid's control cost grows with the square of the unclipped action.

    Args:
        env: An environment whose observation is a 1-D Box, and whose action a bounded Box of floats.
        env_id: Its name in errors.
        parts: Names and lengths of the parts of its observations, in their order; none where they have no names.

    Raises:
        EnvError: From `step`: an action is not finite.
        EnvFaultError: From `reset` and `step`: a number of the environment is not finite in float32, or there are more
            or fewer of them than the observation space had when this was made.
        ShapeError: From `step`: the action does not have shape (A,).
    """

    def __init__(self, env: gym.Env, env_id: str, parts: Sequence[tuple[str, int]] = ()) -> None:
        super().__init__(env)
        self.env_id, self.parts = env_id, tuple(parts)
        inner = env.action_space
        self.action_space = gym.spaces.Box(-1.0, 1.0, (inner.low.size,), np.float32)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, env.observation_space.shape, np.float32)

    def check_sizes(self, observation_size: int, action_size: int) -> None:
        """Raise an `EnvError` unless the sizes are these, of another environment of the same id."""
        found = self.observation_space.shape[0], self.action_space.shape[0]
        if found != (observation_size, action_size):
            came = "{} observed numbers and {} of an action".format(*found)
            words = f"{came}, expected {observation_size} and {action_size} as of the one made before"
            raise EnvError(f"{self.env_id}: environments differ, {words}")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode; the observation has shape (O,)."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._checked_observation(observation, "reset"), info

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take one env step; the action has shape (A,), the observation (O,)."""
        observation, reward, terminated, truncated, info = self.env.step(self._rescaled(action))
        if not abs(reward) <= LARGEST:
            raise EnvFaultError(f"{self.env_id}: step gave the reward {reward}, expected a finite number of float32")
        return self._checked_observation(observation, "step"), reward, terminated, truncated, info

    def _rescaled(self, action: Array) -> Array:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape:
            raise ShapeError(f"{self.env_id}: action has shape {action.shape}, expected {self.action_space.shape}")
        if complaint := _non_finite(action):
            raise EnvError(f"{self.env_id}: the policy gave a non-finite action {complaint}, expected finite numbers")
        return to_bounds(action, self.env.action_space)

    def _checked_observation(self, observation: Array, method: str) -> Array:
        with np.errstate(over="ignore"):
            observation = np.asarray(observation, dtype=np.float32)
        expected = self.observation_space.shape
        if observation.shape != expected:
            words = f"{observation.size} numbers, expected the {expected[0]} of the space that it had when it was made"
            raise EnvFaultError(f"{self.env_id}: {method} gave {words}")
        if complaint := _non_finite(observation, self.parts):
            words = f"a non-finite observation {complaint}, expected finite numbers of float32"
            raise EnvFaultError(f"{self.env_id}: {method} gave {words}")
        return observation


def _non_finite(values: Array, parts: Sequence[tuple[str, int]] = ()) -> str:
    """Say which number is the first that is not finite; nothing where all are."""
    finite = np.isfinite(values)
    if finite.all():
        return ""
    bad = int(np.argmin(finite))
    return f"({values[bad]} at index {bad} of {values.size}{_named(bad, parts)})"


def _named(index: int, parts: Sequence[tuple[str, int]]) -> str:
    """Say in which part of an observation an index lies; nothing where parts have no names."""
    for name, length in parts:
        if index < length:
            return f", {name}[{index}]"
        index -= length
    return ""
