"""Shift rules: what a quantum computer can do exactly, at the price of two circuits or more for each angle."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator
from qtrl.nn.gradients.circuit import executable_of
from qtrl.nn.sizes import check_sizes
from qtrl.quantum import check_exact
from qtrl.quantum.gradients import attach_gradient, measure, parameter_shift, parameter_shift_circuits


class ParameterShiftEstimator(GradientEstimator):
    """Return the circuit's expectations, with the gradient by `qtrl.quantum.gradients.parameter_shift`.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        shots: Measurements of every circuit, forward and shifted; None reads exact expectations.

    Raises:
        ConfigError: `shots` is below 1.

    Source: see `qtrl.quantum.gradients.parameter_shift`.
    """

    def __init__(self, n_in: int, n_out: int, *, shots: int | None = None) -> None:
        super().__init__()
        if shots is not None:
            check_sizes("ParameterShiftEstimator", shots=shots)
        self.shots = shots

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit and, where no shots are set, an engine that is not exact."""
        executable = executable_of(block, "ParameterShiftEstimator")
        if self.shots is None:
            check_exact(executable, "ParameterShiftEstimator")

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit (B, n_out); the backward pass draws from `generator` as well."""
        executable = executable_of(block, "ParameterShiftEstimator")
        how: dict[str, Any] = {"shots": self.shots, "generator": generator, "readout_error": block.readout_error}
        return attach_gradient(q_in, measure(executable, q_in, **how), partial(parameter_shift, executable, **how))

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row, and all its shifted ones where there is a gradient."""
        circuit = executable_of(block, "ParameterShiftEstimator").circuit
        circuits = batch * (1 + gradient * parameter_shift_circuits(circuit))
        return Cost(circuits=circuits, shots=circuits * (self.shots or 0))
