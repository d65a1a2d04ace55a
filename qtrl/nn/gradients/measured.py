"""Gradients from runs of the circuit alone, as a quantum computer can make them: shift rules and SPSA."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator, executable_of
from qtrl.nn.sizes import check_sizes
from qtrl.quantum import check_exact, gradients


class ParameterShiftEstimator(GradientEstimator):
    """Return the circuit's expectations, with the gradient by `qtrl.quantum.gradients.parameter_shift`.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        shots: Measurements of every circuit, forward and shifted; None reads exact expectations.

    Raises:
        ConfigError: `shots` is below 1.
    """

    def __init__(self, n_in: int, n_out: int, *, shots: int | None = None) -> None:
        super().__init__(n_in, n_out)
        if shots is not None:
            check_sizes(type(self).__name__, shots=shots)
        self.shots = shots

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit and, where no shots are set, an engine that is not exact."""
        executable = executable_of(block, self)
        if self.shots is None:
            check_exact(executable, type(self).__name__)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit."""
        executable = executable_of(block, self)
        how: dict[str, Any] = {"shots": self.shots, "generator": generator, "readout_error": block.readout_error}
        vjp = partial(gradients.parameter_shift, executable, **how)
        return gradients.attach_gradient(q_in, gradients.measure(executable, q_in, **how), vjp)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row, and all its shifted ones where there is a gradient."""
        circuits = batch * (1 + gradient * gradients.parameter_shift_circuits(executable_of(block, self).circuit))
        return Cost(circuits=circuits, shots=circuits * (self.shots or 0))


class SPSAEstimator(ParameterShiftEstimator):
    """Return the circuit's expectations, with the gradient by `qtrl.quantum.gradients.spsa`.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        step: Distance in each angle, in radians.
        repetitions: Directions to average over, two circuits each.
        shots: Measurements of every circuit; None reads exact expectations.

    Raises:
        ConfigError: A number is out of range.
    """

    def __init__(
        self, n_in: int, n_out: int, *, step: float = 0.1, repetitions: int = 1, shots: int | None = None
    ) -> None:
        super().__init__(n_in, n_out, shots=shots)
        gradients.check_spsa(step, repetitions)
        self.step, self.repetitions = step, repetitions

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit."""
        executable = executable_of(block, self)
        if generator is None:
            raise ConfigError("SPSAEstimator: generator is None, but directions need one on the device of q_in")
        how: dict[str, Any] = {"shots": self.shots, "generator": generator, "readout_error": block.readout_error}
        vjp = partial(gradients.spsa, executable, step=self.step, repetitions=self.repetitions, **how)
        return gradients.attach_gradient(q_in, gradients.measure(executable, q_in, **how), vjp)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row, and two for each repetition where there is a gradient."""
        circuits = batch * (1 + gradient * gradients.spsa_circuits(self.repetitions))
        return Cost(circuits=circuits, shots=circuits * (self.shots or 0))
