import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats

from qtrl.analysis.statistics.significance import (
    holm,
    permutation_p_value,
    smallest_detectable_difference,
    smallest_p_value,
)

SIZES = [(2, 2), (3, 5), (5, 3), (5, 5), (4, 7)]


def draw(seed, *sizes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=size) for size in sizes]


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
