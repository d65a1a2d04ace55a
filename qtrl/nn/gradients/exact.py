"""The simulator's exact gradient, with the exact value or with the block's own measurement."""

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator, executable_of
from qtrl.quantum import check_exact
from qtrl.quantum.gradients import check_differentiable, exact_expectations, straight_through


class ExactEstimator(GradientEstimator):
    """Return the circuit's expectations, with the gradient that the engine itself computes.

    No quantum computer can do that: it is what the other estimators are compared with.
    """

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit, or with an engine that is not exact or not differentiable."""
        executable = executable_of(block, self)
        check_exact(executable, type(self).__name__)
        check_differentiable(executable)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the probability of 1 on each qubit."""
        return exact_expectations(executable_of(block, self), q_in, block.readout_error)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return one circuit for each row: the gradient is the simulator's and counts none."""
        return Cost(circuits=batch)


class StraightThroughEstimator(ExactEstimator):
    """Return what the block reads, with the exact gradient of the expectations behind it.

    Source: see `qtrl.quantum.gradients.straight_through`.
    """

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's output; the expectations are computed where a gradient can follow."""
        value = block(q_in, generator)
        if not torch.is_grad_enabled():
            return value
        return straight_through(executable_of(block, self), q_in, value, block.readout_error)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return the cost of the block, and one exact circuit for each row where there is a gradient."""
        return block.cost(batch) + Cost(circuits=gradient * batch)
