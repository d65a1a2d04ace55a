"""The arrays through which a vector environment and its workers exchange actions and results.

Shapes: N environments, O observation, A action.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qtrl.envs.episode import Array


class SharedArrays(NamedTuple):
    """One row for each environment, in memory that all workers may share.

    Attributes:
        action: The next action, shape (N, A), float32.
        observation: The newest observation, shape (N, O), float32.
        reward: Reward of the last step, shape (N,), float64.
        terminated: Whether the last step reached a terminal state, shape (N,).
        truncated: Whether the last step was cut off, by a time limit for example, shape (N,).
        lost: Whether the last step is not a valid transition, shape (N,); the observation is then the one before it,
            and the episode is truncated.
    """

    action: Array
    observation: Array
    reward: Array
    terminated: Array
    truncated: Array
    lost: Array


def make_arrays(num_envs: int, observation_size: int, action_size: int, allocate: Callable[[int], Any]) -> SharedArrays:
    """Lay out the arrays over buffers.

    Args:
        num_envs: N.
        observation_size: O.
        action_size: A.
        allocate: Returns a zeroed buffer of the given number of bytes; called once for each array, in order.
    """

    def array(*shape: int, dtype: type) -> Array:
        size = math.prod(shape)
        return np.frombuffer(allocate(size * np.dtype(dtype).itemsize), dtype, size).reshape(shape)

    return SharedArrays(
        action=array(num_envs, action_size, dtype=np.float32),
        observation=array(num_envs, observation_size, dtype=np.float32),
        reward=array(num_envs, dtype=np.float64),
        terminated=array(num_envs, dtype=np.bool_),
        truncated=array(num_envs, dtype=np.bool_),
        lost=array(num_envs, dtype=np.bool_),
    )
