"""Statistics over seeds: arrays hold one value for each run, never one for each episode.

n: seeds, m: seeds of the reference, T: env steps of a curve. How well the intervals cover what they should is measured
in docs/statistics.md. Every draw is made from a generator of its own with a fixed seed, so results can be repeated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qtrl.report.run_files import Curve

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
"""Of two-sided tests."""
POWER = 0.8
RESAMPLES = 20_000
"""Of a bootstrap, and of a permutation test that has more splits than this: exact up to 8 against 8 seeds."""
CURVE_RESAMPLES = 2_000
CURVE_POINTS = 1_000
"""Env steps of a band at most: more than a plot is wide, and a bootstrap keeps all resamples of each."""


@dataclass(frozen=True)
class Interval:
    """An interval of 95 % confidence; both ends are NaN where there is one seed.

    Attributes:
        low: Its lower end.
        high: Its upper end.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """Learning curves of several seeds as one.

    Attributes:
        env_steps: (T,).
        iqm: Over seeds at each env step, (T,).
        mean: (T,).
        low: Lower ends of pointwise intervals of the IQM, (T,); NaN for one seed.
        high: Upper ends, (T,).
        n: Seeds.
        lowest: Lowest value of any seed there, infinite without any; intervals may reach further, and axes need not.
        highest: Highest value of any seed.
    """

    env_steps: np.ndarray
    iqm: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    lowest: float
    highest: float


def iqm(values: np.ndarray) -> float:
    """Return the interquartile mean: of what is left without the lowest and the highest ⌊n/4⌋ values, (n,).

    Source: arXiv:2108.13264, Section 4.3.
    """
    from scipy import stats

    return float(stats.trim_mean(values, 0.25))


def iqm_interval(values: np.ndarray) -> Interval:
    """Return the IQM plus and minus Student's t times its bootstrap standard error.

    The percentile bootstrap is too narrow for few seeds: it is made of the seeds at hand, as if there were no others.
    Quantiles of t, and √(n/(n-1)) for the standard error, make up for it.

    Args:
        values: One of each seed, (n,).

    Source: Hesterberg, The American Statistician 69 (2015) 371, on the bootstrap t interval and narrowness bias.
    """
    center, half = iqm(values), float(_half_width(values[:, None], RESAMPLES)[0])
    return Interval(center - half, center + half)


def probability_of_improvement(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of pairs, one seed of each, in which the first is higher; ties count half.

    Args:
        values: (n,).
        reference: (m,).

    Source: arXiv:2108.13264, Section 4.3; equal to Mann and Whitney's U/(nm).
    """
    return float((np.sign(values[:, None] - reference).mean() + 1) / 2)


def probability_of_improvement_interval(values: np.ndarray, reference: np.ndarray) -> Interval:
    """Return the interval of all probabilities that the one found is within 1.96 standard deviations of.

    It keeps its width where all pairs agree, at 0 or 1, where a bootstrap of the pairs has none.

    Args:
        values: (n,).
        reference: (m,).

    Source: Newcombe, Statistics in Medicine 25 (2006) 559, method 5.
    """
    from scipy import optimize, stats

    n, m = len(values), len(reference)
    if min(n, m) < 2:
        return Interval(math.nan, math.nan)
    found, z = probability_of_improvement(values, reference), stats.norm.isf(ALPHA / 2)

    def beyond(p: float) -> float:
        spread = 1 + ((n + m) / 2 - 1) * ((1 - p) / (2 - p) + p / (1 + p))
        return (found - p) ** 2 - z**2 * p * (1 - p) * spread / (n * m)

    inside = min(max(found, 1e-9), 1 - 1e-9)
    low = optimize.brentq(beyond, 0.0, inside) if found > 0 else 0.0
    high = optimize.brentq(beyond, inside, 1.0) if found < 1 else 1.0
    return Interval(float(low), float(high))


def permutation_p_value(values: np.ndarray, reference: np.ndarray) -> float:
    """Test by permutation, two-sided, whether two means differ: twice the smaller of both one-sided p values.

    All splits of the seeds into two groups are looked at where there are at most `RESAMPLES`, else so many of them.

    Args:
        values: (n,).
        reference: (m,).

    Returns:
        The p value, not below `smallest_p_value(n, m)`; NaN where one side has one seed.
    """
    from scipy import stats

    if min(len(values), len(reference)) < 2:
        return math.nan
    test = stats.permutation_test(
        (values, reference),
        lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis),
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def smallest_p_value(n: int, m: int) -> float:
    """Return the p value of a permutation test in which all of n seeds are higher than all of m.

    Where splits are drawn, it is that of draws which miss this split; it is counted once beside them.
    """
    splits = math.comb(n + m, n)
    return min(1.0, 2 / (splits if splits <= RESAMPLES else RESAMPLES + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p values of several comparisons, so that with alpha one of them or more is wrong at most as often.

    Args:
        p_values: NaN for comparisons that were not made; these do not count.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    adjusted, highest = [math.nan] * len(p_values), 0.0
    made = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    for rank, (p, place) in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - rank) * p))
        adjusted[place] = highest
    return adjusted


def smallest_detectable_difference(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the difference of means that so many seeds show with a probability of 0.8, if seeds spread as these do.

    It is that of the two-sided t test with alpha 0.05 and the pooled standard deviation, without a correction for
    several comparisons. The permutation test sees less at fewer than five seeds (docs/statistics.md).

    Args:
        values: (n,).
        reference: (m,).

    Returns:
        The difference; NaN where one side has one seed, or no seed differs from another.
    """
    from scipy import optimize, stats

    n, m = len(values), len(reference)
    freedom = n + m - 2
    pooled = math.sqrt((n * np.var(values) + m * np.var(reference)) / freedom) if min(n, m) > 1 else 0.0
    if pooled == 0:
        return math.nan
    critical = stats.t.isf(ALPHA / 2, freedom)
    shift = optimize.brentq(lambda shift: stats.nct.sf(critical, freedom, shift) - POWER, 0.0, 5 * critical)
    return pooled * float(shift) * math.sqrt(1 / n + 1 / m)


def band(curves: Sequence[Curve], *, log: bool = False) -> Band:
    """Put the curves of one metric of several seeds together.

    Args:
        curves: One of each seed, none of them empty. Where their env steps differ, all env steps that lie within every
            curve are taken, and values between those of a curve lie on straight lines. Of more than `CURVE_POINTS`,
            so many at even distances are taken, the first and the last among them.
        log: Whether to take logarithms first and go back at the end, for positive values on a logarithmic axis.
    """
    from scipy import stats

    steps = np.unique(np.concatenate([env_steps for env_steps, _ in curves]))
    within = (steps >= max(env_steps[0] for env_steps, _ in curves)) & (steps <= min(s[-1] for s, _ in curves))
    steps = steps[within]
    if len(steps) > CURVE_POINTS:
        steps = steps[np.linspace(0, len(steps) - 1, CURVE_POINTS).round().astype(int)]
    values = np.stack([np.interp(steps, *curve) for curve in curves])  # (n, T)
    log = log and bool((values > 0).all())
    there, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    scaled = there(values)
    center, half = stats.trim_mean(scaled, 0.25, axis=0), _half_width(scaled, CURVE_RESAMPLES)
    middle, mean, low, high = map(back, (center, scaled.mean(axis=0), center - half, center + half))
    return Band(
        steps,
        middle,
        mean,
        low,
        high,
        n=len(curves),
        lowest=float(values.min(initial=np.inf)),
        highest=float(values.max(initial=-np.inf)),
    )


def _half_width(values: np.ndarray, resamples: int) -> np.ndarray:
    """Return half the width of the interval of each column's IQM, (n, T) to (T,)."""
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
