"""Comparisons of blocks with one of them, and what they say in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qtrl.report import statistics


@dataclass(frozen=True)
class Comparison:
    """How a block compares with the reference; NaN stands where there is nothing to tell."""

    verdict: str
    difference: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    probability_of_improvement: float = math.nan
    improvement_low: float = math.nan
    improvement_high: float = math.nan
    smallest_difference: float = math.nan


def compare_family(family: Sequence[str], values: Mapping[str, np.ndarray], reference: str) -> dict[str, Comparison]:
    """Compare the labels of a family with the reference, and correct for their number.

    Args:
        family: The labels.
        values: One number of each seed for each label, the reference among them, (n,).
        reference: The label that they are compared with.
    """
    than = values[reference]
    m, p_values, floors = len(than), [], []
    for label in family:
        p = statistics.permutation_p_value(values[label], than)
        p_values.append(p)
        floors.append(p if math.isnan(p) else statistics.smallest_p_value(len(values[label]), m))
    corrected, lowest = statistics.holm(p_values), statistics.holm(floors)
    compared = {}
    for label, p, p_holm, floor in zip(family, p_values, corrected, lowest, strict=True):
        ours = values[label]
        difference = float(np.mean(ours) - np.mean(than))
        improvement = statistics.probability_of_improvement_interval(ours, than)
        compared[label] = Comparison(
            verdict=verdict(difference, p_holm, floor=floor, n=len(ours), m=m, reference=reference),
            difference=difference,
            p=p,
            p_holm=p_holm,
            probability_of_improvement=statistics.probability_of_improvement(ours, than),
            improvement_low=improvement.low,
            improvement_high=improvement.high,
            smallest_difference=statistics.smallest_detectable_difference(ours, than),
        )
    return compared


def verdict(difference: float, p: float, *, floor: float, n: int, m: int, reference: str) -> str:
    """Say in words what a comparison shows.

    Args:
        difference: Of the means.
        p: The p value, corrected; NaN for one seed.
        floor: The lowest that it could be with so many seeds.
        n: Seeds.
        m: Seeds of the reference.
        reference: What was compared with.
    """
    seeds = f"n={n}" if n == m else f"n={n} and {m}"
    if math.isnan(p):
        return "one seed: no statement" if n == 1 else f"one seed of {reference}: no statement"
    if p <= statistics.ALPHA:
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        return f"{'higher' if difference > 0 else 'lower'} than {reference} ({shown})"
    if floor > statistics.ALPHA:
        return f"not distinguishable at {seeds}: too few seeds for any verdict"
    return f"not distinguishable at {seeds}"
