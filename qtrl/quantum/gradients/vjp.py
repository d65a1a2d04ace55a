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
    """Read the probability of 1 on each qubit, exactly or from shots.

    Args:
        executable: The circuit.
        angles: (B, P) in radians, float32 or float64, finite.
        shots: Measurements to average over, at least 1; None reads the exact expectations.
        generator: Source of the shots, on the device of the angles.
        readout_error: Probability with which a bit is read as the other one, from 0 to 0.5.

    Returns:
        (B, n) in [0, 1], detached.

    Raises:
        CircuitError: If the angles or `shots` do not fit as said above, or shots were asked for without a generator.
        ConfigError: If `readout_error` is out of range.
        EngineError: If `shots` is None and the engine can only sample.
    """
    if shots is None:
        check_exact(executable, "a measurement with shots=None")
        return expectation(executable, angles, 0, None, readout_error)
    return mean(executable, angles, shots, generator, readout_error)


def check_vjp(executable: Executable, angles: Tensor, grad_out: Tensor) -> None:
    """Refuse angles, or a derivative in the values, that do not fit the circuit.

    Raises:
        CircuitError: With what came and what was expected.
    """
    check_angles(angles, executable.circuit, executable.capabilities, executable.engine)
    check_finite(angles)
    expected = (len(angles), executable.circuit.n_qubits)
    if tuple(grad_out.shape) != expected:
        raise CircuitError(f"grad_out has shape {tuple(grad_out.shape)}, expected {expected}: one for each value")


def attach_gradient(angles: Tensor, value: Tensor, vjp: VJP) -> Tensor:
    """Return `value`, with a gradient to `angles` that `vjp` computes when, and only when, it is asked for.

    Args:
        angles: (B, P).
        value: (B, n), taken as it is, detached.
        vjp: Called once for each backward pass. A second derivative does not go through it: torch raises.

    Returns:
        (B, n), equal to `value`.
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
