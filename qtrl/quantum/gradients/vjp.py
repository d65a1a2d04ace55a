"""What the estimators of vector-Jacobian products share: measuring, checking arguments, and the link to autograd."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qtrl.errors import CircuitError
from qtrl.quantum.checks import check_angles, check_finite
from qtrl.quantum.engine import Executable, check_exact
from qtrl.quantum.readout import expectation, mean

VJP = Callable[[Tensor, Tensor], Tensor]
"""Maps angles (B, P) and the derivative in the values (B, n) to the derivative in the angles (B, P)."""


def measure(
    executable: Executable,
    angles: Tensor,
    *,
    shots: int | None = None,
    generator: torch.Generator | None = None,
    readout_error: float = 0.0,
) -> Tensor:
    """Read the probability of 1 on each qubit, exactly or as the mean of shots: (B, n) in [0, 1], detached."""
    if shots is None:
        check_exact(executable, "a measurement with shots=None")
        return expectation(executable, angles, 0, None, readout_error)
    return mean(executable, angles, shots, generator, readout_error)


def check_vjp(executable: Executable, angles: Tensor, grad_out: Tensor) -> None:
    """Refuse angles, or a derivative in the values, that do not fit the circuit."""
    check_angles(angles, executable.circuit, executable.capabilities, executable.engine)
    check_finite(angles)
    expected = (len(angles), executable.circuit.n_qubits)
    if tuple(grad_out.shape) != expected:
        raise CircuitError(f"grad_out has shape {tuple(grad_out.shape)}, expected {expected}: one for each value")


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
