import numpy as np
import pytest

from qtrl.analysis.statistics.paired import PairedComparison, compare_paired, mean_interval, verdict

OWN = (-100.0, -300.0, -200.0, -400.0)


OWN_PAIRS = compare_paired("own", OWN, OWN, seed=0)


def condition(name, low, high, *, uninformed=True):
    middle = (low + high) / 2
    return PairedComparison(name, (middle,) * 20, (middle,) * 20, low, high, uninformed)


def told(*conditions):
    return verdict(OWN_PAIRS, conditions, seed=0)


def test_differences_are_taken_pair_by_pair():
    found = compare_paired("shifted", [value - 10 for value in OWN], OWN, seed=0)
    assert found.differences == (-10.0,) * 4
    assert (found.difference, found.low, found.high, found.finding) == (-10.0, -10.0, -10.0, "costs 10.0")
    assert found.return_mean == np.mean(OWN) - 10
    assert found.return_std == np.std(OWN)


def test_the_same_returns_are_the_same():
    found = compare_paired("own", OWN, OWN, seed=0)
    assert (found.difference, found.low, found.high, found.finding) == (0.0, 0.0, 0.0, "the same")


@pytest.mark.parametrize(("shift", "finding"), [(0, "not distinguishable"), (-5, "costs 5.0"), (5, "gains 5.0")])
def test_findings_follow_the_interval(shift, finding):
    noise = np.random.default_rng(0).normal(size=50)
    assert compare_paired("a", noise - noise.mean() + shift, np.zeros(50), seed=0).finding == finding


def test_a_seed_fixes_the_interval():
    values = np.random.default_rng(0).normal(size=20)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(size=30), seed=0) for _ in range(100)]
    covered = sum(low <= 0 <= high for low, high in intervals)
    assert 0.88 * 100 < covered < 1.0 * 100


def test_the_layer_is_used_only_where_every_uninformed_output_costs_and_the_least_cost_is_its_size():
    found = told(
        condition("zeros", -30, -10), condition("mean", -0.5, -0.125), condition("exact", -1, 1, uninformed=False)
    )
    assert found == (
        "the layer is used, for a return of 0.31 [0.12, 0.50] or more, where the standard deviation between episodes "
        "is 111.8: whatever replaces it without knowing the state costs return: "
        "zeros -20.0 [-30.0, -10.0], mean -0.31 [-0.50, -0.12]"
    )


def test_no_difference_shown_is_no_denial_and_names_what_is_possible():
    assert told(condition("mean", -400, 1), condition("other", -300, 2), condition("zeros", -500, -400)) == (
        "the layer is not shown to be used: over 20 episodes nothing shows a cost of "
        "mean -199.5 [-400.0, 1.0], other -149.0 [-300.0, 2.0], though as much as 400.0 is possible; "
        "the policy needs outputs there (zeros -450.0 [-500.0, -400.0]), "
        "but it is not shown that it needs what they say of the state"
    )
    assert told(condition("mean", -5, 3)).endswith("mean -1.0 [-5.0, 3.0], though as much as 5.0 is possible")


def gaining(name, share):
    """A mean difference that is `share` of the half-width of its 95 % interval above 0."""
    noise = np.random.default_rng(0).normal(size=50)
    half = np.ptp(mean_interval(noise, seed=0)) / 2
    return compare_paired(name, noise - noise.mean() + share * half, np.zeros(50), seed=0, uninformed=True)


def test_the_layer_is_in_the_way_only_by_an_interval_corrected_for_their_number_and_where_nothing_costs():
    barely, clearly = gaining("barely", 1.15), gaining("clearly", 2.0)
    neither = [condition(name, -1, 1) for name in ("a", "b", "c")]
    assert barely.low > 0
    assert told(barely).startswith("the layer is in the way: replacing it gains return: barely +0.")
    assert told(barely).endswith("intervals of 95 %")
    assert told(barely, *neither).startswith("the layer is not shown to be used")
    assert told(clearly, *neither).startswith("the layer is in the way: replacing it gains return: clearly +")
    assert told(clearly, *neither).endswith("intervals of 98.75 %")
    assert told(clearly, condition("zeros", -30, -10)).startswith("the layer is not shown to be used")


def test_without_uninformed_outputs_there_is_no_verdict():
    assert told(condition("exact", -9, -8, uninformed=False)).startswith("no verdict")
