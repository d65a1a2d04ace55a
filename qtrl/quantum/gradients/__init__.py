"""Gradients of expectations with respect to angles: exact, by parameter shift, by SPSA, straight-through.

Engines without a gradient of their own get an estimated vector-Jacobian product: the derivative of a scalar in the
values (B, n), propagated to the angles (B, P) from runs of the circuit alone.
"""

from qtrl.quantum.gradients.exact import check_differentiable, exact_expectations
from qtrl.quantum.gradients.parameter_shift import SHIFT_RULES, parameter_shift, parameter_shift_circuits
from qtrl.quantum.gradients.spsa import check_spsa, spsa, spsa_circuits
from qtrl.quantum.gradients.straight_through import straight_through
from qtrl.quantum.gradients.vjp import attach_gradient, measure

__all__ = [
    "SHIFT_RULES",
    "attach_gradient",
    "check_differentiable",
    "check_spsa",
    "exact_expectations",
    "measure",
    "parameter_shift",
    "parameter_shift_circuits",
    "spsa",
    "spsa_circuits",
    "straight_through",
]
