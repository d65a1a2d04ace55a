import numpy as np
import pytest

from qtrl.report.pairs import Pairs, compare, mean_interval, verdict

OWN = (-100.0, -300.0, -200.0, -400.0)


def pairs(name, low, high, *, uninformed=True):
    middle = (low + high) / 2
    return Pairs(name, (middle,) * 20, (middle,) * 20, low, high, uninformed)


def test_differences_are_taken_pair_by_pair():
    found = compare("shifted", [value - 10 for value in OWN], OWN, seed=0)
    assert found.differences == (-10.0,) * 4
    assert (found.difference, found.low, found.high, found.finding) == (-10.0, -10.0, -10.0, "costs 10.0")
    assert found.return_mean == np.mean(OWN) - 10
    assert found.return_std == np.std(OWN)


def test_the_same_returns_are_the_same():
    found = compare("own", OWN, OWN, seed=0)
    assert (found.difference, found.low, found.high, found.finding) == (0.0, 0.0, 0.0, "the same")


@pytest.mark.parametrize(("shift", "finding"), [(0, "not distinguishable"), (-5, "costs 5.0"), (5, "gains 5.0")])
def test_findings_follow_the_interval(shift, finding):
    noise = np.random.default_rng(0).normal(size=50)
    assert compare("a", noise - noise.mean() + shift, np.zeros(50), seed=0).finding == finding


def test_a_seed_fixes_the_interval():
    values = np.random.default_rng(0).normal(size=20)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(size=30), seed=0) for _ in range(200)]
    covered = sum(low <= 0 <= high for low, high in intervals)
    assert 0.88 * 200 < covered < 0.99 * 200


def test_the_layer_is_used_only_where_every_uninformed_output_costs():
    assert verdict([pairs("zeros", -30, -10), pairs("mean", -5, -3), pairs("exact", -1, 1, uninformed=False)]) == (
        "the layer is used: whatever replaces it without knowing the state costs return: "
        "zeros -20.0 [-30.0, -10.0], mean -4.0 [-5.0, -3.0]"
    )
    assert verdict([pairs("zeros", -30, -10), pairs("mean", -5, 3), pairs("other", -1, 3)]) == (
        "not distinguishable: over 20 episodes the return does not tell the layer from "
        "mean -1.0 [-5.0, 3.0], other +1.0 [-1.0, 3.0]; "
        "the policy needs outputs there (zeros -20.0 [-30.0, -10.0]), but not what they say of the state"
    )
    assert verdict([pairs("mean", -5, 3)]).endswith("does not tell the layer from mean -1.0 [-5.0, 3.0]")
    assert verdict([pairs("zeros", -30, -10), pairs("mean", 2, 4)]) == (
        "the layer is in the way: replacing it gains return: mean +3.0 [2.0, 4.0]"
    )


def test_without_uninformed_outputs_there_is_no_verdict():
    assert verdict([pairs("exact", -9, -8, uninformed=False)]).startswith("no verdict")
