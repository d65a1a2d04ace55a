"""Exact gradients, which a differentiable engine computes itself."""

from torch import Tensor

from qtrl.errors import EngineError
from qtrl.quantum.engine import Executable
from qtrl.quantum.engines import ENGINES
from qtrl.quantum.readout import misread


def check_differentiable(executable: Executable) -> None:
    """Refuse an engine without gradients.

    Raises:
        EngineError: Names the engines that have them, and the estimators that need none.
    """
    if not executable.capabilities.differentiable:
        able = ", ".join(sorted({e.name for e in ENGINES.values() if e.capabilities.differentiable} - {"auto"}))
        raise EngineError(
            f"engine {executable.engine!r} has no exact gradient: take one of {able}, "
            "or estimate the gradient by parameter_shift or spsa"
        )


def exact_expectations(executable: Executable, angles: Tensor, readout_error: float = 0.0) -> Tensor:
    """Compute the probability of reading 1 on each qubit (B, n), with the exact gradient of a differentiable engine.

    Raises:
        EngineError: If the engine is not differentiable.
    """
    check_differentiable(executable)
    return misread(executable.expectations(angles), readout_error)


def straight_through(executable: Executable, angles: Tensor, value: Tensor, readout_error: float = 0.0) -> Tensor:
    """Return `value` with the exact gradient of the expectations.

    Args:
        executable: The circuit on a differentiable engine, which may be another one than measured the value.
        angles: (B, P).
        value: (B, n), what was read at these angles: bits, their mean, or anything else. Detached.
        readout_error: See `qtrl.quantum.gradients`.

    Raises:
        EngineError: If the engine is not differentiable.

    Source: straight-through estimators: arXiv:1308.3432, there with the identity in place of the expectation.
    """
    expectations = exact_expectations(executable, angles, readout_error)
    return value.detach() + (expectations - expectations.detach())
