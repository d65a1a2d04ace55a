"""What one row of the replay holds: the transition, and what each block received and returned for its action."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, REWARD, TERMINATED, Key, key_name, pair_keys
from qtrl.specs import EnvSpec


@dataclass(frozen=True)
class Column:
    """One field of a row.

    Attributes:
        key: Its key in the TensorDict.
        shape: Its shape in one row.
        dtype: Its type.
    """

    key: Key
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    @property
    def name(self) -> str:
        """The key as one word, for file names."""
        return key_name(self.key)

    @property
    def row_bytes(self) -> int:
        """Bytes that one row takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def transition_columns(spec: EnvSpec, layers: Mapping[str, tuple[int, int]]) -> tuple[Column, ...]:
    """List the columns of a transition (paper, section 3: s, a, r, s' with q_in and q_out beside them).

    Args:
        spec: The environment's sizes.
        layers: Lengths of q_in and q_out of each quantum layer, by its dotted name in the actor.
    """
    keys = pair_keys(layers)
    pairs = (Column(key, (size,)) for name in layers for key, size in zip(keys[name], layers[name], strict=True))
    return (
        Column(OBSERVATION, (spec.observation_size,)),
        Column(ACTION, (spec.action_size,)),
        Column(REWARD, (1,)),
        Column(NEXT_OBSERVATION, (spec.observation_size,)),
        Column(TERMINATED, (1,), torch.bool),
        *pairs,
    )
