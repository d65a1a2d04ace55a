import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats

from qtrl.analysis.statistics.estimates import (
    iqm,
    iqm_interval,
    probability_of_improvement,
    probability_of_improvement_interval,
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
    for _ in range(200):
        found = probability_of_improvement_interval(generator.normal(shift, size=5), generator.normal(size=5))
        hits += found.low <= truth <= found.high
    assert 0.9 <= hits / 200 <= 0.99
