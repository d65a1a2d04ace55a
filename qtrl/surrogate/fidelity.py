"""How far a surrogate is from the block that it stands in for, given what the block returns on average.

Shapes: `B` batch, `n` outputs.
"""

import torch
from torch import Tensor


def bce_floor(means: Tensor) -> Tensor:
    """Return the smallest mean binary cross-entropy that any surrogate can have on the block's outputs.

    A scalar in nats, from 0 for certain bits to ln 2 for fair ones. What is above it is the mean Kullback-Leibler
    divergence from the block to the surrogate. Outputs are bits with the `means` (B, n) in [0, 1], or averages of them.
    """
    return (torch.special.entr(means) + torch.special.entr(1 - means)).mean()


def calibration_error(logits: Tensor, means: Tensor) -> Tensor:
    """Return the mean distance (n,), in [0, 1], of the probabilities by logits (B, n) from the block's means (B, n)."""
    return (logits.sigmoid() - means).abs().mean(dim=0)
