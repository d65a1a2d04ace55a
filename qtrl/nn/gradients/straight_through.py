"""The block's own measurement forward, the simulator's gradient backward."""

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator
from qtrl.nn.gradients.circuit import executable_of
from qtrl.quantum import check_exact
from qtrl.quantum.gradients import check_differentiable, straight_through


class StraightThroughEstimator(GradientEstimator):
    """Return what the block reads, with the exact gradient of the expectations behind it.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.

    Source: see `qtrl.quantum.gradients.straight_through`.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()

    def check(self, block: Block) -> None:
        """Refuse a block without a circuit, or with an engine that is not exact or not differentiable."""
        executable = executable_of(block, "StraightThroughEstimator")
        check_exact(executable, "StraightThroughEstimator")
        check_differentiable(executable)

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's output (B, n_out); the expectations are computed where a gradient can follow."""
        value = block(q_in, generator)
        if not torch.is_grad_enabled():
            return value
        return straight_through(executable_of(block, "StraightThroughEstimator"), q_in, value, block.readout_error)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return the cost of the block, and one exact circuit for each row where there is a gradient."""
        block_cost = block.cost(batch)
        return Cost(circuits=block_cost.circuits + gradient * batch, shots=block_cost.shots)
