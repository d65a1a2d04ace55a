"""One policy under several conditions: episodes that began alike, compared pair by pair.

The unit is an episode, so all of it is about this one policy, and nothing about the method that trained it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def mean_interval(values: np.ndarray, *, seed: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the bias-corrected and accelerated bootstrap interval of a mean; its one value where all are equal.

    Args:
        values: (n,) independent values, at least two.
        seed: Seeds the resampling.
        confidence: How often such an interval covers the mean.

    Source: Efron, Better bootstrap confidence intervals, 1987.
    """
    from scipy.stats import bootstrap

    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        n_resamples=RESAMPLES,
        batch=math.ceil(LARGEST_BATCH / len(values)),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def verdict(own: Pairs, conditions: Sequence[Pairs], *, seed: int) -> str:
    """Say whether the layer is used: only if the policy needs it more than anything that knows nothing of the state.

    One uninformed output that does as well is enough to show that the policy can do without; so each of them must
    cost, and no correction for their number is needed. One that gains would be enough to show that the layer is in the
    way; there the intervals are corrected for their number (Bonferroni), and none may cost. Anything else shows
    neither: an interval that holds 0 is no proof that there is no cost.

    Args:
        own: The reference.
        conditions: Those that were tested; the ones that are not uninformed do not matter.
        seed: Seeds the bootstrap.
    """
    found = [pairs for pairs in conditions if pairs.uninformed]
    if not found:
        return "no verdict: no condition took the state out of the layer's outputs"
    needed = [pairs for pairs in found if pairs.high < 0]
    if len(needed) == len(found):
        return _used(own, needed)
    confidence = 1 - (1 - CONFIDENCE) / len(found)
    gaining = [] if needed else [pairs for pairs in _at(confidence, found, seed=seed) if pairs.low > 0]
    if gaining:
        intervals = f"intervals of {100 * confidence:.4g} %"
        return f"the layer is in the way: replacing it gains return: {_listed(gaining)}, {intervals}"
    return _not_shown([pairs for pairs in found if pairs not in needed], needed)


def _used(own: Pairs, needed: Sequence[Pairs]) -> str:
    least = max(needed, key=lambda pairs: pairs.difference)
    size = f"{_number(-least.difference)} [{_number(-least.high)}, {_number(-least.low)}]"
    return (
        f"the layer is used, for a return of {size} or more, where the standard deviation between episodes is "
        f"{_number(own.return_std)}: whatever replaces it without knowing the state costs return: {_listed(needed)}"
    )


def _not_shown(free: Sequence[Pairs], needed: Sequence[Pairs]) -> str:
    possible = _number(max(0.0, *(-pairs.low for pairs in free)))
    outputs = (
        f"; the policy needs outputs there ({_listed(needed)}), but it is not shown that it needs what they say of the "
        "state"
    )
    return (
        f"the layer is not shown to be used: over {len(free[0].returns)} episodes nothing shows a cost of "
        f"{_listed(free)}, though as much as {possible} is possible{outputs if needed else ''}"
    )


def _at(confidence: float, conditions: Sequence[Pairs], *, seed: int) -> list[Pairs]:
    """Return the conditions with intervals of another confidence."""
    intervals = [mean_interval(np.array(pairs.differences), seed=seed, confidence=confidence) for pairs in conditions]
    return [replace(pairs, low=low, high=high) for pairs, (low, high) in zip(conditions, intervals, strict=True)]


def _listed(conditions: Sequence[Pairs]) -> str:
    return ", ".join(
        f"{pairs.name} {_number(pairs.difference, '+')} [{_number(pairs.low)}, {_number(pairs.high)}]"
        for pairs in conditions
    )


def _number(value: float, sign: str = "") -> str:
    """Return a return as text; a small one with a digit more, so that what excludes 0 is seen to."""
    return f"{value:{sign}.2f}" if abs(value) < 1 else f"{value:{sign}.1f}"
