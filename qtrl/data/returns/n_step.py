"""Rows that span several env steps: TorchRL's transform for its buffers, with what a run of several hours needs."""

from typing import Any

import numpy as np
import torch
from tensordict import NestedKey, TensorDict, TensorDictBase
from torchrl.envs.transforms import MultiStepTransform

from qtrl.data.schema import Column
from qtrl.errors import CheckpointError
from qtrl.keys import DISCOUNT, DONE, LOST


def without_lost(rows: TensorDictBase) -> TensorDictBase | None:
    """Leave out the rows, shape (n,), that are no transition; None where nothing is left."""
    lost = rows.get(LOST, None)
    if lost is None or not lost.any():
        return rows
    kept: TensorDictBase = rows[~lost.reshape(-1)]
    return kept if len(kept) else None


class NStep(MultiStepTransform):
    """n-step returns: the discounted sum of n rewards, and the observation n steps later or the last of the episode.

    A row reaches the replay n env steps after it was collected. What the value of its next observation is multiplied
    with, gamma to the power of the steps it spans, is stored beside it. A row with a lost step in it is left out.

    Args:
        n_steps: Number of env steps n.
        gamma: Discount; must be that of the algorithm.

    Source: Sutton, Learning to predict by the methods of temporal differences, 1988.
    """

    columns = (Column(DISCOUNT, ()),)
    """What a row holds beside a transition; 4 bytes."""
    _restored = False

    def __init__(self, n_steps: int, gamma: float) -> None:
        super().__init__(n_steps, gamma, done_keys=["done"])  # by default "terminated" would be that of the first step

    def _inv_call(self, rows: TensorDictBase) -> TensorDictBase | None:
        """Take one env step of all environments, shape (N,), and return the rows that are complete by it."""
        steps = rows.unsqueeze(-1)  # time comes last
        if self._restored and _layout(self._buffer) != _layout(steps):
            raise CheckpointError("replay: the steps of data.transform in the checkpoint are of another run")
        self._restored = False
        window = super()._inv_call(steps)
        return None if window is None else without_lost(window.reshape(-1))

    def interrupt(self, environments: np.ndarray) -> None:
        """Let no row span the last step and the next one of the environments of a boolean mask, shape (N,)."""
        if self._buffer is not None:
            for key in (LOST, DONE):
                flags = self._buffer[key].clone()
                flags[torch.from_numpy(environments), -1] = True
                self._buffer[key] = flags

    def get_extra_state(self) -> dict[Any, Any]:
        """Return the steps that are not in the replay yet; part of `state_dict`."""
        if self._buffer is None:
            return {}
        return {key: value.clone() for key, value in self._buffer.items(True, True)}

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned.

        Raises:
            CheckpointError: The state is malformed.
        """
        try:
            if not all(value.ndim > 1 and value.isfinite().all() for value in state.values()):
                raise ValueError("not steps of several environments, or not finite")
            steps = TensorDict(state, batch_size=next(iter(state.values())).shape[:2]) if state else None
        except (AttributeError, TypeError, ValueError, RuntimeError, KeyError) as error:
            raise CheckpointError("replay: the steps of data.transform in the checkpoint are malformed") from error
        self._buffer, self._restored = steps, steps is not None


def _layout(steps: TensorDictBase) -> dict[NestedKey, tuple[object, ...]]:
    """Return what steps of shape (N, T) must agree in to be put beside each other."""
    return {key: (len(value), value.shape[2:], value.dtype) for key, value in steps.items(True, True)}
