"""A value with a gradient that is computed otherwise."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

VJP = Callable[[Tensor, Tensor], Tensor]
"""Maps angles (B, P) and the derivative in the values (B, n) to the derivative in the angles (B, P)."""


def attach_gradient(angles: Tensor, value: Tensor, vjp: VJP) -> Tensor:
    """Return `value` (B, n), detached, with a gradient to `angles` (B, P) that `vjp` computes when it is asked for.

    Each backward pass calls `vjp` once. A second derivative does not go through it: torch raises.
    """
    return _Attached.apply(angles, value.detach(), vjp)


class _Attached(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, angles: Tensor, value: Tensor, vjp: VJP) -> Tensor:
        ctx.save_for_backward(angles)
        ctx.vjp = vjp
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:
        (angles,) = ctx.saved_tensors
        return ctx.vjp(angles, grad_out), None, None
