import numpy as np
import pytest
import torch

from qtrl.envs import VECTORS, make_env, make_vector_env, run_episodes
from qtrl.envs.guards.simulator import LOST, SimulatorGuard
from qtrl.errors import EnvError


@pytest.fixture(autouse=True)
def mujoco_writes_its_log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def still(env):
    return np.zeros(env.action_space.shape, np.float32)


@pytest.mark.parametrize("env_id", ["Humanoid-v4", "HalfCheetah-v5", "Ant-v5"])
@pytest.mark.parametrize(("part", "value"), [("qvel", 1e12), ("qvel", np.nan), ("qpos", np.nan), ("qpos", -1e11)])
@pytest.mark.parametrize("sound_steps", [0, 5])
def test_a_simulation_that_resets_itself_is_noticed_and_its_step_is_no_transition(env_id, part, value, sound_steps):
    env = make_env(env_id)
    observation, _ = env.reset(seed=0)
    for _ in range(sound_steps):
        observation, _, _, _, info = env.step(still(env))
        assert LOST not in info
    getattr(env.unwrapped.data, part)[0] = value
    after, reward, terminated, truncated, info = env.step(still(env))
    assert info[LOST]
    assert np.array_equal(after, observation)
    assert (reward, terminated, truncated) == (0.0, False, True)
    env.reset()
    assert LOST not in env.step(still(env))[4]


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0", "toy_envs:Counting-v0"])
def test_environments_without_mujoco_have_no_guard(env_id):
    assert not isinstance(make_env(env_id).env, SimulatorGuard)


def test_data_that_cannot_be_looked_at_are_not_mujocos(monkeypatch):
    monkeypatch.setattr("toy_envs.Counting.data", property(lambda self: 1 / 0), raising=False)
    assert make_env("toy_envs:Counting-v0").reset(seed=0)[0].shape == (3,)


def test_a_guarded_environment_gives_the_same_numbers():
    guarded, plain = make_env("Humanoid-v4"), make_env("Humanoid-v4")
    plain.env = plain.env.env
    assert np.array_equal(guarded.reset(seed=3)[0], plain.reset(seed=3)[0])
    for _ in range(30):
        one, other = (env.step(still(env))[:4] for env in (guarded, plain))
        assert np.array_equal(one[0], other[0])
        assert one[1:] == other[1:]


@pytest.mark.parametrize("vector", VECTORS)
def test_vector_environments_name_the_rows_that_are_no_transitions(vector):
    envs = make_vector_env("toy_envs:Unstable3-v0", 2, 0, vector=vector)
    try:
        before = envs.reset()[0]
        for step in range(1, 8):
            after, _, _, truncated, _ = envs.step(np.zeros((2, 17), np.float32))
            assert envs.lost.tolist() == truncated.tolist() == [step % 3 == 0] * 2
            assert np.array_equal(after, before) == (step % 3 == 0)
            before = envs.reset(options={"reset_mask": truncated})[0] if truncated.any() else after
    finally:
        envs.close()


def test_an_episode_goes_on_across_a_save_of_a_lost_step():
    envs, other = (make_vector_env("toy_envs:Unstable3-v0", 1, seed) for seed in (0, 1))
    envs.reset()
    for _ in range(2):
        envs.step(np.zeros((1, 17), np.float32))
    envs.step_async(np.zeros((1, 17), np.float32))
    other.load_state_dict(envs.state_dict())
    other.step_wait()
    assert other.lost.all()


def test_too_many_lost_steps_end_the_run_in_one_line():
    env = make_env("toy_envs:Unstable1-v0")
    for _ in range(100):
        env.reset(seed=0)
        assert env.step(still(env))[4][LOST]
    env.reset(seed=0)
    with pytest.raises(
        EnvError, match="simulation was unstable in more than 100 of the last 10,000 env steps"
    ) as error:
        env.step(still(env))
    assert "\n" not in str(error.value)


def test_few_lost_steps_end_nothing(monkeypatch):
    monkeypatch.setattr("qtrl.envs.guards.simulator.WITHIN", 250)
    env = make_env("toy_envs:Unstable3-v0")  # a hundred lost steps take 300 env steps
    env.reset(seed=0)
    for _ in range(400):
        if env.step(still(env))[3]:
            env.reset()


def test_a_test_episode_ends_where_the_simulation_resets_itself():
    episodes = run_episodes("toy_envs:Unstable3-v0", lambda observation: torch.zeros(len(observation), 17), [0, 1])
    assert episodes.lengths == (3, 3)
    assert all(np.isfinite(episodes.returns))
