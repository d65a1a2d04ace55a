import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from qtrl.analysis.runs.reading import RunResult
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.table import Row, table
from qtrl.errors import ConfigError

COST = {"circuits": 1000, "shots": 100_000, "wall_seconds": 60.0, "parameter_shift_circuits": 12_345_678_901}
RETURNS = {
    "pqc": [-150.0, -151, -149, -148, -152],
    "fc": [-160.0, -161, -159, -158, -162],
    "rbg": [-150.5, -148.5, -149.5, -151.5, -147.5],
    "few": [-200.0, -201, -202],
    "one": [-100.0],
    "td3": [-130.0, -131, -129, -128, -132],
}


def run(label, seed, value):
    returns = [value + 25] * 10 + [value - 25] * 10
    summary = {
        "return_per_episode": returns,
        "return_mean": value,
        "best_return_mean": value + 5,
        "last_ten_return_mean": value - 5,
        **COST,
    }
    steps = np.arange(12.0)
    curves = {"test/gap": (steps, steps - 20), "test/return_mean": (steps, steps + value - 6.5)}
    return RunResult(Path(label), label, seed, summary, curves, {"callbacks.test_episodes": 10})


def study_of(returns):
    runs = {label: [run(label, seed, value) for seed, value in enumerate(values)] for label, values in returns.items()}
    return Study(runs, [], {}, [])


@pytest.fixture
def rows():
    return {row.block: row for row in table(study_of(RETURNS), reference="pqc", primary=["pqc", "fc", "rbg"])}


def test_there_is_a_row_for_each_label_in_the_order_of_the_study(rows):
    assert list(rows) == list(RETURNS)
    assert [row.n for row in rows.values()] == [5, 5, 5, 3, 1, 5]


def test_a_row_describes_its_seeds(rows):
    row = rows["few"]
    assert (row.iqm, row.mean, row.median, row.std) == pytest.approx((-201, -201, -201, 1))
    assert row.iqm_low < -202 and row.iqm_high > -200
    assert (row.best_mean, row.last_ten_mean, row.gap_mean) == pytest.approx((-196, -201, -13.5))
    assert row.final_first_mean == pytest.approx(-176)
    assert (row.circuits, row.shots, row.seconds) == (1000, 100_000, 60)
    assert row.parameter_shift_circuits == 12_345_678_901


def test_a_row_compares_with_the_reference(rows):
    row = rows["fc"]
    assert (row.difference, row.probability_of_improvement, row.improvement_low) == pytest.approx((-10, 0, 0))
    assert (row.p, row.p_holm) == pytest.approx((2 / 252, 4 / 252))
    assert row.improvement_high == pytest.approx(0.357, abs=1e-3)
    assert row.smallest_difference == pytest.approx(2.024 * math.sqrt(2.5), abs=1e-2)


def test_the_reference_is_not_compared_with_itself(rows):
    row = rows["pqc"]
    assert math.isnan(row.p) and math.isnan(row.difference) and math.isnan(row.smallest_difference)
    assert row.verdict == "the others are compared with it"


def test_verdicts_in_words(rows):
    assert rows["fc"].verdict == "lower than pqc (p = 0.016)"
    assert rows["rbg"].verdict == "not distinguishable at n=5"
    assert rows["td3"].verdict == "higher than pqc (p = 0.016)"
    assert rows["few"].verdict == "lower than pqc (p = 0.036)"
    assert rows["one"].verdict == "one seed: no statement"


def test_families_are_corrected_apart():
    alone = {row.block: row for row in table(study_of(RETURNS), reference="pqc")}
    assert alone["fc"].p_holm == pytest.approx(4 * 2 / 252)
    assert alone["few"].p_holm == pytest.approx(2 * 2 / 56)


def test_seeds_too_few_for_any_verdict_are_told():
    returns = {"pqc": RETURNS["pqc"], "a": RETURNS["few"], "b": RETURNS["few"]}
    for row in table(study_of(returns), reference="pqc")[1:]:
        assert row.verdict == "not distinguishable at n=3 and 5: too few seeds for any verdict"


def test_one_seed_of_the_reference_allows_no_statement():
    (_, row) = table(study_of({"pqc": [1.0], "fc": [2.0, 3.0]}), reference="pqc")
    assert row.verdict == "one seed of pqc: no statement" and math.isnan(row.p)
    assert row.probability_of_improvement == 1 and math.isnan(row.improvement_low)


def test_runs_without_any_spread_are_not_distinguishable():
    (reference, row) = table(study_of({"pqc": [7.0] * 5, "fc": [7.0] * 5}), reference="pqc")
    assert row.verdict == "not distinguishable at n=5"
    assert (row.p, row.probability_of_improvement, reference.std) == (1, 0.5, 0)
    assert math.isnan(row.smallest_difference)


def test_numbers_that_runs_lack_are_left_empty():
    study = study_of({"pqc": [1.0, 2.0]})
    study.runs["pqc"][1].columns.clear()
    study.runs["pqc"][0].config.clear()
    (row,) = table(study, reference="pqc")
    assert math.isnan(row.gap_mean) and row.best_mean == 6.5
    assert math.isnan(row.final_first_mean)


@pytest.mark.parametrize("starts", [None, 0, -1, 21, "10"])
def test_a_final_test_without_all_starts_of_the_others_is_not_compared_with_them(starts):
    study = study_of({"pqc": [1.0, 2.0]})
    study.runs["pqc"][0].config["callbacks.test_episodes"] = starts
    (row,) = table(study, reference="pqc")
    assert math.isnan(row.final_first_mean)


def test_an_unknown_reference_is_refused():
    with pytest.raises(ConfigError, match="no run of reference=x can be used; labels of those that can: pqc, fc"):
        table(study_of(RETURNS), reference="x")


def test_the_page_defines_every_column_in_order():
    page = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
    columns = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert columns == [field.name for field in dataclasses.fields(Row)]
