"""Interquartile mean, probability of improvement, and their confidence intervals.

Arrays hold one value for each run, never one for each episode: `values` (n,) of the seeds of one label, `reference`
(m,) of those that it is compared with. How often the intervals cover the true value is measured in docs/statistics.md.
Every resampling draws from a generator of its own with a fixed seed, so results can be repeated.
"""

import math
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
"""Significance level of two-sided tests."""
RESAMPLES = 20_000
"""Of a bootstrap, and of a permutation test that has more splits than this: exact up to 8 against 8 seeds."""


class Interval(NamedTuple):
    """A 95 % confidence interval; both ends are NaN for one seed."""

    low: float
    high: float


def iqm(values: np.ndarray) -> float:
    """Return the interquartile mean: the mean without the lowest and the highest ⌊n/4⌋ values.

    Source: arXiv:2108.13264, Section 4.3.
    """
    from scipy import stats

    return float(stats.trim_mean(values, 0.25))


def iqm_interval(values: np.ndarray) -> Interval:
    """Return the bootstrap t interval of the IQM: the IQM ± Student's t times its bootstrap standard error.

    The percentile bootstrap is too narrow for few seeds (narrowness bias); quantiles of t, and √(n/(n-1)) for the
    standard error, correct for that.

    Source: Hesterberg, The American Statistician 69 (2015) 371.
    """
    center, half = iqm(values), float(half_widths(values[:, None], RESAMPLES)[0])
    return Interval(center - half, center + half)


def half_widths(values: np.ndarray, resamples: int) -> np.ndarray:
    """Return half the width of `iqm_interval` for each column, (n, T) to (T,); NaN for one seed."""
    from scipy import stats

    n, columns = values.shape
    if n < 2 or not columns:
        return np.full(columns, math.nan)
    bootstrap = stats.bootstrap(
        (values,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 2**21 // values.size),
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return stats.t.isf(ALPHA / 2, n - 1) * math.sqrt(n / (n - 1)) * bootstrap.standard_error


def probability_of_improvement(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of pairs, one seed of each, in which the first is higher; ties count half.

    Source: arXiv:2108.13264, Section 4.3; equal to the Mann-Whitney U/(nm).
    """
    return float((np.sign(values[:, None] - reference).mean() + 1) / 2)


def probability_of_improvement_interval(values: np.ndarray, reference: np.ndarray) -> Interval:
    """Return Newcombe's score interval of the probability of improvement.

    It holds every probability that lies within 1.96 of its own standard deviations of the estimate. Unlike a
    bootstrap of the pairs it does not shrink to a point when all pairs agree, at 0 or 1.

    Source: Newcombe, Statistics in Medicine 25 (2006) 559, method 5.
    """
    from scipy import optimize, stats

    n, m = len(values), len(reference)
    if min(n, m) < 2:
        return Interval(math.nan, math.nan)
    found, z = probability_of_improvement(values, reference), stats.norm.isf(ALPHA / 2)

    def score(p: float) -> float:
        spread = 1 + ((n + m) / 2 - 1) * ((1 - p) / (2 - p) + p / (1 + p))
        return (found - p) ** 2 - z**2 * p * (1 - p) * spread / (n * m)

    inside = min(max(found, 1e-9), 1 - 1e-9)
    low = optimize.brentq(score, 0.0, inside) if found > 0 else 0.0
    high = optimize.brentq(score, inside, 1.0) if found < 1 else 1.0
    return Interval(float(low), float(high))
