"""Whether two variants differ: permutation test, Holm's correction, power, and the verdict in words.

Arrays hold one value for each seed. n: seeds, m: seeds of the reference.
"""

import math
from collections.abc import Sequence

import numpy as np

from qtrl.analysis.statistics.estimates import ALPHA, RESAMPLES

POWER = 0.8


def permutation_p_value(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the two-sided p value of a permutation test of the difference of means.

    It is twice the smaller one-sided p value. All splits of the seeds into two groups are enumerated if there are at
    most `RESAMPLES`; otherwise that many are drawn.

    Args:
        values: (n,).
        reference: (m,).

    Returns:
        The p value, not below `smallest_p_value(n, m)`; NaN if one side has one seed.
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
    """Return the lowest p value that a permutation test of n against m seeds can have.

    It is that of a study in which all of one side are higher than all of the other. Where splits are drawn, the
    observed split is counted once beside them.
    """
    splits = math.comb(n + m, n)
    return min(1.0, 2 / (splits if splits <= RESAMPLES else RESAMPLES + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction, which controls the family-wise error rate.

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
    """Return the minimum detectable effect: the difference of means that is found with a power of 0.8.

    It is that of the two-sided t test with alpha 0.05 and the pooled standard deviation, without a correction for
    multiple comparisons. The permutation test has less power at fewer than five seeds (docs/statistics.md).

    Args:
        values: (n,).
        reference: (m,).

    Returns:
        The difference; NaN if one side has one seed, or the seeds of both sides have no spread.
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


def verdict(difference: float, p: float, *, floor: float, n: int, m: int, reference: str) -> str:
    """Return what a comparison shows, in words.

    Args:
        difference: Of the means.
        p: The p value, corrected; NaN for one seed.
        floor: The lowest p value that so many seeds can have, corrected.
        n: Seeds.
        m: Seeds of the reference.
        reference: Label of the reference.
    """
    seeds = f"n={n}" if n == m else f"n={n} and {m}"
    if math.isnan(p):
        return "one seed: no statement" if n == 1 else f"one seed of {reference}: no statement"
    if p <= ALPHA:
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        return f"{'higher' if difference > 0 else 'lower'} than {reference} ({shown})"
    if floor > ALPHA:
        return f"not distinguishable at {seeds}: too few seeds for any verdict"
    return f"not distinguishable at {seeds}"
