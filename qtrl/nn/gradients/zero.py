"""No gradient at all."""

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator


class ZeroEstimator(GradientEstimator):
    """Return what the block reads, and let no gradient through.

    PreDNN then learns by the links alone: what an estimator is worth is its distance from this one.

    Args:
        n_in: Inputs of the block.
        n_out: Outputs of the block.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()

    @torch.no_grad()
    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's output (B, n_out), detached."""
        return block(q_in, generator)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return the cost of the block."""
        return block.cost(batch)
