"""Normalization of observations by their running mean and variance. Shapes: `N` rows, `O` observation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.process.ranks import sum_over_ranks

NORMALIZATIONS = (None, "running")
"""What `normalize` may be."""


class RunningNorm(nn.Module):
    """Center and scale each entry of an observation by the statistics of all observations so far, clipped.

    `update` alone changes the statistics, so tests and evaluation leave them as they are. Before the first row nothing
    is changed.

    Args:
        size: O.
        clip: Largest magnitude of a normalized entry, in standard deviations.
        epsilon: Added to the variance.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, size: int, *, clip: float = 10.0, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.clip, self.epsilon = clip, epsilon
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(size, dtype=torch.float64))

    def forward(self, observation: Tensor) -> Tensor:
        """Return normalized observations for observations, both (..., O)."""
        scale = (self.variance + self.epsilon).rsqrt().to(observation.dtype)
        return ((observation - self.mean.to(observation.dtype)) * scale).clamp(-self.clip, self.clip)

    def update(self, observation: Tensor) -> None:
        """Take in observations (N, O) of every rank; a collective call."""
        update_norms([self], observation)

    def _merge(self, count: Tensor, total: Tensor, squares: Tensor) -> None:
        """Take in so many observations by their sums, each (O,), of values and of squares."""
        mean, merged = total / count, self.count + count
        spread = (squares - count * mean.square()).clamp(min=0)
        shift = mean - self.mean
        spread += self.variance * self.count + shift.square() * self.count * count / merged
        self.mean += shift * count / merged
        self.variance.copy_(spread / merged)
        self.count.copy_(merged)


@torch.no_grad()
def update_norms(norms: Sequence[RunningNorm], observation: Tensor) -> None:
    """Let norms of one size and device take in the same observations (N, O) of every rank; a collective call."""
    if not norms:
        return
    rows = observation.to(norms[0].mean)
    count, total, squares = sum_over_ranks(rows.new_tensor(len(rows)), rows.sum(0), rows.square().sum(0))
    if count > 0:
        for norm in norms:
            norm._merge(count, total, squares)


def make_norm(normalize: str | None, size: int) -> nn.Module:
    """Return what normalizes observations of a size: a `RunningNorm`, or the identity for None.

    Raises:
        ConfigError: The word is unknown.
    """
    if normalize not in NORMALIZATIONS:
        raise ConfigError(f"normalize is {normalize!r}, expected running or null")
    return nn.Identity() if normalize is None else RunningNorm(size)


def running_norms(model: nn.Module) -> list[RunningNorm]:
    """List the modules of a model that normalize by running statistics, each once."""
    return [module for module in model.modules() if isinstance(module, RunningNorm)]
