import pytest
import torch
from tensordict import TensorDict

from qtrl.data import CollectingPolicy, GaussianNoise
from qtrl.keys import ACTION, OBSERVATION, Q_IN, Q_OUT
from qtrl.meters import Stopwatch
from qtrl.nn import PQC, HybridActor, Zeros
from qtrl.quantum import efficient_su2, make_engine

ROWS = 4000


def make_actor(block=None, *, engine="statevector", readout="expectation"):
    torch.manual_seed(0)
    circuit = efficient_su2(2, reps=1)
    block = block or PQC(8, 2, circuit=circuit, engine=make_engine(engine), readout=readout)
    return HybridActor(3, 2, block, hidden=5, links=1)


def make_policy(actor=None, *, noise=0.1, angle_noise=0.0, exploration=None, seed=0, **options):
    exploration = exploration or GaussianNoise(noise, angle_noise)
    return CollectingPolicy(actor or make_actor(), exploration=exploration, seed=seed, stopwatch=Stopwatch(), **options)


def observations(rows=ROWS):
    generator = torch.Generator().manual_seed(0)
    return TensorDict({OBSERVATION: torch.randn(rows, 3, generator=generator)}, batch_size=[rows])


def test_the_pairs_are_what_the_block_received_and_returned():
    policy = make_policy(noise=0.0)
    rows = policy(observations(20))
    action = policy.actor(rows[OBSERVATION])
    for key, value in zip((ACTION, Q_IN, Q_OUT), (action, *policy.actor.layer.pair), strict=True):
        torch.testing.assert_close(rows[key], value.detach())


def test_in_warm_up_the_action_alone_is_random():
    policy = make_policy()
    policy.random_actions = True
    rows = policy(observations())
    policy.actor(rows[OBSERVATION])
    assert torch.equal(rows[Q_IN], policy.actor.layer.pair[0])
    assert torch.equal(rows[Q_OUT], policy.actor.layer.pair[1])
    assert rows[Q_IN].abs().min(1).values.max() > 0
    action = rows[ACTION]
    assert action.shape == (ROWS, 2)
    assert action.abs().max() <= 1
    histogram = torch.histc(action, bins=8, min=-1, max=1)
    assert ((histogram - ROWS / 4) ** 2 / (ROWS / 4)).sum() < 24.3  # 99.9 % quantile of chi-square with 7 degrees
    assert abs(torch.corrcoef(action.T)[0, 1]) < 0.05


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_exploration_noise_has_its_standard_deviation(noise):
    policy = make_policy(make_actor(Zeros(8, 2)), noise=noise)
    with torch.no_grad():
        for parameter in policy.actor.parameters():
            parameter.zero_()  # action 0
    action = policy(observations())[ACTION]
    inside = action[action.abs() < 1]
    assert action.mean().abs() < 0.03
    assert inside.std() == pytest.approx(noise, rel=0.05)


def test_actions_with_noise_stay_within_one():
    action = make_policy(noise=3.0)(observations())[ACTION]
    assert action.abs().max() == 1
    assert (action.abs() == 1).float().mean() > 0.5


def test_a_seed_fixes_the_actions_and_ranks_differ():
    first, again, other, rank = (
        make_policy(**options)(observations(5))[ACTION] for options in ({}, {}, {"seed": 1}, {"rank": 1})
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, rank)


def test_restored_generators_go_on_with_the_same_noise():
    policy = make_policy()
    policy(observations(3))
    state = policy.generators.state_dict()
    back = make_policy(seed=3)
    back.generators.load_state_dict(state)
    assert torch.equal(policy(observations(5))[ACTION], back(observations(5))[ACTION])


def test_the_actor_acts_with_its_current_weights():
    actor = make_actor()
    policy = make_policy(actor, noise=0.0)
    before = policy(observations(5))[ACTION]
    with torch.no_grad():
        actor.post[-1].bias.add_(1.0)
    assert (policy(observations(5))[ACTION] > before).all()


def test_a_copy_on_another_device_acts_with_the_weights_of_the_last_refresh():
    actor = make_actor()
    policy = make_policy(actor, noise=0.0, device="cpu")
    before = policy(observations(5))[ACTION]
    with torch.no_grad():
        actor.post[-1].bias.add_(1.0)
    assert torch.equal(policy(observations(5))[ACTION], before)
    policy.refresh()
    torch.testing.assert_close(policy(observations(5))[ACTION], actor(observations(5)[OBSERVATION]).detach())


def test_nothing_that_is_stored_has_a_gradient():
    rows = make_policy()(observations(5))
    assert not any(rows[key].requires_grad for key in (ACTION, Q_IN, Q_OUT))


def test_time_is_booked():
    policy = make_policy()
    policy(observations(5))
    assert policy._stopwatch.seconds["policy"] > 0


@pytest.mark.parametrize("warm_up", [False, True])
def test_angles_get_noise_which_is_recorded_with_what_the_circuit_said(warm_up):
    policy = make_policy(angle_noise=0.2)
    policy.random_actions = warm_up
    rows = policy(observations())
    clean = policy.actor.encode(rows[OBSERVATION])[0].detach()
    assert (rows[Q_IN] - clean).std() == pytest.approx(0.2, rel=0.02)
    torch.testing.assert_close(rows[Q_OUT], policy.actor.layer.block.executable.expectations(rows[Q_IN]))
    policy.actor(rows[OBSERVATION])
    assert torch.equal(policy.actor.layer.pair[0], clean)  # a test of the actor has none


def test_without_angle_noise_no_random_state_is_kept_for_it():
    policy = make_policy()
    policy(observations(2))
    assert "angle_noise" not in policy.generators.state_dict()
