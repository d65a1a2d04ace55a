"""The straight-through estimator: a measured value with the exact gradient of the expectations."""

from torch import Tensor

from qtrl.quantum.engine import Executable
from qtrl.quantum.gradients.exact import exact_expectations


def straight_through(executable: Executable, angles: Tensor, value: Tensor, readout_error: float = 0.0) -> Tensor:
    """Return `value` with the exact gradient of the expectations.

    Args:
        executable: The circuit on a differentiable engine, which may be another one than measured the value.
        angles: (B, P) in radians.
        value: (B, n), what was read at these angles: bits, their mean, or anything else. Detached.
        readout_error: Probability with which a bit is read as the other one, from 0 to 0.5.

    Returns:
        (B, n), equal to `value`.

    Raises:
        CircuitError: If the angles do not fit the circuit.
        ConfigError: If `readout_error` is out of range.
        EngineError: If the engine is not differentiable.

    Source:
        Straight-through estimators: arXiv:1308.3432, there with the identity in place of the expectation.
    """
    expectations = exact_expectations(executable, angles, readout_error)
    return value.detach() + (expectations - expectations.detach())
