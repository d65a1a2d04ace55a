import io

import numpy as np
import pytest
import torch

from qtrl.envs import VECTORS, make_env, make_vector_env
from qtrl.envs.vectorized.episode import Episode

LONG = "toy_envs:CountingLong-v0"
FURTHER = 60
BREAKS = (1, 17, 40, 75)
ENVS = {
    "Humanoid-v4": None,
    "toy_envs:FallenHumanoid-v0": 100,
    "Pendulum-v1": 60,
    "HalfCheetah-v5": 50,
    "Ant-v5": 50,
    "Hopper-v5": None,
    "MountainCarContinuous-v0": 45,
}
"""Ids with a time limit, so that episodes end within the steps that are compared."""


def make(env_id, *, seed=0, num_envs=2, vector="serial", **options):
    options.setdefault("max_episode_steps", ENVS.get(env_id))
    return make_vector_env(env_id, num_envs, seed, vector=vector, workers=2, **options)


def actions(envs, step):
    return np.random.default_rng([1, step]).uniform(-1, 1, envs.action_space.shape).astype(np.float32)


def take(envs, step, action=None):
    """One step and the resets after it: what was given, and the observations after the resets."""
    given = envs.step(actions(envs, step) if action is None else action)[:4]
    done = given[2] | given[3]
    starts = envs.reset(options={"reset_mask": done})[0] if done.any() else given[0]
    return (*given, starts)


def through_a_file(state):
    """The state as a checkpoint gives it back."""
    file = io.BytesIO()
    torch.save(state, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def same(one, other):
    return all(a.tobytes() == b.tobytes() and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


def run_with_breaks(env_id, breaks, **options):
    """What an unbroken run gave from each of its breaks on, with the states of the breaks and the observations."""
    envs, given, states = make(env_id, **options), [], {}
    try:
        observation = envs.reset()[0]
        for step in range(max(breaks) + FURTHER):
            if step in breaks:
                states[step] = (through_a_file(envs.state_dict()), observation)
            given.append(take(envs, step))
            observation = given[-1][-1]
    finally:
        envs.close()
    return given, states


def assert_goes_on(env_id, given, states, **options):
    for step, (state, observation) in states.items():
        envs = make(env_id, seed=99, **options)
        try:
            assert not envs.load_state_dict(state).any()
            assert envs.reset()[0].tobytes() == observation.tobytes()
            for further in range(step, step + FURTHER):
                assert same(take(envs, further), given[further]), (env_id, step, further)
        finally:
            envs.close()


@pytest.mark.parametrize("env_id", ENVS)
def test_episodes_go_on_bit_for_bit_in_an_environment_made_with_another_seed(env_id):
    given, states = run_with_breaks(env_id, BREAKS)
    ends = [terminated | truncated for _, _, terminated, truncated, _ in given]
    assert np.sum(ends[-FURTHER:]) > 0
    assert_goes_on(env_id, given, states)


@pytest.mark.parametrize(("one", "other"), [("threads", "processes"), ("processes", "threads")])
def test_episodes_go_on_in_threads_and_in_worker_processes(one, other):
    given, states = run_with_breaks("Humanoid-v4", (40,), num_envs=3, vector=one)
    assert_goes_on("Humanoid-v4", given, states, num_envs=3, vector=other)


def test_a_fallen_body_is_in_contact():
    env = make_env("toy_envs:FallenHumanoid-v0")
    env.reset(seed=0)
    for step in range(60):
        env.step(np.random.default_rng(step).uniform(-1, 1, 17).astype(np.float32))
    assert env.unwrapped.data.qpos[2] < 0.5
    assert env.unwrapped.data.ncon > 5


@pytest.mark.parametrize("vector", VECTORS)
def test_a_step_under_way_is_waited_for_and_given_once(vector):
    envs, other = make(LONG, vector=vector, num_envs=3), make(LONG, seed=9, vector=vector, num_envs=3)
    try:
        envs.reset()
        envs.step(actions(envs, 0))
        envs.step_async(actions(envs, 1))
        state = through_a_file(envs.state_dict())
        assert not other.load_state_dict(state).any()
        last = envs.step_wait()[:4]
        other.reset()  # as a collector does
        assert same(other.step_wait()[:4], last)
        assert same(take(envs, 2), take(other, 2))
    finally:
        envs.close()
        other.close()


def test_a_step_under_way_may_have_ended_an_episode():
    envs, other = make("toy_envs:Counting-v0", num_envs=3), make("toy_envs:Counting-v0", seed=9, num_envs=3)
    ended = 0
    envs.reset()
    for step in range(12):
        envs.step_async(actions(envs, step))
        assert not other.load_state_dict(through_a_file(envs.state_dict())).any()
        results = [each.step_wait()[:4] for each in (envs, other)]
        assert same(*results)
        done = results[0][2] | results[0][3]
        ended += done.sum()
        starts = [each.reset(options={"reset_mask": done}) for each in (envs, other)]
        assert starts[0][0].tobytes() == starts[1][0].tobytes()
    assert ended > 3


@pytest.mark.parametrize(
    ("env_id", "vector"), [*(("toy_envs:Unruly-v0", vector) for vector in VECTORS), ("toy_envs:OldDice-v0", "serial")]
)
def test_an_environment_that_cannot_go_on_begins_a_new_episode(env_id, vector):
    envs, other = make(env_id, vector=vector), make(env_id, seed=9, vector=vector)
    try:
        envs.reset()
        last = take(envs, 0)[-1]
        assert other.load_state_dict(through_a_file(envs.state_dict())).all()
        observation = other.reset()[0]
        assert observation[:, 2].tolist() == [0.0, 0.0]
        assert not set(observation[:, 0]) & set(last[:, 0])
        assert take(other, 1)[0][:, 2].tolist() == [1.0, 1.0]
    finally:
        envs.close()
        other.close()


@pytest.mark.parametrize("vector", VECTORS)
def test_an_environment_that_cannot_go_on_after_a_step_under_way_is_truncated_by_it(vector):
    envs, other = make("toy_envs:Unruly-v0", vector=vector), make("toy_envs:Unruly-v0", seed=9, vector=vector)
    try:
        envs.reset()
        envs.step_async(actions(envs, 0))
        assert other.load_state_dict(envs.state_dict()).all()
        observation, reward, terminated, truncated, _ = other.step_wait()
        assert same((observation, reward, terminated), envs.step_wait()[:3])
        assert truncated.all()
        assert not other.lost.any()
        assert other.reset(options={"reset_mask": truncated})[0][:, 2].tolist() == [0.0, 0.0]
    finally:
        envs.close()
        other.close()


def test_only_the_environment_that_differs_begins_anew_and_where_the_old_one_would_have_next():
    envs, other = make(LONG, num_envs=3), make(LONG, seed=9, num_envs=3)
    envs.reset()
    take(envs, 0)
    state = envs.state_dict()
    state["columns"]["observation"][1, 0] += 1e-7
    assert other.load_state_dict(state).tolist() == [False, True, False]
    observation = other.reset()[0]
    assert observation[:, 2].tolist() == [1.0, 0.0, 1.0]
    assert observation[1, 0] == envs.reset(options={"reset_mask": np.array([False, True, False])})[0][1, 0]


@pytest.mark.parametrize("column", ["reward", "truncated"])
def test_another_reward_or_end_is_noticed_as_well(column):
    envs, other = make(LONG), make(LONG, seed=9)
    envs.reset()
    take(envs, 0)
    state = envs.state_dict()
    state["columns"][column][0] = 1 if column == "truncated" else 3.5
    assert other.load_state_dict(state).tolist() == [True, False]


def test_a_shorter_time_limit_is_noticed():
    envs, other = make(LONG), make(LONG, max_episode_steps=3)
    envs.reset()
    for step in range(5):
        take(envs, step)
    assert other.load_state_dict(envs.state_dict()).all()


def test_only_the_first_reset_after_loading_begins_no_episodes():
    envs, other = make(LONG), make(LONG, seed=9)
    envs.reset()
    take(envs, 0)
    other.load_state_dict(envs.state_dict())
    assert other.reset()[0][:, 2].tolist() == [1.0, 1.0]
    assert other.reset()[0][:, 2].tolist() == [0.0, 0.0]
    other.load_state_dict(envs.state_dict())
    assert other.reset(seed=3)[0][:, 2].tolist() == [0.0, 0.0]
    other.load_state_dict(envs.state_dict())
    take(other, 1)
    assert other.reset()[0][:, 2].tolist() == [0.0, 0.0]


def test_an_episode_of_too_many_actions_cannot_be_taken_up(monkeypatch):
    monkeypatch.setattr("qtrl.envs.vectorized.episode.MOST_ACTIONS", 5)
    episode, action = Episode(make_env(LONG)), np.zeros(1, np.float32)
    assert episode.record() is None
    episode.reset(0)
    for _ in range(5):
        episode.step(action)
    assert episode.record()["actions"].shape == (5, 1)
    for _ in range(3):
        episode.step(action)
        assert episode.record() is None
    episode.reset()
    assert episode.record()["actions"].shape == (0, 1)


def test_saving_takes_no_part_in_what_happens():
    envs, other = make("Pendulum-v1"), make("Pendulum-v1")
    envs.reset(), other.reset()
    for step in range(20):
        envs.state_dict()
        envs.step_async(actions(envs, step))
        envs.state_dict()
        envs.state_dict()
        assert same(envs.step_wait()[:4], other.step(actions(other, step))[:4])


def test_environments_that_failed_are_not_saved():
    envs = make("toy_envs:Broken_reward-v0")
    envs.reset()
    take(envs, 0)
    with pytest.raises(Exception, match="the reward inf"):
        take(envs, 1)
    with pytest.raises(Exception, match="cannot go on, they failed before: .* the reward inf") as error:
        envs.state_dict()
    assert "\n" not in str(error.value)
