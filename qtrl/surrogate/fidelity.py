"""How far a surrogate is from the block that it stands in for, given what the block returns on average.

Shapes: `B` batch, `n` outputs.
"""

import torch
from torch import Tensor


def bce_floor(means: Tensor) -> Tensor:
    """Return the smallest mean binary cross-entropy that any surrogate can have on the block's outputs.

    What is above it is the mean Kullback-Leibler divergence from the block to the surrogate.

    Args:
        means: Mean outputs of the block, (B, n) in [0, 1]. Outputs are bits with these means, or averages of such bits.

    Returns:
        A scalar in nats, from 0 for certain bits to ln 2 for fair ones.
    """
    return (torch.special.entr(means) + torch.special.entr(1 - means)).mean()


def calibration_error(logits: Tensor, means: Tensor) -> Tensor:
    """Return the mean distance between the surrogate's probability and the block's mean, for each output.

    Args:
        logits: Of the surrogate, (B, n).
        means: Mean outputs of the block, (B, n) in [0, 1].

    Returns:
        (n,) in [0, 1].
    """
    return (logits.sigmoid() - means).abs().mean(dim=0)
