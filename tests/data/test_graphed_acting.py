"""Acting by graphs; a stand-in for CUDA's, whose replay is another call, tells what Python does around them."""

from contextlib import nullcontext

import pytest
import torch
from data.test_policy import make_actor, make_policy, observations

from qtrl.callbacks.noise_free import NoiseFreePolicy
from qtrl.data import GraphedActing
from qtrl.errors import ConfigError
from qtrl.keys import OBSERVATION
from qtrl.process.cuda_graphs import WARMUP

CALLS = 2 * WARMUP
CPU = torch.device("cpu")


class Recorder:
    """The first replay computes nothing, since the call that was recorded did, other than in CUDA."""

    def __init__(self):
        self.recorded, self.generators = 0, []

    def stream(self):
        return nullcontext()

    def record(self, call, generators):
        self.recorded, self.generators = self.recorded + 1, generators
        state = [generator.get_state() for generator in generators]
        call()
        for generator, before in zip(generators, state, strict=True):
            generator.set_state(before)
        return call


def graphed(policy):
    """Let a policy act by graphs on the CPU."""
    recorder, policy._cuda_graphs = Recorder(), True
    policy._graphs = GraphedActing(policy._act, CPU, lambda: policy.generators.on(CPU), recorder)
    return policy, recorder


def assert_they_act_alike(one, other, *, fewest_rows, tolerance):
    """Let two policies act in turns, at random and not, on two numbers of rows, while their weights change."""
    for number in range(4 * CALLS):
        for policy in (one, other):
            policy.random_actions = number < 2 * CALLS
            with torch.no_grad():
                policy.actor.post[-1].bias.add_(0.01)
        rows, expected = (policy(observations(fewest_rows + number % 2)) for policy in (other, one))
        for key in one.out_keys:
            torch.testing.assert_close(rows[key], expected[key], rtol=tolerance, atol=tolerance)
            assert rows[key].is_contiguous()
        drawn = other.generators.state_dict()
        for purpose, state in one.generators.state_dict().items():
            assert torch.equal(drawn[purpose], state), purpose


def test_replays_act_as_calls_do_with_the_weights_of_the_moment():
    options = {"angle_noise": 0.1, "noise": 0.3}
    one, (other, recorder) = make_policy(**options), graphed(make_policy(**options))
    assert_they_act_alike(one, other, fewest_rows=2, tolerance=0)
    assert recorder.recorded == 4  # random or not, for 2 rows or 3
    states = (policy.generators.state_dict() for policy in (one, other))
    assert len({tuple(state) for state in states}) == 1 and len(recorder.generators) == 3


def test_rows_that_were_returned_are_not_written_again():
    policy, _ = graphed(make_policy())
    rows = [policy(observations(2)) for _ in range(CALLS)]
    kept = [one.clone() for one in rows]
    policy(observations(2))
    assert all((one == before).all() for one, before in zip(rows, kept, strict=True))


def test_exploration_that_is_not_made_for_devices_stays_outside():
    class Counting:
        calls = 0

        def __call__(self, action, generator):
            self.calls += 1
            return action + self.calls

    policy, recorder = graphed(make_policy(exploration=Counting()))
    actions = [policy(observations(2))["action"] for _ in range(CALLS)]
    assert recorder.recorded == 1
    for number, action in enumerate(actions):
        torch.testing.assert_close(action - number, actions[0])


def test_a_test_acts_by_graphs_that_outlast_it():
    actor = make_actor()
    plain, by_graphs = NoiseFreePolicy(actor), NoiseFreePolicy(actor, cuda_graphs=True)
    recorder = by_graphs._graphs._recorder = Recorder()
    for _ in range(2):
        for policy in (plain, by_graphs):
            policy.seed(1)
        for _ in range(WARMUP):
            given = observations(2)[OBSERVATION]
            assert torch.equal(plain(given), by_graphs(given))
    assert recorder.recorded == 1


def test_what_cannot_be_recorded_is_refused_in_one_line():
    class Refusing(Recorder):
        def record(self, call, generators):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand much more")

    graphs = GraphedActing(lambda rows: [rows], CPU, list, Refusing())
    for _ in range(WARMUP):
        graphs(torch.zeros(1, 2))
    with pytest.raises(ConfigError, match=r"stream is capturing\): set data\.policy_device=cpu, or") as refused:
        graphs(torch.zeros(1, 2))
    assert "\n" not in str(refused.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("readout", ["mean", "expectation"])
@pytest.mark.parametrize("engine", ["statevector", "triton"])
def test_graphs_of_a_gpu_act_and_draw_as_calls_do(engine, readout):
    options = {"engine": engine, "readout": readout}
    one, other = (make_policy(make_actor(**options).cuda(), angle_noise=0.1, cuda_graphs=on) for on in (False, True))
    assert_they_act_alike(one, other, fewest_rows=16, tolerance=1e-5)
    assert len(other._graphs._recorded) == 4
