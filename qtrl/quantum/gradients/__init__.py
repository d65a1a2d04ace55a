"""Gradients of expectations with respect to angles: exact, by parameter shift, by SPSA, straight-through.

Engines without a gradient of their own get an estimated vector-Jacobian product: `grad_out` (B, n), the derivative of a
scalar in the values, propagated to the angles (B, P) from runs of the circuit alone.

Angles are radians in float32 or float64, finite. `shots` are the measurements of each circuit, at least 1; None reads
exact expectations. A `generator` is the source of all that is random, on the device of the angles. `readout_error` is
the probability with which a bit is read as the other one, from 0 to 0.5. All functions raise `CircuitError` where
tensors or shots do not fit, `ConfigError` where another number is out of range, and `EngineError` where the engine can
only sample and exact values are needed.
"""

from qtrl.quantum.autograd import attach_gradient
from qtrl.quantum.gradients.estimates import (
    SHIFT_RULES,
    check_spsa,
    measure,
    parameter_shift,
    parameter_shift_circuits,
    spsa,
    spsa_circuits,
)
from qtrl.quantum.gradients.exact import check_differentiable, exact_expectations, straight_through

__all__ = ["attach_gradient", "check_differentiable", "exact_expectations", "straight_through"]
__all__ += ["SHIFT_RULES", "measure", "parameter_shift", "parameter_shift_circuits"]
__all__ += ["check_spsa", "spsa", "spsa_circuits"]
