import pytest
import torch

from qtrl.data import COLLECTORS, CollectingPolicy
from qtrl.envs import VECTORS, make_vector_env
from qtrl.errors import EnvError
from qtrl.keys import ACTION, DONE, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED, TRUNCATED
from qtrl.meters import Stopwatch
from qtrl.nn import PQC, HybridActor
from qtrl.quantum import efficient_su2, make_engine

pytestmark = pytest.mark.usefixtures("toy_envs")
COUNTING = "toy_envs:Counting-v0"


def collect(collector, env_id=COUNTING, *, num_envs=3, steps=5, vector="serial", random_actions=0, noise=0.1):
    """The rows of some steps, (T, N), by a hybrid actor whose every draw has the same seed."""
    envs = make_vector_env(env_id, num_envs, 0, vector=vector, workers=2)
    try:
        torch.manual_seed(0)
        spaces = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
        block = PQC(8, 2, circuit=efficient_su2(2, reps=1), engine=make_engine("statevector"), shots=7)
        actor = HybridActor(*spaces, block, hidden=4, links=1)
        policy = CollectingPolicy(actor, noise=noise, seed=0, stopwatch=Stopwatch())
        collecting, rows = COLLECTORS[collector](envs, policy), []
        for step in range(steps):
            policy.random_actions = step < random_actions
            collecting.begin()
            assert collecting.begun
            rows.append(collecting.end())
            assert not collecting.begun
        return torch.stack(rows)
    finally:
        envs.close()


def assert_equal(found, expected):
    keys = set(expected.keys(include_nested=True, leaves_only=True))
    assert set(found.keys(include_nested=True, leaves_only=True)) == keys
    for key in keys:
        assert found[key].dtype == expected[key].dtype
        assert torch.equal(found[key], expected[key]), key


@pytest.fixture(params=COLLECTORS)
def collector(request):
    return request.param


@pytest.mark.parametrize("collector", [name for name in COLLECTORS if name != "torchrl"])
@pytest.mark.parametrize(("env_id", "steps"), [(COUNTING, 300), ("Humanoid-v4", 80)])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_all_collectors_give_the_rows_of_torchrls(collector, env_id, steps, num_envs):
    options = {"num_envs": num_envs, "steps": steps, "random_actions": steps // 4}
    expected = collect("torchrl", env_id, **options)
    assert expected[DONE].sum() > num_envs
    assert_equal(collect(collector, env_id, **options), expected)


@pytest.mark.parametrize("vector", [name for name in VECTORS if name != "serial"])
def test_rows_do_not_depend_on_how_environments_are_stepped(collector, vector):
    assert_equal(collect(collector, steps=50, vector=vector), collect("direct", steps=50))


def test_rows_have_the_promised_shapes_and_types(collector):
    rows = collect(collector, num_envs=3, steps=2)
    sizes = {OBSERVATION: 3, NEXT_OBSERVATION: 3, ACTION: 1, REWARD: 1, Q_IN: 8, Q_OUT: 2}
    for key, size in sizes.items():
        assert rows[key].shape == (2, 3, size)
        assert rows[key].dtype == torch.float32
    for key in (TERMINATED, TRUNCATED, DONE):
        assert rows[key].shape == (2, 3, 1)
        assert rows[key].dtype == torch.bool


def test_rows_follow_each_other_and_keep_the_last_observation_of_an_episode(collector):
    rows = collect(collector, num_envs=2, steps=40)
    start, length, count = rows[OBSERVATION].unbind(-1)
    after = rows[NEXT_OBSERVATION]
    assert torch.equal(after, torch.stack([start, length, count + 1], -1))
    done, terminated, truncated = (rows[key][..., 0] for key in (DONE, TERMINATED, TRUNCATED))
    assert torch.equal(terminated, count + 1 == length)
    assert torch.equal(truncated, count + 1 == 4)
    assert torch.equal(done, terminated | truncated)
    assert torch.equal(count[1:], torch.where(done[:-1], 0, count[:-1] + 1))
    assert ((start[1:] != start[:-1]) == done[:-1]).all()


def test_a_row_is_not_written_again(collector):
    envs = make_vector_env(COUNTING, 2, 0)
    try:
        block = PQC(8, 2, circuit=efficient_su2(2, reps=1), engine=make_engine("statevector"))
        policy = CollectingPolicy(HybridActor(3, 1, block, hidden=4), noise=0.1, seed=0, stopwatch=Stopwatch())
        collecting = COLLECTORS[collector](envs, policy)
        collecting.begin()
        rows = collecting.end()
        before = rows.clone()
        for _ in range(8):
            collecting.begin()
            collecting.end()
        assert_equal(rows, before)
    finally:
        envs.close()


def test_an_error_of_an_environment_comes_through(collector):
    with pytest.raises(EnvError, match="toy_envs:Broken_reward-v0: the environment gave the reward inf"):
        collect(collector, "toy_envs:Broken_reward-v0")
