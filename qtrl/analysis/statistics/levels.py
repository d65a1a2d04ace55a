"""Time to a level: what runs had spent when a test first reached it; a run that did not reach it has no time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qtrl.analysis.runs.reading import RunResult
from qtrl.analysis.runs.study import Study
from qtrl.keys import ENV_STEPS, UPDATES, are_levels

UNITS = (ENV_STEPS, UPDATES, "gflop", "seconds")
"""What is spent: columns of a row."""


@dataclass(frozen=True, kw_only=True)
class LevelRow:
    """One level of one block.

    The last four are medians over its seeds, a seed that did not reach the level coming after all that did: by then
    half of the seeds had reached it. NaN where fewer than half did, or where a number is unknown.

    Attributes:
        block: The label.
        level: Mean return, or other score, of a test.
        n: Seeds.
        reached: Seeds that reached it.
        env_steps: When the test was made.
        updates: Until then.
        gflop: Floating-point operations of these updates, in units of 10⁹.
        seconds: Wall time until the test began.
    """

    block: str
    level: float
    n: int
    reached: int
    env_steps: float
    updates: float
    gflop: float
    seconds: float


def levels_of(study: Study) -> list[float]:
    """Return the levels that the configs of a study's runs name, each once."""
    named = [run.config.get("env.levels") for runs in study.runs.values() for run in runs]
    return sorted({level for levels in named if are_levels(levels) for level in levels})


def level_rows(study: Study, levels: Sequence[float]) -> list[LevelRow]:
    """Describe every level and label, but for levels that no run reached."""
    rows = []
    for level in levels:
        times = {label: [_time_to(level, run) for run in runs] for label, runs in study.runs.items()}
        if any(time is not None for of_label in times.values() for time in of_label):
            rows += [_row(label, level, of_label) for label, of_label in times.items()]
    return rows


def _row(label: str, level: float, times: Sequence[dict[str, float] | None]) -> LevelRow:
    reached = [time for time in times if time is not None]
    medians = {unit: _median([time[unit] for time in reached], len(times)) for unit in UNITS}
    return LevelRow(block=label, level=level, n=len(times), reached=len(reached), **medians)


def _median(reached: Sequence[float], n: int) -> float:
    """Return the value by which half of n seeds had reached a level, from those of the seeds that did."""
    half = math.ceil(n / 2)
    known = len(reached) >= half and not any(map(math.isnan, reached))
    return sorted(reached)[half - 1] if known else math.nan


def _time_to(level: float, run: RunResult) -> dict[str, float] | None:
    """Return what a run had spent at its first test that reached a level; None where none did."""
    steps, returns = run.columns[run.measure.curve]
    high = np.flatnonzero(returns >= level)
    if not len(high):
        return None
    env_steps = float(steps[high[0]])
    updates, seconds = (_at(env_steps, run, column) for column in (UPDATES, "time/total"))
    gflop = updates * _per_update(run.summary.get("gflop_per_update"))
    return {ENV_STEPS: env_steps, UPDATES: updates, "gflop": gflop, "seconds": seconds}


def _per_update(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else math.nan


def _at(env_steps: float, run: RunResult, column: str) -> float:
    """Return the value of a counter at some env steps, on a line between those of its rows."""
    steps, values = run.columns.get(column, ((), ()))
    return float(np.interp(env_steps, steps, values)) if len(values) else math.nan
