"""One policy under several conditions: episodes that began alike, compared pair by pair.

The unit is an episode, so all of it is about this one policy, and nothing about the method that trained it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 9_999
LARGEST_BATCH = 10**7
"""Numbers that are resampled at once."""


@dataclass(frozen=True)
class Pairs:
    """The returns of one condition, and their differences to those of the reference.

    Attributes:
        name: Of the condition.
        returns: One for each episode.
        differences: Return less the reference's from the same start, one for each episode.
        low: Lower end of the 95 % interval of the mean difference.
        high: Upper end.
        uninformed: Whether the layer's outputs said nothing of the state.
    """

    name: str
    returns: tuple[float, ...]
    differences: tuple[float, ...]
    low: float
    high: float
    uninformed: bool = False

    @property
    def return_mean(self) -> float:
        """Mean over episodes."""
        return float(np.mean(self.returns))

    @property
    def return_std(self) -> float:
        """Population standard deviation over episodes."""
        return float(np.std(self.returns))

    @property
    def difference(self) -> float:
        """Mean difference to the reference."""
        return float(np.mean(self.differences))

    @property
    def finding(self) -> str:
        """What the interval says, in words."""
        if not any(self.differences):
            return "the same"
        if self.low <= 0 <= self.high:
            return "not distinguishable"
        return f"costs {-self.difference:.1f}" if self.difference < 0 else f"gains {self.difference:.1f}"


def compare(
    name: str, returns: Sequence[float], reference: Sequence[float], *, seed: int, uninformed: bool = False
) -> Pairs:
    """Compare the returns of a condition with those of the reference.

    Args:
        name: Of the condition.
        returns: One for each episode, at least two.
        reference: From the same starts, in the same order.
        seed: Seeds the bootstrap.
        uninformed: See `Pairs`.
    """
    differences = np.subtract(returns, reference)
    low, high = mean_interval(differences, seed=seed)
    return Pairs(name, tuple(returns), tuple(differences.tolist()), low, high, uninformed)


def mean_interval(values: np.ndarray, *, seed: int) -> tuple[float, float]:
    """Return the bias-corrected and accelerated bootstrap interval of a mean; its one value where all are equal.

    Args:
        values: (n,) independent values, at least two.
        seed: Seeds the resampling.

    Source: Efron, Better bootstrap confidence intervals, 1987.
    """
    from scipy.stats import bootstrap

    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=math.ceil(LARGEST_BATCH / len(values)),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def verdict(conditions: Sequence[Pairs]) -> str:
    """Say whether the layer is used: only if the policy needs it more than anything that knows nothing of the state.

    One uninformed output that does as well is enough to show that the policy can do without; so each of them must
    cost, and no correction for their number is needed.

    Args:
        conditions: Those that were tested; the ones that are not uninformed do not matter.
    """
    found = [pairs for pairs in conditions if pairs.uninformed]
    if not found:
        return "no verdict: no condition took the state out of the layer's outputs"
    free = [pairs for pairs in found if pairs.high >= 0]
    needed = [pairs for pairs in found if pairs.high < 0]
    if not free:
        return f"the layer is used: whatever replaces it without knowing the state costs return: {_listed(needed)}"
    gaining = [pairs for pairs in free if pairs.low > 0]
    if gaining:
        return f"the layer is in the way: replacing it gains return: {_listed(gaining)}"
    n, but = len(free[0].returns), ""
    if needed:
        but = f"; the policy needs outputs there ({_listed(needed)}), but not what they say of the state"
    return f"not distinguishable: over {n} episodes the return does not tell the layer from {_listed(free)}{but}"


def _listed(conditions: Sequence[Pairs]) -> str:
    return ", ".join(
        f"{pairs.name} {pairs.difference:+.1f} [{pairs.low:.1f}, {pairs.high:.1f}]" for pairs in conditions
    )
