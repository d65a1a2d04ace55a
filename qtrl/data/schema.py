"""What one row of the replay holds: the transition, and what the block saw and said when the action was chosen."""

import math
from dataclasses import dataclass

import torch
from tensordict import NestedKey

from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.specs import EnvSpec


@dataclass(frozen=True)
class Column:
    """One field of a row.

    Attributes:
        key: Its key in the TensorDict.
        shape: Its shape in one row.
        dtype: Its type.
    """

    key: NestedKey
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    @property
    def name(self) -> str:
        """The key as one word, for file names."""
        return self.key if isinstance(self.key, str) else ".".join(self.key)

    @property
    def row_bytes(self) -> int:
        """Bytes that one row takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def transition_columns(spec: EnvSpec, n_in: int, n_out: int) -> tuple[Column, ...]:
    """List the columns of a transition (paper, section 3: s, a, r, s' with q_in and q_out beside them).

    Args:
        spec: The environment's sizes.
        n_in: Length of q_in.
        n_out: Length of q_out.
    """
    return (
        Column(OBSERVATION, (spec.observation_size,)),
        Column(ACTION, (spec.action_size,)),
        Column(REWARD, (1,)),
        Column(NEXT_OBSERVATION, (spec.observation_size,)),
        Column(TERMINATED, (1,), torch.bool),
        Column(Q_IN, (n_in,)),
        Column(Q_OUT, (n_out,)),
    )
