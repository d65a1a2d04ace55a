"""Spaces of an environment as it gives them, and as plain data."""

from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.envs.guards.faults import FaultGuard
from qtrl.envs.guards.simulator import SimulatorGuard
from qtrl.envs.guards.wrappers import VectorGuard


def own_spaces(env: gym.Env) -> tuple[gym.Space, gym.spaces.Box]:
    """Return the spaces of observations and actions below what qtrl wraps an environment in."""
    inner = env
    while isinstance(inner, VectorGuard | FaultGuard | SimulatorGuard | gym.wrappers.FlattenObservation):
        inner = inner.env
    return inner.observation_space, inner.action_space


def describe_space(space: gym.Space) -> dict[str, Any]:
    """Return a space as plain data: its class, shape and dtype, and what bounds it.

    Bounds are nested lists, or one number that holds for all entries; null where there is no bound.
    """
    described: dict[str, Any] = {"type": type(space).__name__}
    if isinstance(space, gym.spaces.Dict | gym.spaces.Tuple):
        members = space.spaces.items() if isinstance(space, gym.spaces.Dict) else enumerate(space.spaces)
        return described | {"spaces": {str(name): describe_space(member) for name, member in members}}
    described |= {"shape": list(space.shape or ()), "dtype": str(space.dtype)}
    if isinstance(space, gym.spaces.Box):
        return described | {"low": _bound(space.low), "high": _bound(space.high)}
    numbers = {name: getattr(space, name) for name in ("n", "start", "nvec") if hasattr(space, name)}
    return described | {name: np.asarray(number).tolist() for name, number in numbers.items()}


def _bound(values: np.ndarray) -> Any:
    """Write bounds with null for infinite ones, which JSON does not have."""
    written = values.astype(object)
    written[~np.isfinite(values)] = None
    distinct = set(written.ravel().tolist())
    return distinct.pop() if len(distinct) == 1 else written.tolist()
