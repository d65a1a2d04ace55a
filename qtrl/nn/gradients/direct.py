"""The block as its own estimator."""

import torch
from torch import Tensor

from qtrl.meters import Cost
from qtrl.nn.blocks import Block
from qtrl.nn.gradients.base import GradientEstimator


class Direct(GradientEstimator):
    """Run the block and let autograd do what it does: all for `fc`, nothing for blocks without a gradient."""

    def forward(self, block: Block, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the block's own output."""
        return block(q_in, generator)

    def cost(self, block: Block, batch: int, *, gradient: bool) -> Cost:
        """Return the cost of the block itself."""
        return block.cost(batch)
