import numpy as np
import pytest

from qtrl.analysis.statistics.bands import band
from qtrl.analysis.statistics.estimates import iqm, iqm_interval


def draw(seed, *sizes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=size) for size in sizes]


@pytest.mark.parametrize("n", [3, 10])
@pytest.mark.parametrize("distribution", ["normal", "exponential"])
def test_intervals_hold_the_true_iqm_nearly_as_often_as_they_say(n, distribution):
    generator = np.random.default_rng(n)
    truth = {"normal": 0.0, "exponential": iqm(generator.exponential(size=200_000))}[distribution]
    studies = getattr(generator, distribution)(size=(n, 400))
    found = band([(np.arange(400), seed) for seed in studies])
    assert 0.9 <= np.mean((found.low <= truth) & (truth <= found.high)) <= 0.995


def test_curves_on_the_same_env_steps_are_put_together_as_they_are():
    steps = np.array([10.0, 20, 30])
    values = draw(5, 3, 3, 3, 3, 3)
    found = band([(steps, curve) for curve in values])
    np.testing.assert_array_equal(found.env_steps, steps)
    for place in range(3):
        column = np.array([curve[place] for curve in values])
        interval = iqm_interval(column)
        assert found.iqm[place] == pytest.approx(iqm(column))
        assert (found.low[place], found.high[place]) == pytest.approx((interval.low, interval.high), rel=0.1)


def test_other_curves_are_joined_by_straight_lines_where_all_of_them_are():
    found = band([(np.array([0.0, 20]), np.array([0.0, 20])), (np.array([10.0, 15, 40]), np.array([1.0, 1, 1]))])
    np.testing.assert_array_equal(found.env_steps, [10, 15, 20])
    np.testing.assert_allclose(found.iqm, [5.5, 8, 10.5])


def test_long_curves_are_thinned_from_the_first_to_the_last_point():
    steps = np.arange(100_000.0)
    found = band([(steps, steps + seed) for seed in range(5)])
    assert len(found.env_steps) <= 1_000
    assert (found.env_steps[0], found.env_steps[-1]) == (0, 99_999)
    assert np.ptp(np.diff(found.env_steps)) <= 1
    np.testing.assert_allclose(found.iqm, found.env_steps + 2)


def test_curves_that_do_not_meet_give_an_empty_band():
    found = band([(np.array([0.0, 1]), np.zeros(2)), (np.array([5.0, 6]), np.zeros(2))])
    assert [len(array) for array in (found.env_steps, found.iqm, found.low, found.high)] == [0] * 4


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
