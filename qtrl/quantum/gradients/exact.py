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
    """Compute the probability of reading 1 on each qubit, with the engine's exact gradient.

    Args:
        executable: The circuit on a differentiable engine.
        angles: (B, P) in radians, float32 or float64, finite.
        readout_error: Probability with which a bit is read as the other one, from 0 to 0.5.

    Returns:
        (B, n) in [0, 1].

    Raises:
        CircuitError: If the angles do not fit the circuit.
        ConfigError: If `readout_error` is out of range.
        EngineError: If the engine is not differentiable.
    """
    check_differentiable(executable)
    return misread(executable.expectations(angles), readout_error)
