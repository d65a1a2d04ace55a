"""Batch normalization without a mode: each call says by which statistics. Shapes: `B` rows, `K` channels."""

from enum import Enum, auto

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qtrl.process.ranks import mean_over_ranks


class Statistics(Enum):
    """What a call of `BatchNorm` normalizes by, and whether it changes the running averages."""

    RUNNING = auto()
    """By the running averages, which stay as they are: a row's result depends on no other row."""
    BATCH = auto()
    """By mean and variance of the batch alone."""
    FOLLOWED_BATCH = auto()
    """By those of the batch, which the running averages follow."""


class BatchNorm(nn.Module):
    """Center and scale each channel by the statistics that the call asks for.

    A module of torch's takes those of the batch, and changes its averages, wherever `train()` was the last word. Here
    the call alone decides, so that whatever only looks at a network leaves it as it is.

    With several ranks each normalizes its own rows by their own statistics; the averages follow the mean over ranks.

    Args:
        channels: K.
        affine: Whether each channel has a scale and an offset that are learned.
        momentum: Weight of the newest batch in the running averages.
        epsilon: Added to the variance.

    Source: Ioffe and Szegedy, arXiv:1502.03167.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, *, affine: bool = True, momentum: float = 0.01, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, rows: Tensor, by: Statistics) -> Tensor:
        """Return normalized rows for rows, both (B, k): those of the first k channels, with k at most K.

        Averages follow only where all channels are there.
        """
        mean, variance, weight, bias = (
            None if own is None else own[: rows.shape[1]] for own in (self.mean, self.variance, self.weight, self.bias)
        )
        if by is Statistics.BATCH:
            mean = variance = None
        elif by is Statistics.FOLLOWED_BATCH:  # the graph keeps what is written here
            mean, variance = self.mean.clone(), self.variance.clone()
        training = by is not Statistics.RUNNING
        result = F.batch_norm(rows, mean, variance, weight, bias, training, self.momentum, self.epsilon)
        if by is Statistics.FOLLOWED_BATCH:
            assert mean is not None and variance is not None
            self._follow(*mean_over_ranks(mean, variance))
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        self.mean.copy_(mean)
        self.variance.copy_(variance)
