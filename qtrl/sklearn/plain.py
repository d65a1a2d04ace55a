"""Nested state of tensors as nested arrays and back, so that pickles and safe formats hold no objects of torch."""

from typing import Any

import numpy as np
import torch


def to_plain(state: Any) -> Any:
    """Return a copy of nested dicts, lists and tuples in which each tensor is an array."""
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: to_plain(value) for key, value in state.items()}
    return type(state)(map(to_plain, state)) if isinstance(state, list | tuple) else state


def from_plain(state: Any) -> Any:
    """Return a copy of nested dicts, lists and tuples in which each array is a tensor."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: from_plain(value) for key, value in state.items()}
    return type(state)(map(from_plain, state)) if isinstance(state, list | tuple) else state
