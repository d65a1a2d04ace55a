import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats

from qtrl.report import (
    band,
    holm,
    iqm,
    iqm_interval,
    permutation_p_value,
    probability_of_improvement,
    probability_of_improvement_interval,
    smallest_detectable_difference,
    smallest_p_value,
)

SIZES = [(2, 2), (3, 5), (5, 3), (5, 5), (4, 7)]


def draw(seed, *sizes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=size) for size in sizes]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([4], 4), ([1, 9], 5), ([1, 2, 9], 4), ([9, 1, 2, 4], 3), ([0, 5, 3, 4, 99], 4), ([1, 2, 3, 4, 5, 6, 7, 80], 4.5)],
)
def test_iqm_leaves_out_a_quarter_at_each_end_rounded_down(values, expected):
    assert iqm(np.array(values, float)) == pytest.approx(expected)


def test_interval_of_three_seeds_is_that_of_student():
    (values,) = draw(0, 3)
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    found = iqm_interval(values)
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.02)


def test_interval_of_five_seeds_has_the_standard_error_of_all_resamples():
    (values,) = draw(1, 5)
    means = [sum(sorted(picked)[1:4]) / 3 for picked in itertools.product(values, repeat=5)]
    half = 2.7764 * math.sqrt(5 / 4) * statistics.pstdev(means)
    found = iqm_interval(values)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)
    assert (found.high + found.low) / 2 == pytest.approx(iqm(values))


def test_one_seed_has_no_interval_and_alike_seeds_one_without_width():
    assert math.isnan(iqm_interval(np.array([1.0])).low) and math.isnan(iqm_interval(np.array([1.0])).high)
    assert iqm_interval(np.full(5, 2.0)).low == iqm_interval(np.full(5, 2.0)).high == 2


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("distribution", ["normal", "exponential"])
def test_intervals_hold_the_true_iqm_nearly_as_often_as_they_say(n, distribution):
    generator = np.random.default_rng(n)
    truth = {"normal": 0.0, "exponential": iqm(generator.exponential(size=1_000_000))}[distribution]
    studies = getattr(generator, distribution)(size=(n, 400))
    found = band([(np.arange(400), seed) for seed in studies])
    assert 0.9 <= np.mean((found.low <= truth) & (truth <= found.high)) <= 0.995


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_probability_of_improvement_is_that_of_pairs_and_of_mann_and_whitney(n, m):
    values, reference = np.round(draw(n, n, m)[0], 0), np.round(draw(m, n, m)[1], 0)
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in values for y in reference]
    found = probability_of_improvement(values, reference)
    assert found == pytest.approx(statistics.fmean(pairs))
    assert found == pytest.approx(stats.mannwhitneyu(values, reference).statistic / (n * m))
    assert found == pytest.approx(1 - probability_of_improvement(reference, values))


def test_interval_of_the_probability_of_improvement_solves_newcombes_equation():
    values, reference = np.array([1.0, 3, 5, 7, 9]), np.array([2.0, 4, 6])
    found = probability_of_improvement_interval(values, reference)
    for end in (found.low, found.high):
        more = 3 * ((1 - end) / (2 - end) + end / (1 + end))
        variance = end * (1 - end) * (1 + more) / 15
        assert abs(9 / 15 - end) / math.sqrt(variance) == pytest.approx(1.959964, abs=1e-5)
    turned = probability_of_improvement_interval(reference, values)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_interval_keeps_its_width_where_all_pairs_agree():
    low = np.arange(5.0)
    above, below = (probability_of_improvement_interval(low + shift, low) for shift in (9, -9))
    assert (above.high, below.low) == (1, 0)
    assert above.low == pytest.approx(0.643, abs=1e-3) and below.high == pytest.approx(0.357, abs=1e-3)
    alone = probability_of_improvement_interval(low[:1], low)
    assert math.isnan(alone.low) and math.isnan(alone.high)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_interval_holds_the_true_probability_of_improvement_nearly_as_often_as_it_says(shift):
    generator, truth = np.random.default_rng(3), stats.norm.cdf(shift / math.sqrt(2))
    hits = 0
    for _ in range(300):
        found = probability_of_improvement_interval(generator.normal(shift, size=5), generator.normal(size=5))
        hits += found.low <= truth <= found.high
    assert 0.9 <= hits / 300 <= 0.99


def by_all_splits(values, reference):
    """Both one-sided p values by brute force, doubled."""
    pool, n = [*values, *reference], len(values)
    seen = statistics.fmean(values) - statistics.fmean(reference)
    differences = []
    for chosen in itertools.combinations(range(len(pool)), n):
        rest = [pool[i] for i in range(len(pool)) if i not in chosen]
        differences.append(statistics.fmean(pool[i] for i in chosen) - statistics.fmean(rest))
    above = sum(difference >= seen - 1e-12 for difference in differences)
    below = sum(difference <= seen + 1e-12 for difference in differences)
    return min(1.0, 2 * min(above, below) / len(differences))


@pytest.mark.parametrize("shift", [0.0, 1.5, 9.0])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_p_value_is_that_of_all_splits(n, m, shift):
    values, reference = draw(n + 10 * m, n, m)
    p = permutation_p_value(values + shift, reference)
    assert p == pytest.approx(by_all_splits(values + shift, reference))
    assert p >= smallest_p_value(n, m)
    assert p == pytest.approx(permutation_p_value(reference, values + shift))


@pytest.mark.parametrize(("n", "m", "expected"), [(5, 5, 2 / 252), (3, 5, 2 / 56), (3, 3, 0.1), (8, 8, 2 / 12870)])
def test_smallest_p_value_is_that_of_seeds_apart(n, m, expected):
    assert smallest_p_value(n, m) == pytest.approx(expected)
    assert permutation_p_value(np.arange(n) + 100.0, np.arange(m) * 1.0) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(10, 10), (8, 9), (20, 20)])
def test_smallest_p_value_of_many_seeds_is_that_of_the_splits_drawn(n, m):
    assert smallest_p_value(n, m) == pytest.approx(2 / 20_001)
    for shift in (100.0, -100.0):
        p = permutation_p_value(np.arange(n) + shift, np.arange(m) * 1.0)
        assert p >= smallest_p_value(n, m) and p == pytest.approx(2 / 20_001, rel=2)


def test_many_seeds_are_tested_by_some_of_the_splits_the_same_at_every_call():
    values, reference = draw(0, 12, 12)
    p = permutation_p_value(values + 0.9, reference)
    assert p == permutation_p_value(values + 0.9, reference)
    assert p == pytest.approx(stats.ttest_ind(values + 0.9, reference).pvalue, abs=0.02)


def test_no_difference_is_no_evidence_and_one_seed_none_at_all():
    same = np.full(5, -3.0)
    assert permutation_p_value(same, same) == 1
    assert math.isnan(permutation_p_value(same[:1], same)) and math.isnan(permutation_p_value(same, same[:1]))


def test_holm_as_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_holm_does_not_count_comparisons_that_were_not_made():
    first, none, second = holm([0.01, math.nan, 0.02])
    assert (first, second) == pytest.approx((0.02, 0.02)) and math.isnan(none)


@pytest.mark.parametrize(("n", "expected"), [(5, 2.024), (10, 1.325), (20, 0.909)])
def test_smallest_difference_in_deviations_is_that_of_power_tables(n, expected):
    (values,) = draw(n, n)
    values = (values - values.mean()) / values.std(ddof=1)
    assert smallest_detectable_difference(values, values) == pytest.approx(expected, abs=1e-3)
    assert smallest_detectable_difference(7 * values, 7 * values + 3) == pytest.approx(7 * expected, abs=1e-2)


def test_smallest_difference_is_seen_four_times_in_five():
    generator = np.random.default_rng(0)
    unit = np.array([-1.0, 0, 1])  # standard deviation 1
    size = smallest_detectable_difference(unit, np.array([-1.0, -1, 0, 1, 1]))
    draws = generator.normal(size=(2, 20_000, 5))
    p_values = stats.ttest_ind(draws[0, :, :3] + size, draws[1], axis=1).pvalue
    assert np.mean(p_values < 0.05) == pytest.approx(0.8, abs=0.01)


def test_smallest_difference_needs_two_seeds_that_differ():
    (values,) = draw(0, 5)
    assert math.isnan(smallest_detectable_difference(values[:1], values))
    assert math.isnan(smallest_detectable_difference(np.zeros(5), np.ones(5)))


def test_curves_on_the_same_env_steps_are_put_together_as_they_are():
    steps = np.array([10.0, 20, 30])
    values = draw(5, 3, 3, 3, 3, 3)
    found = band([(steps, curve) for curve in values])
    np.testing.assert_array_equal(found.env_steps, steps)
    assert found.n == 5
    for place in range(3):
        column = np.array([curve[place] for curve in values])
        interval = iqm_interval(column)
        assert found.iqm[place] == pytest.approx(iqm(column)) and found.mean[place] == pytest.approx(column.mean())
        assert (found.low[place], found.high[place]) == pytest.approx((interval.low, interval.high), rel=0.1)


def test_other_curves_are_joined_by_straight_lines_where_all_of_them_are():
    found = band([(np.array([0.0, 20]), np.array([0.0, 20])), (np.array([10.0, 15, 40]), np.array([1.0, 1, 1]))])
    np.testing.assert_array_equal(found.env_steps, [10, 15, 20])
    np.testing.assert_allclose(found.mean, [5.5, 8, 10.5])


def test_long_curves_are_thinned_from_the_first_to_the_last_point():
    steps = np.arange(100_000.0)
    found = band([(steps, steps + seed) for seed in range(5)])
    assert len(found.env_steps) <= 1_000
    assert (found.env_steps[0], found.env_steps[-1]) == (0, 99_999)
    assert np.ptp(np.diff(found.env_steps)) <= 1
    np.testing.assert_allclose(found.mean, found.env_steps + 2)


def test_curves_that_do_not_meet_give_an_empty_band():
    found = band([(np.array([0.0, 1]), np.zeros(2)), (np.array([5.0, 6]), np.zeros(2))])
    assert [len(array) for array in (found.env_steps, found.iqm, found.mean, found.low, found.high)] == [0] * 5


def test_a_band_on_a_logarithmic_scale_stays_above_0():
    curves = [(np.array([1.0]), np.array([value])) for value in (0.01, 0.1, 10.0)]
    plain, log = band(curves), band(curves, log=True)
    assert plain.low[0] < 0 < log.low[0] < log.high[0]
    assert log.iqm[0] == pytest.approx(0.01 ** (1 / 3) * 0.1 ** (1 / 3) * 10 ** (1 / 3))
    assert (log.lowest, log.highest) == (0.01, 10)


def test_one_curve_has_a_line_and_no_band():
    found = band([(np.array([1.0, 2]), np.array([3.0, 4]))])
    np.testing.assert_array_equal(found.iqm, [3, 4])
    assert np.isnan(found.low).all() and np.isnan(found.high).all()
