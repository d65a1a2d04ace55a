"""Running mean and variance: what observations are normalized by, and rewards. Shapes: `N` rows, `O` observation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.process.ranks import max_over_ranks, sum_over_ranks

NORMALIZATIONS = (None, "running")
"""What `normalize` may be."""


class RunningStatistics(nn.Module):
    """Mean and variance of all rows so far, over all ranks; `update` alone changes them.

    Args:
        size: Entries of a row.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(size, dtype=torch.float64))

    def update(self, rows: Tensor) -> None:
        """Take in rows (N, size) of every rank; a collective call."""
        update_norms([self], rows)

    def _merge(self, count: Tensor, total: Tensor, squares: Tensor) -> None:
        """Take in so many rows, maybe none, by their sums, each (size,), of values and of squares."""
        mean, merged = total / count.clamp(min=1), self.count + count
        spread = (squares - count * mean.square()).clamp(min=0)
        shift, divisor = mean - self.mean, merged.clamp(min=1)
        spread += self.variance * self.count + shift.square() * self.count * count / divisor
        self.mean += shift * count / divisor
        self.variance.copy_(torch.where(count > 0, spread / divisor, self.variance))
        self.count.copy_(merged)


class RunningNorm(RunningStatistics):
    """Center and scale each entry of an observation by the statistics of all observations so far, clipped.

    Tests and evaluation leave the statistics as they are. Before the first row nothing is changed.

    Args:
        size: O.
        clip: Largest magnitude of a normalized entry, in standard deviations.
        epsilon: Added to the variance.
    """

    def __init__(self, size: int, *, clip: float = 10.0, epsilon: float = 1e-8) -> None:
        super().__init__(size)
        self.clip, self.epsilon = clip, epsilon

    def forward(self, observation: Tensor) -> Tensor:
        """Return normalized observations for observations, both (..., O)."""
        scale = (self.variance + self.epsilon).rsqrt().to(observation.dtype)
        return ((observation - self.mean.to(observation.dtype)) * scale).clamp(-self.clip, self.clip)


class RewardScale(RunningStatistics):
    """What rewards are divided by, so that returns fit into [-bound, bound]: 1 before the first return.

    That is the standard deviation of the discounted return so far of the running episodes, after each env step, or
    its largest magnitude divided by the bound, where that is more.

    Args:
        bound: Largest magnitude of a value.

    Source: FlashSAC, arXiv:2604.04539; XQC, arXiv:2509.25174, has the standard deviation alone.
    """

    largest: Tensor

    def __init__(self, bound: float) -> None:
        super().__init__(1)
        self.bound = bound
        self.register_buffer("largest", torch.zeros((), dtype=torch.float64))

    def forward(self) -> Tensor:
        """Return the scale, a scalar above 0."""
        deviation = self.variance[0].sqrt()
        return torch.maximum(deviation, self.largest / self.bound).clamp(min=_SMALLEST_SCALE)

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Take in discounted returns (N,) of every rank; a collective call."""
        super().update(rows[:, None])
        newest = torch.cat([rows.abs().to(self.largest, non_blocking=True), self.largest[None]]).amax()
        self.largest.copy_(max_over_ranks(newest))


_SMALLEST_SCALE = 1e-8
"""Where no reward was anything but 0."""


@torch.no_grad()
def update_norms(norms: Sequence[RunningStatistics], rows: Tensor) -> None:
    """Let statistics of one size and device take in the same rows (N, size) of every rank; a collective call."""
    if not norms:
        return
    rows = rows.to(norms[0].mean, non_blocking=True)
    count, total, squares = sum_over_ranks(rows.new_full((), len(rows)), rows.sum(0), rows.square().sum(0))
    for norm in norms:  # whether there are any rows is not asked: the answer would have to be waited for
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


def running_statistics(model: nn.Module) -> list[RunningStatistics]:
    """List the modules of a model that hold running statistics, each once."""
    return [module for module in model.modules() if isinstance(module, RunningStatistics)]


def reward_scales(model: nn.Module) -> list[RewardScale]:
    """List the modules of a model that scale rewards, each once."""
    return [module for module in model.modules() if isinstance(module, RewardScale)]
