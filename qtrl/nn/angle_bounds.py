"""What may bound the angles that a network chooses, as pure functions of them."""

from collections.abc import Callable

import torch
from torch import Tensor


def _unbounded(angles: Tensor) -> Tensor:
    return angles


def _bounded_norm(angles: Tensor) -> Tensor:
    return angles * (1 + angles.square().mean(dim=-1, keepdim=True)).rsqrt()


ANGLE_BOUNDS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: _unbounded,
    "tanh": torch.tanh,
    "norm": _bounded_norm,
}
"""What `angle_bound` may be."""
