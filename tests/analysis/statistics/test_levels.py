import math
from pathlib import Path

import numpy as np
import pytest

from qtrl.analysis.runs.reading import RunResult
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.levels import level_rows, levels_of

STEPS = np.array([1000.0, 2000, 3000])


def run(returns, *, label="pqc", per_update=2.0, levels=None, timed=True):
    curves = {"test/return_mean": (STEPS, np.array(returns, float)), "updates": (STEPS, STEPS / 2)}
    if timed:
        curves["time/total"] = (np.array([0.0, 1500, 2500]), np.array([0.0, 30, 50]))
    summary = {} if per_update is None else {"gflop_per_update": per_update}
    config = {} if levels is None else {"env.levels": levels}
    return RunResult(Path(label), label, 0, summary, curves, config)


def study_of(**runs):
    return Study(runs, [], {}, [])


def only(study, level=100.0):
    (row,) = level_rows(study, [level])
    return row


def test_a_run_has_what_it_had_spent_at_the_first_test_that_reached_the_level():
    row = only(study_of(pqc=[run([50, 100, 90])]))
    assert (row.block, row.level, row.n, row.reached) == ("pqc", 100.0, 1, 1)
    assert (row.env_steps, row.updates, row.gflop, row.seconds) == pytest.approx((2000, 1000, 2000, 40))


@pytest.mark.parametrize(
    ("first_at", "reached", "median"),
    [
        ([1, 2, 3], 3, 2000),
        ([1, 3, None], 2, 3000),
        ([1, None, None], 1, math.nan),
        ([2, 3, None, None], 2, 3000),
        ([1, 2, 3, None], 3, 2000),
    ],
)
def test_a_seed_that_did_not_get_there_comes_after_all_others_and_has_no_number(first_at, reached, median):
    returns = [[200 if at is not None and test >= at else 0 for test in (1, 2, 3)] for at in first_at]
    row = only(study_of(pqc=[run(values) for values in returns]))
    assert (row.n, row.reached) == (len(first_at), reached)
    assert row.env_steps == pytest.approx(median, nan_ok=True)
    assert math.isnan(row.seconds) == math.isnan(median)


def test_levels_that_no_run_reached_are_left_out_and_blocks_that_did_not_are_not():
    rows = level_rows(study_of(pqc=[run([0, 0, 200])], fc=[run([0, 0, 0], label="fc")]), [100.0, 300.0])
    assert [(row.level, row.block, row.reached) for row in rows] == [(100.0, "pqc", 1), (100.0, "fc", 0)]
    assert math.isnan(rows[1].env_steps)


@pytest.mark.parametrize("per_update", [None, "2", -1, math.inf])
def test_what_a_run_does_not_know_is_left_empty(per_update):
    row = only(study_of(pqc=[run([100, 100, 100], per_update=per_update, timed=False)]))
    assert (row.reached, row.env_steps) == (1, 1000)
    assert math.isnan(row.gflop) and math.isnan(row.seconds)


def test_levels_are_those_that_the_runs_name():
    runs = [run([0, 0, 0], levels=levels) for levels in ([1000, 5000], [2500, 5000], None, "all", [3, 1], [True])]
    assert levels_of(study_of(pqc=runs)) == [1000, 2500, 5000]
