"""One policy, not its method, under several conditions: paired comparison of episodes from the same start seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qtrl.analysis.statistics.estimates import CONFIDENCE


@dataclass(frozen=True)
class Terms:
    """What results are called.

    Attributes:
        score: What a case gives.
        cases: What conditions are tested on.
        subject: What is tested.
        given: What an informed layer knows of a case.
        alike: How the cases of two conditions belong together.
        column: The score, at the beginning of names of columns.
        counts: What `env_steps` counts.
    """

    score: str = "return"
    cases: str = "episodes"
    subject: str = "policy"
    given: str = "state"
    alike: str = "begun alike"
    column: str = "return"
    counts: str = "env steps"


AGENT = Terms()
"""Of an agent in its environment."""
EXAMPLES = Terms("score in %", "test rows", "model", "row", "in the same order", "percent", "examples")
"""Of a model that was trained on a table."""


@dataclass(frozen=True)
class PairedComparison:
    """The returns of one condition, and their paired differences to those of the reference.

    Attributes:
        name: Of the condition.
        returns: One for each episode.
        differences: Return minus the reference's from the same start, one for each episode.
        low: Lower end of the 95 % bootstrap interval of the mean difference.
        high: Upper end.
        uninformed: Whether the layer's outputs carried no information on the state.
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
        """What the interval shows, in words."""
        if not any(self.differences):
            return "the same"
        if self.low <= 0 <= self.high:
            return "not distinguishable"
        return f"costs {-self.difference:.1f}" if self.difference < 0 else f"gains {self.difference:.1f}"


def compare_paired(
    name: str, returns: Sequence[float], reference: Sequence[float], *, seed: int, uninformed: bool = False
) -> PairedComparison:
    """Compare the returns of a condition, two or more, with the reference's from the same starts in the same order.

    `seed` seeds the bootstrap.
    """
    differences = np.subtract(returns, reference)
    low, high = mean_interval(differences, seed=seed)
    return PairedComparison(name, tuple(returns), tuple(differences.tolist()), low, high, uninformed)


def mean_interval(values: np.ndarray, *, seed: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the bias-corrected and accelerated (BCa) bootstrap interval of a mean; a point if all values are equal.

    There are at least two values (n,), which are independent; `seed` seeds the resampling.

    Source: Efron, Better bootstrap confidence intervals, 1987.
    """
    from scipy.stats import bootstrap

    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    batch, rng = math.ceil(10**7 / len(values)), np.random.default_rng(seed)  # 10**7 numbers at once
    result = bootstrap((values,), np.mean, confidence_level=confidence, n_resamples=9_999, batch=batch, rng=rng)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def verdict(own: PairedComparison, conditions: Sequence[PairedComparison], *, seed: int, terms: Terms = AGENT) -> str:
    """Return whether the layer is used: only if the policy does worse with every uninformed replacement.

    "Used" is an intersection-union test: every uninformed replacement must cost return, so no correction for multiple
    comparisons is needed. "In the way" needs only one replacement that gains return, so there the intervals have a
    Bonferroni correction, and none may cost. Anything else shows neither: an interval that holds 0 does not prove that
    there is no cost. Of the conditions that were tested beside the reference, `own`, only the uninformed ones count.
    """
    found = [paired for paired in conditions if paired.uninformed]
    needed, free = [paired for paired in found if paired.high < 0], [paired for paired in found if paired.high >= 0]
    if not found:
        return f"no verdict: no condition took the {terms.given} out of the layer's outputs"
    if not free:
        return _used(own, needed, terms)
    confidence = 1 - (1 - CONFIDENCE) / len(found)
    if not needed and (gaining := _gaining(found, confidence, seed=seed)):
        intervals = f"intervals of {100 * confidence:.4g} %"
        return f"the layer is in the way: replacing it gains {terms.score}: {_listed(gaining)}, {intervals}"
    return _not_shown(free, needed, terms)


def _gaining(conditions: Sequence[PairedComparison], confidence: float, *, seed: int) -> list[PairedComparison]:
    """Return the conditions that gain return with intervals of this confidence, with these."""
    ends = [mean_interval(np.array(paired.differences), seed=seed, confidence=confidence) for paired in conditions]
    return [replace(it, low=low, high=high) for it, (low, high) in zip(conditions, ends, strict=True) if low > 0]


def _used(own: PairedComparison, needed: Sequence[PairedComparison], terms: Terms) -> str:
    least = max(needed, key=lambda paired: paired.difference)
    size = f"{_number(-least.difference)} [{_number(-least.high)}, {_number(-least.low)}]"
    return (
        f"the layer is used, for a {terms.score} of {size} or more, where the standard deviation between {terms.cases} "
        f"is {_number(own.return_std)}: whatever replaces it without knowing the {terms.given} costs {terms.score}: "
        f"{_listed(needed)}"
    )


def _not_shown(free: Sequence[PairedComparison], needed: Sequence[PairedComparison], terms: Terms) -> str:
    possible = _number(max(0.0, *(-paired.low for paired in free)))
    outputs = (
        f"; the {terms.subject} needs outputs there ({_listed(needed)}), but it is not shown that it needs what they "
        f"say of the {terms.given}"
    )
    return (
        f"the layer is not shown to be used: over {len(free[0].returns)} {terms.cases} nothing shows a cost of "
        f"{_listed(free)}, though as much as {possible} is possible{outputs if needed else ''}"
    )


def _listed(conditions: Sequence[PairedComparison]) -> str:
    return ", ".join(
        f"{paired.name} {_number(paired.difference, '+')} [{_number(paired.low)}, {_number(paired.high)}]"
        for paired in conditions
    )


def _number(value: float, sign: str = "") -> str:
    """Format a return; below 1 with one more digit, so that rounding does not turn the end of an interval into 0."""
    return f"{value:{sign}.2f}" if abs(value) < 1 else f"{value:{sign}.1f}"
