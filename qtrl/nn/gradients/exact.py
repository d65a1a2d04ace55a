"""The simulator's answer: exact expectations and their exact gradient."""

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator
from qtrl.nn.gradients.circuit import executable_of
from qtrl.quantum import check_exact
from qtrl.quantum.gradients import check_differentiable, exact_expectations


class ExactEstimator(GradientEstimator):
    """Return the circuit's expectations, with the gradient that the engine itself computes.

    No quantum computer can do that: it is what the other estimators are compared with.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit, or with an engine that is not exact or not differentiable."""
        executable = executable_of(block, "ExactEstimator")
        check_exact(executable, "ExactEstimator")
        check_differentiable(executable)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit (B, n_out)."""
        return exact_expectations(executable_of(block, "ExactEstimator"), q_in, block.readout_error)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row: the gradient is the simulator's and counts none."""
        return Cost(circuits=batch)
