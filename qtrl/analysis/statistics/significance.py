"""Permutation test, Holm's correction, power, and the verdict in words; arrays are as in `estimates`."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from qtrl.analysis.statistics.estimates import ALPHA, RESAMPLES


def permutation_p_value(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the two-sided p value of a permutation test of the difference of means; NaN if one side has one seed.

    It is twice the smaller one-sided p value, and not below `smallest_p_value(n, m)`. All splits of the seeds into two
    groups are enumerated if there are at most `RESAMPLES`; otherwise that many are drawn.
    """
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
    """Return the lowest p value that a permutation test of n against m seeds can have; NaN if one of them is 1.

    It is that of a study in which all of one side are higher than all of the other. Where splits are drawn, the
    observed split is counted once beside them.
    """
    splits = math.comb(n + m, n)
    return min(1.0, 2 / (splits if splits <= RESAMPLES else RESAMPLES + 1)) if min(n, m) > 1 else math.nan


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction, which controls the family-wise error rate; NaN does not count.

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
    multiple comparisons. The permutation test has less power at fewer than five seeds (docs/statistics.md). NaN if one
    side has one seed, or the seeds of both sides have no spread.
    """
    n, m = len(values), len(reference)
    freedom = n + m - 2
    pooled = math.sqrt((n * np.var(values) + m * np.var(reference)) / freedom) if min(n, m) > 1 else 0.0
    if pooled == 0:
        return math.nan
    critical = stats.t.isf(ALPHA / 2, freedom)
    shift = optimize.brentq(lambda shift: stats.nct.sf(critical, freedom, shift) - 0.8, 0.0, 5 * critical)
    return pooled * float(shift) * math.sqrt(1 / n + 1 / m)


def verdict(difference: float, p: float, *, floor: float, n: int, m: int, reference: str) -> str:
    """Return what a comparison of n seeds with m of the label `reference` shows, in words.

    `difference` is that of the means, `p` the corrected p value (NaN for one seed), and `floor` the lowest p value that
    so many seeds can have, corrected.
    """
    if math.isnan(p):
        return "one seed: no statement" if n == 1 else f"one seed of {reference}: no statement"
    if p <= ALPHA:
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        return f"{'higher' if difference > 0 else 'lower'} than {reference} ({shown})"
    few = ": too few seeds for any verdict" if floor > ALPHA else ""
    return f"not distinguishable at n={n if n == m else f'{n} and {m}'}{few}"
