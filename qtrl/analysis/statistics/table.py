"""The rows of a study's table: one for each label, with the seed as the unit."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qtrl.analysis.runs.reading import RunResult
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics import estimates, significance
from qtrl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Row:
    """One block; a number that does not exist is NaN. The columns are defined in docs/statistics.md."""

    block: str
    n: int
    iqm: float
    iqm_low: float
    iqm_high: float
    mean: float
    median: float
    std: float
    best_mean: float
    last_ten_mean: float
    final_first_mean: float
    gap_mean: float
    difference: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    probability_of_improvement: float = math.nan
    improvement_low: float = math.nan
    improvement_high: float = math.nan
    smallest_difference: float = math.nan
    verdict: str = "the others are compared with it"
    circuits: float
    shots: float
    seconds: float
    parameter_shift_circuits: float


def table(study: Study, *, reference: str, primary: Collection[str] | None = None) -> list[Row]:
    """Describe every label, and compare it with one of them.

    Args:
        study: The runs.
        reference: The label that the others are compared with.
        primary: Labels whose comparisons form one family of Holm's correction, the others forming a second; None for
            one family of all.

    Raises:
        ConfigError: No run of the reference can be used.
    """
    if reference not in study.runs:
        known = ", ".join(study.runs) or "none"
        raise ConfigError(f"no run of reference={reference} can be used; labels of those that can: {known}")
    values = {label: study.values(label) for label in study.runs}
    others = [label for label in study.runs if label != reference]
    first = set(others if primary is None else primary)
    compared: dict[str, dict[str, Any]] = {reference: {}}
    for inside in (True, False):
        compared |= _compare([label for label in others if (label in first) is inside], values, reference)
    return [
        Row(block=label, **_describe(values[label]), **_of_runs(runs), **compared[label])
        for label, runs in study.runs.items()
    ]


def _describe(values: np.ndarray) -> dict[str, Any]:
    low, high = estimates.iqm_interval(values)
    return {
        "n": len(values),
        "iqm": estimates.iqm(values),
        "iqm_low": low,
        "iqm_high": high,
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
    }


def _of_runs(runs: Sequence[RunResult]) -> dict[str, Any]:
    def mean(key: str) -> float:
        return float(np.mean([run.summary[key] for run in runs]))

    return {
        "best_mean": mean(runs[0].measure.best),
        "last_ten_mean": float(np.mean([_recent(run, run.measure.curve) for run in runs])),
        "final_first_mean": float(np.mean([_on_first_starts(run) for run in runs])),
        "gap_mean": float(np.mean([_recent(run, "test/gap") for run in runs])),
        "seconds": mean("wall_seconds"),
        **{key: mean(key) for key in ("circuits", "shots", "parameter_shift_circuits")},
    }


def _recent(run: RunResult, metric: str) -> float:
    """Return the mean of the last ten tests; NaN if a run lacks the metric."""
    _, values = run.columns.get(metric, ((), ()))
    return float(np.mean(values[-10:])) if len(values) else math.nan


def _on_first_starts(run: RunResult) -> float:
    """Return the mean of the final test on the start seeds that the other tests have; NaN if there are none known."""
    starts, returns = run.config.get("callbacks.test_episodes"), run.summary.get(run.measure.starts or "", ())
    return float(np.mean(returns[:starts])) if isinstance(starts, int) and 0 < starts <= len(returns) else math.nan


def _compare(family: Sequence[str], values: Mapping[str, np.ndarray], reference: str) -> dict[str, dict[str, Any]]:
    """Compare the labels of a family with the reference, with Holm's correction for their number."""
    than, compared = values[reference], {}
    p_values = [significance.permutation_p_value(values[label], than) for label in family]
    floors = [significance.smallest_p_value(len(values[label]), len(than)) for label in family]
    corrected = zip(family, p_values, significance.holm(p_values), significance.holm(floors), strict=True)
    for label, p, p_holm, floor in corrected:
        ours = values[label]
        difference, sizes = float(np.mean(ours) - np.mean(than)), {"n": len(ours), "m": len(than)}
        low, high = estimates.probability_of_improvement_interval(ours, than)
        compared[label] = {
            "difference": difference,
            "p": p,
            "p_holm": p_holm,
            "probability_of_improvement": estimates.probability_of_improvement(ours, than),
            "improvement_low": low,
            "improvement_high": high,
            "smallest_difference": significance.smallest_detectable_difference(ours, than),
            "verdict": significance.verdict(difference, p_holm, floor=floor, reference=reference, **sizes),
        }
    return compared
