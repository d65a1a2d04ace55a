"""Learning curves of several seeds as one curve with a pointwise confidence band. T: env steps of a curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from qtrl.analysis.runs.reading import Curve
from qtrl.analysis.statistics.estimates import half_widths

MAX_POINTS = 1_000
"""Env steps of a band: more than a plot is wide, and a bootstrap keeps all resamples of each."""


@dataclass(frozen=True)
class Band:
    """Learning curves of several seeds as one.

    Attributes:
        env_steps: (T,).
        iqm: Interquartile mean over seeds at each env step, (T,).
        low: Lower ends of pointwise 95 % intervals of the IQM, (T,); NaN for one seed.
        high: Upper ends, (T,).
        lowest: Lowest value of any seed; infinite if T is 0. Intervals may reach further, axes need not.
        highest: Highest value of any seed.
    """

    env_steps: np.ndarray
    iqm: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lowest: float
    highest: float


def band(curves: Sequence[Curve], *, log: bool = False) -> Band:
    """Aggregate the curves of one metric over seeds.

    Args:
        curves: One of each seed, none of them empty. They are interpolated linearly at all of their env steps that lie
            within every curve, thinned evenly to `MAX_POINTS`, the first and the last among them.
        log: Whether to aggregate logarithms and transform back, for positive values on a logarithmic axis.
    """
    steps = np.unique(np.concatenate([env_steps for env_steps, _ in curves]))
    first, last = max(env_steps[0] for env_steps, _ in curves), min(env_steps[-1] for env_steps, _ in curves)
    steps = steps[(steps >= first) & (steps <= last)]
    if len(steps) > MAX_POINTS:
        steps = steps[np.linspace(0, len(steps) - 1, MAX_POINTS).round().astype(int)]
    values = np.stack([np.interp(steps, *curve) for curve in curves])  # (n, T)
    log = log and bool((values > 0).all())
    transform, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    scaled = transform(values)
    center, half = stats.trim_mean(scaled, 0.25, axis=0), half_widths(scaled, resamples=2_000)
    lowest, highest = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return Band(steps, back(center), back(center - half), back(center + half), lowest, highest)
