"""Observations as an environment gives them, one or a batch, to the flat float32 vectors that a model takes."""

import math
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.errors import ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


def flattened(space: gym.Space, observation: Any, name: str = "observation") -> Array:
    """Flatten an observation of a space to (O,), or a batch of N to (N, O), as `gymnasium.spaces.flatten` does one.

    Args:
        space: Of one observation, of fixed length.
        observation: With the structure of the space; in a batch each array has one more dimension, in front.
        name: What it is called in errors.

    Raises:
        ShapeError: It has another structure or shape; nothing is broadcast.
    """
    if isinstance(space, gym.spaces.Dict | gym.spaces.Tuple):
        return np.concatenate(_parts(space, observation, name), axis=-1)
    values = _numbers(observation, name)
    lead = values.shape[: values.ndim - len(space.shape or ())]
    if len(lead) > 1 or values.shape[len(lead) :] != space.shape:
        raise ShapeError(f"{name} has shape {values.shape}, expected {space.shape}, or (N, ...) of it for a batch")
    if isinstance(space, gym.spaces.Box):
        return values.astype(np.float32).reshape(*lead, math.prod(space.shape))
    rows = [gym.spaces.flatten(space, row) for row in values.reshape(-1, *space.shape).astype(space.dtype)]
    return np.stack(rows).astype(np.float32).reshape(*lead, -1)


def _parts(space: gym.spaces.Dict | gym.spaces.Tuple, observation: Any, name: str) -> list[Array]:
    members = dict(space.spaces) if isinstance(space, gym.spaces.Dict) else dict(enumerate(space.spaces))
    found = dict(enumerate(observation)) if isinstance(observation, list | tuple) else observation
    if not isinstance(found, dict):
        raise ShapeError(f"{name} is a {type(observation).__name__}, expected the parts {list(members)}")
    if found.keys() != members.keys():
        raise ShapeError(f"{name} has the parts {list(found)}, expected {list(members)}")
    parts = [flattened(member, found[key], f"{name}[{key!r}]") for key, member in members.items()]
    if len({part.shape[:-1] for part in parts}) > 1:
        raise ShapeError(f"{name} has parts of unlike numbers of rows: {[len(np.atleast_2d(part)) for part in parts]}")
    return parts


def _numbers(observation: Any, name: str) -> Array:
    try:
        values = np.asarray(observation)
    except ValueError:  # rows of unlike length
        values = np.asarray(None)
    if values.dtype.kind not in "fiub":
        raise ShapeError(f"{name} is a {type(observation).__name__} of {values.dtype}, expected an array of numbers")
    return values
