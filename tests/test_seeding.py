import itertools

import torch

from qtrl.seeding import Generators, seed_for


def draw(generators, purpose="shots"):
    return torch.rand(3, generator=generators.get(purpose)).tolist()


def test_seeds_differ_by_seed_purpose_and_rank_and_stay_the_same_for_ever():
    cases = list(itertools.product(range(20), ("shots", "target"), range(3)))
    seeds = {seed_for(*case) for case in cases}
    assert len(seeds) == len(cases)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_for(0, "shots") == 2182998058246079128


def test_purposes_do_not_shift_each_other():
    alone, beside = Generators(0), Generators(0)
    draw(beside, "noise")
    assert draw(alone) == draw(beside)
    assert draw(alone, "noise") != draw(Generators(0))


def test_the_same_purpose_goes_on():
    generators = Generators(0)
    assert draw(generators) != draw(generators)


def test_states_come_back_also_before_and_after_the_generators_are_made():
    generators = Generators(0)
    draw(generators), draw(generators, "noise")
    state = generators.state_dict()
    made, unmade = Generators(1), Generators(2)
    draw(made)
    for back in (made, unmade):
        back.load_state_dict(state)
    relayed = Generators(3)
    relayed.load_state_dict(unmade.state_dict())  # of generators never made
    expected = draw(generators), draw(generators, "noise")
    for back in (made, unmade, relayed):
        assert (draw(back), draw(back, "noise")) == expected
