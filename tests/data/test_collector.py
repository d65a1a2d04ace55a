import copy
import functools

import pytest
import torch
from tensordict import TensorDict

from qtrl.data import CollectingPolicy, GaussianNoise, InProcessCollector, transition_columns
from qtrl.envs import VECTORS, make_vector_env
from qtrl.errors import CheckpointError, EnvError
from qtrl.keys import ACTION, DONE, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED, TRUNCATED
from qtrl.meters import Stopwatch
from qtrl.nn import PQC, HybridActor
from qtrl.quantum import efficient_su2, make_engine
from qtrl.specs import EnvSpec

pytestmark = pytest.mark.usefixtures("toy_envs")
COUNTING = "toy_envs:Counting-v0"


def make_policy(envs, noise=0.1):
    """A hybrid actor that explores, whose every draw has the same seed."""
    torch.manual_seed(0)
    spaces = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    block = PQC(8, 2, circuit=efficient_su2(2, reps=1), engine=make_engine("statevector"), shots=7)
    return CollectingPolicy(
        HybridActor(*spaces, block, hidden=4, links=1), exploration=GaussianNoise(noise), seed=0, stopwatch=Stopwatch()
    )


def make_collector(envs, policy, state=None):
    sizes = (space.shape[0] for space in (envs.single_observation_space, envs.single_action_space))
    return InProcessCollector(envs, policy, transition_columns(EnvSpec("toy", *sizes), {"layer": (8, 2)}), state)


def collect(env_id=COUNTING, *, num_envs=3, steps=5, vector="serial", random_actions=0, noise=0.1, ahead=False):
    """The rows of some steps, (T, N), by a hybrid actor whose every draw has the same seed."""
    envs = make_vector_env(env_id, num_envs, 0, vector=vector, workers=2)
    try:
        policy = make_policy(envs, noise)
        collecting, rows = make_collector(envs, policy), []
        for step in range(steps):
            policy.random_actions = step < random_actions
            if ahead:
                collecting.begin()
            assert collecting.begun == ahead
            rows.append(collecting.collect())
            assert not collecting.begun
        return torch.stack(rows)
    finally:
        envs.close()


@functools.cache
def loop(env_id, *, num_envs, steps, random_actions):
    """The same by a plain loop over Gymnasium's interface."""
    envs = make_vector_env(env_id, num_envs, 0)
    policy, rows = make_policy(envs), []
    now = envs.reset()[0]
    for step in range(steps):
        policy.random_actions = step < random_actions
        row = policy(TensorDict({OBSERVATION: torch.from_numpy(now)}, batch_size=[num_envs]))
        now, reward, terminated, truncated, _ = envs.step(row[ACTION].numpy())
        done = terminated | truncated
        row[NEXT_OBSERVATION] = torch.from_numpy(now)
        for key, value in {REWARD: reward, TERMINATED: terminated, TRUNCATED: truncated, DONE: done}.items():
            row[key] = torch.from_numpy(value)[:, None].to(torch.float32 if key == REWARD else torch.bool)
        for key in ("done", "terminated", "truncated"):
            row[key] = torch.zeros(num_envs, 1, dtype=torch.bool)
        rows.append(row)
        if done.any():
            now = envs.reset(options={"reset_mask": done})[0]
    envs.close()
    return torch.stack(rows)


def assert_equal(found, expected):
    keys = set(expected.keys(include_nested=True, leaves_only=True))
    assert set(found.keys(include_nested=True, leaves_only=True)) == keys
    for key in keys:
        assert found[key].dtype == expected[key].dtype
        assert torch.equal(found[key], expected[key]), key


@pytest.fixture(params=[False, True], ids=["in turn", "ahead"])
def ahead(request):
    """Whether each step is begun before it is collected."""
    return request.param


@pytest.mark.parametrize(("env_id", "steps"), [(COUNTING, 60), ("Humanoid-v4", 80)])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_rows_are_those_of_a_plain_loop(ahead, env_id, steps, num_envs):
    options = {"num_envs": num_envs, "steps": steps, "random_actions": steps // 4}
    expected = loop(env_id, **options)
    assert expected[DONE].sum() > num_envs
    assert_equal(collect(env_id, ahead=ahead, **options), expected)


@pytest.mark.parametrize("vector", [name for name in VECTORS if name != "serial"])
def test_rows_do_not_depend_on_how_environments_are_stepped(ahead, vector):
    assert_equal(collect(steps=50, vector=vector, ahead=ahead), collect(steps=50))


def test_rows_have_the_promised_shapes_and_types():
    rows = collect(num_envs=3, steps=2)
    sizes = {OBSERVATION: 3, NEXT_OBSERVATION: 3, ACTION: 1, REWARD: 1, Q_IN: 8, Q_OUT: 2}
    for key, size in sizes.items():
        assert rows[key].shape == (2, 3, size)
        assert rows[key].dtype == torch.float32
    for key in (TERMINATED, TRUNCATED, DONE):
        assert rows[key].shape == (2, 3, 1)
        assert rows[key].dtype == torch.bool


def test_rows_follow_each_other_and_keep_the_last_observation_of_an_episode(ahead):
    rows = collect(num_envs=2, steps=40, ahead=ahead)
    start, length, count = rows[OBSERVATION].unbind(-1)
    after = rows[NEXT_OBSERVATION]
    assert torch.equal(after, torch.stack([start, length, count + 1], -1))
    done, terminated, truncated = (rows[key][..., 0] for key in (DONE, TERMINATED, TRUNCATED))
    assert torch.equal(terminated, count + 1 == length)
    assert torch.equal(truncated, count + 1 == 4)
    assert torch.equal(done, terminated | truncated)
    assert torch.equal(count[1:], torch.where(done[:-1], 0, count[:-1] + 1))
    assert ((start[1:] != start[:-1]) == done[:-1]).all()


def test_a_row_is_not_written_again(ahead):
    envs = make_vector_env(COUNTING, 2, 0)
    rows, _, collecting = go_on(envs, make_policy(envs), 1, ahead=ahead)
    before = rows.clone()
    for _ in range(8):
        if ahead:
            collecting.begin()
        collecting.collect()
    assert_equal(rows, before)


def test_an_error_of_an_environment_comes_through(ahead):
    with pytest.raises(EnvError, match="toy_envs:Broken_reward-v0: step gave the reward inf"):
        collect("toy_envs:Broken_reward-v0", ahead=ahead)


def go_on(envs, policy, steps, *, state=None, break_at=None, begun=False, ahead=False):
    """The rows of some steps; at a break a copy of what a checkpoint needs, and with `begun` a step is under way."""
    collecting, rows, kept = make_collector(envs, policy, state), [], None
    for step in range(steps):
        if (ahead or begun) and not collecting.begun:
            collecting.begin()
        if step == break_at and begun:
            kept = copy.deepcopy((collecting.state_dict(), policy.generators.state_dict()))
        rows.append(collecting.collect())
        if step == break_at and not begun:
            kept = copy.deepcopy((collecting.state_dict(), policy.generators.state_dict()))
    return torch.stack(rows), kept, collecting


@pytest.mark.parametrize(
    ("env_id", "begun", "vector", "ahead"),
    [
        *((COUNTING, begun, "serial", ahead) for begun in (False, True) for ahead in (False, True)),
        (COUNTING, True, "processes", True),
        ("Humanoid-v4", False, "serial", False),
        ("Humanoid-v4", True, "processes", True),
    ],
)
@pytest.mark.parametrize("break_at", [0, 13])
def test_rows_after_a_break_are_those_of_an_unbroken_run(env_id, begun, vector, ahead, break_at):
    steps = 50
    envs = make_vector_env(env_id, 2, 0, vector=vector, workers=1)
    other = make_vector_env(env_id, 2, 9, vector=vector, workers=1)
    try:
        unbroken, (state, draws), _ = go_on(envs, make_policy(envs), steps, break_at=break_at, begun=begun)
        policy = make_policy(other)
        policy.generators.load_state_dict(draws)
        done = break_at + (not begun)
        rows, _, collecting = go_on(other, policy, steps - done, state=state, ahead=ahead)
        assert not collecting.discontinued.any()
        assert unbroken[DONE][done:].any()
        assert_equal(rows, unbroken[done:])
    finally:
        envs.close()
        other.close()


def test_environments_that_cannot_go_on_are_named_and_begin_anew(ahead):
    envs, other = (make_vector_env("toy_envs:Unruly-v0", 2, seed) for seed in (0, 9))
    _, (state, _), collecting = go_on(envs, make_policy(envs), 3, break_at=2)
    assert not collecting.discontinued.any()
    rows, _, collecting = go_on(other, make_policy(other), 2, state=state, ahead=ahead)
    assert collecting.discontinued.all()
    assert rows[OBSERVATION][:, :, 2].tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_rows_that_are_no_transition_are_named_and_their_episode_ends(ahead, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log there
    envs = make_vector_env("toy_envs:Unstable3-v0", 2, 0)
    collecting = make_collector(envs, make_policy(envs))
    for step in range(1, 8):
        if ahead:
            collecting.begin()
        rows = collecting.collect()
        assert collecting.lost.tolist() == rows[TRUNCATED][:, 0].tolist() == [step % 3 == 0] * 2
        assert torch.equal(rows[OBSERVATION], rows[NEXT_OBSERVATION]) == (step % 3 == 0)
        assert rows[REWARD].isfinite().all()


@pytest.fixture
def state():
    envs = make_vector_env(COUNTING, 2, 0)
    return go_on(envs, make_policy(envs), 3, break_at=2, begun=True)[1][0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("step"), "the checkpoint's collector is a dict, expected a dict of envs, step"),
        (lambda state: state.update(step=3), "collector.step is 3, expected a dict of observation, action, q_in"),
        (lambda state: state.update(step=None), "disagree about a step under way"),
        (lambda state: state["envs"].update(step_given=True), "disagree about a step under way"),
        (lambda state: state["step"].pop("q_in"), "collector.step is a dict"),
        (lambda state: state["step"].update(q_in=torch.zeros(2, 7)), r"q_in is .* \(2, 7\) on .*expected .* \(2, 8\)"),
        (lambda state: state["step"].update(action=None), "collector.step.action is None"),
        (lambda state: state["step"]["action"].fill_(torch.nan), "expected a finite tensor"),
        (lambda state: state.update(envs=[]), "the checkpoint's envs is a list"),
    ],
)
def test_a_malformed_state_is_refused_in_one_line(state, change, complaint):
    change(state)
    envs = make_vector_env(COUNTING, 2, 0)
    with pytest.raises(CheckpointError, match=complaint) as error:
        make_collector(envs, make_policy(envs), state)
    assert "\n" not in str(error.value)
