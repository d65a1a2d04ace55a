"""Values as distributions over bins, as pure functions. Shapes: `B` rows, `K` bins, `C` critics side by side.

Source: Bellemare, Dabney and Munos, A distributional perspective on reinforcement learning, arXiv:1707.06887.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean(probabilities: Tensor, support: Tensor) -> Tensor:
    """Return the means (...,) of distributions (..., K) over bins at `support` (K,)."""
    return (probabilities * support).sum(dim=-1)  # no matrix product: mixed precision would round it


def smaller_of(logits: Tensor, support: Tensor) -> Tensor:
    """Return, row by row, the distribution (B, K) of the critic with the smaller mean, for logits (2, B, K)."""
    probabilities = logits.float().softmax(dim=-1)  # mixed precision gives logits of fewer bits
    q1, q2 = mean(probabilities, support)
    return torch.where((q1 <= q2)[:, None], probabilities[0], probabilities[1])


def projected(probabilities: Tensor, reward: Tensor, discount: Tensor, support: Tensor) -> Tensor:
    """Shift and shrink distributions to reward + discount · z, and share what falls between two bins among them.

    What falls beyond the ends of the support is counted at its ends (algorithm 1).

    Args:
        probabilities: Of the next value, shape (B, K).
        reward: In the units of the support, shape (B,).
        discount: Of the next value; 0 after a terminal state. Shape (B,).
        support: Where the bins are: equally spaced, rising, shape (K,).

    Returns:
        Probabilities over the same bins, shape (B, K).
    """
    last = len(support) - 1
    width = (support[-1] - support[0]) / last
    moved = reward[:, None] + discount[:, None] * support
    position = ((moved - support[0]) / width).clamp(0, last)  # in bins, (B, K)
    lower = position.floor()
    share = position - lower
    index = lower.long()
    result = torch.zeros_like(probabilities)
    result.scatter_add_(1, index, probabilities * (1 - share))
    return result.scatter_add_(1, (index + 1).clamp(max=last), probabilities * share)


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum over critics the mean cross-entropy with a common target distribution.

    Args:
        logits: Shape (C, B, K).
        target: Probabilities, shape (B, K).
        weight: Importance weight of each row, shape (B,); None for 1.

    Returns:
        A scalar, in nats.
    """
    errors = -(target * F.log_softmax(logits, dim=-1)).sum(dim=-1)  # (C, B)
    return (errors if weight is None else weight * errors).mean(dim=1).sum()
