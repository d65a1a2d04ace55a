"""Target networks: frozen copies that follow slowly."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def frozen_copy(module: Net) -> Net:
    """Return a deep copy, none of whose parameters requires a gradient."""
    copy = deepcopy(module)
    copy.requires_grad_(False)
    return copy


@torch.no_grad()
def polyak_(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Move every parameter of `target` in place by the fraction `tau` of its way to `source`; copy the buffers.

    Args:
        target: Built like `source`.
        source: Left as it is.
        tau: From 0, which keeps the target, to 1, which copies the source.

    Source: arXiv:1509.02971, algorithm 1.
    """
    old: list[Tensor] = list(target.parameters())
    new: list[Tensor] = list(source.parameters())
    if old:
        torch._foreach_lerp_(old, new, tau)
    for old_buffer, new_buffer in zip(target.buffers(), source.buffers(), strict=True):
        old_buffer.copy_(new_buffer)
