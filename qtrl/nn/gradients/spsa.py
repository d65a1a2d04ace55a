"""Simultaneous perturbation: a noisy gradient for a few circuits, however many angles there are."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator
from qtrl.nn.gradients.circuit import executable_of
from qtrl.nn.sizes import check_sizes
from qtrl.quantum import check_exact
from qtrl.quantum.gradients import attach_gradient, check_spsa, measure, spsa, spsa_circuits


class SPSAEstimator(GradientEstimator):
    """Return the circuit's expectations, with the gradient by `qtrl.quantum.gradients.spsa`.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
        step: Distance in each angle, in radians.
        repetitions: Directions to average over, two circuits each.
        shots: Measurements of every circuit; None reads exact expectations.

    Raises:
        ConfigError: A number is out of range.

    Source: see `qtrl.quantum.gradients.spsa`.
    """

    def __init__(
        self, n_in: int, n_out: int, *, step: float = 0.1, repetitions: int = 1, shots: int | None = None
    ) -> None:
        super().__init__()
        check_spsa(step, repetitions)
        if shots is not None:
            check_sizes("SPSAEstimator", shots=shots)
        self.step = step
        self.repetitions = repetitions
        self.shots = shots

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit and, where no shots are set, an engine that is not exact."""
        executable = executable_of(block, "SPSAEstimator")
        if self.shots is None:
            check_exact(executable, "SPSAEstimator")

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit (B, n_out); the backward pass draws from `generator`."""
        executable = executable_of(block, "SPSAEstimator")
        if generator is None:
            raise ConfigError("SPSAEstimator: generator is None, but directions need one on the device of q_in")
        how: dict[str, Any] = {"shots": self.shots, "generator": generator, "readout_error": block.readout_error}
        vjp = partial(spsa, executable, step=self.step, repetitions=self.repetitions, **how)
        return attach_gradient(q_in, measure(executable, q_in, **how), vjp)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row, and two for each repetition where there is a gradient."""
        circuits = batch * (1 + gradient * spsa_circuits(self.repetitions))
        return Cost(circuits=circuits, shots=circuits * (self.shots or 0))
