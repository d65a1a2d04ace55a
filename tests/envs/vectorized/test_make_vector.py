import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torchrl.envs import GymWrapper

from qtrl.envs import VECTORS, make_env, make_vector_env
from qtrl.envs.vectorized.make_vector import start_seeds
from qtrl.errors import ConfigError, EnvError

COUNTING, VARYING = "toy_envs:Counting-v0", "toy_envs:Varying-v0"


def wiggle(observations, action_size):
    """An action from the observation alone, so that equal starts give equal runs."""
    return np.sin(observations.sum(1, keepdims=True)).repeat(action_size, 1).astype(np.float32)


def play(envs, steps):
    """Act for some steps and begin episodes where they ended: (T, N, ...) of what `step` gave and of what it met."""
    met, given = [], []
    try:
        observations, _ = envs.reset()
        for _ in range(steps):
            action = wiggle(observations, envs.single_action_space.shape[0])
            after, reward, terminated, truncated, info = envs.step(action)
            assert info == {}
            met.append(observations)
            given.append((after, reward, terminated, truncated))
            done = terminated | truncated
            observations = envs.reset(options={"reset_mask": done})[0] if done.any() else after
    finally:
        envs.close()
    return [np.stack(met), *(np.stack(column) for column in zip(*given, strict=True))]


def play_gymnasium(env_id, num_envs, steps, seed=0):
    """The same with Gymnasium's own vector environment: another implementation of everything but one environment."""
    envs = SyncVectorEnv([lambda: make_env(env_id)] * num_envs, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=start_seeds(seed, num_envs))
    envs.step, step = lambda action: (*step(action)[:4], {}), envs.step
    return play(envs, steps)


def same(one, other):
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


@pytest.fixture(params=VECTORS)
def vector(request):
    return request.param


@pytest.mark.parametrize(("env_id", "steps"), [(COUNTING, 300), ("Humanoid-v4", 60)])
@pytest.mark.parametrize(("num_envs", "workers"), [(1, None), (3, 2)])
def test_every_way_gives_what_gymnasiums_own_vector_environment_gives(vector, env_id, steps, num_envs, workers):
    envs = make_vector_env(env_id, num_envs, 0, vector=vector, workers=workers)
    found, expected = play(envs, steps), play_gymnasium(env_id, num_envs, steps)
    assert expected[3].any() or expected[4].any()
    assert same(found, expected)


def test_every_row_is_a_real_transition_also_where_episodes_end(vector):
    met, after, reward, terminated, truncated = play(make_vector_env(COUNTING, 3, 0, vector=vector, workers=2), 40)
    seen = {"terminated": 0, "truncated": 0}
    for env in range(3):  # episodes of 2 to 6 steps under a limit of 4
        expected_count = 0
        for row in range(40):
            start, length, count = met[row, env].tolist()
            assert count == expected_count
            assert after[row, env].tolist() == [start, length, count + 1]
            assert reward[row, env] == count + 1
            assert terminated[row, env] == (count + 1 == length)
            assert truncated[row, env] == (count + 1 == 4)
            seen["terminated"] += terminated[row, env]
            seen["truncated"] += truncated[row, env] and not terminated[row, env]
            expected_count = 0 if terminated[row, env] or truncated[row, env] else count + 1
        starts = met[met[:, env, 2] == 0, env, 0]
        assert len(set(starts.tolist())) == len(starts) > 5
    assert min(seen.values()) > 0
    done = terminated | truncated
    assert not (done[:, 0] == done[:, 1]).all()


def test_without_a_time_limit_nothing_is_truncated():
    _, _, _, terminated, truncated = play(make_vector_env("toy_envs:CountingFree-v0", 2, 0), 30)
    assert terminated.any()
    assert not truncated.any()


def test_time_limit_can_be_given(vector):
    envs = make_vector_env("toy_envs:CountingLong-v0", 2, 0, max_episode_steps=3, vector=vector)
    assert play(envs, 3)[4].tolist() == [[False, False], [False, False], [True, True]]


def test_a_seed_fixes_the_starts_and_every_copy_has_its_own():
    first, again, other = (play(make_vector_env(COUNTING, 2, seed), 50) for seed in (7, 7, 8))
    assert same(first, again)
    assert not np.array_equal(first[0][0], other[0][0])
    assert not np.array_equal(first[0][0, 0], first[0][0, 1])


def test_what_a_step_gave_is_not_written_again(vector):
    envs = make_vector_env("toy_envs:CountingLong-v0", 2, 0, vector=vector)
    try:
        results = envs.step(np.zeros((2, 1), np.float32))[:4]
        before = [result.copy() for result in results]
        envs.step(np.zeros((2, 1), np.float32))
        envs.reset()
        assert same(results, before)
    finally:
        envs.close()


def test_a_seed_of_one_number_counts_up_as_gymnasiums_does(vector):
    envs = make_vector_env(COUNTING, 3, 0, vector=vector, workers=2)
    single = make_env(COUNTING)
    try:
        observations, _ = envs.reset(seed=5)
        assert observations.tolist() == [single.reset(seed=5 + copy)[0].tolist() for copy in range(3)]
        assert np.array_equal(envs.reset(seed=[5, 6, 7])[0], observations)
    finally:
        envs.close()


def test_start_seeds_differ_and_do_not_depend_on_how_many_there_are():
    seeds = start_seeds(3, 200)
    assert len(set(seeds)) == 200
    assert seeds[:5] == start_seeds(3, 5)
    assert not set(seeds) & set(start_seeds(4, 200))


def test_threads_and_processes_step_beside_the_learner():
    assert [name for name, kind in VECTORS.items() if kind.steps_beside] == ["threads", "processes"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"max_restarts": -1}, "max_restarts is -1, expected at least 0"),
        ({"timeout": 0.0}, "timeout is 0.0, expected above 0"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"timeout": float("inf")}, "timeout is inf, expected above 0 and up to 86400 seconds"),
        ({"vector": "clouds"}, r"env.vector='clouds' is unknown; choose one of serial, threads, processes"),
    ],
)
def test_bad_choices_are_refused(options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_vector_env(**{"env_id": "Pendulum-v1", "num_envs": 2, "seed": 0} | options)


def test_unknown_id_is_refused(vector):
    with pytest.raises(EnvError, match="Did you mean: `Pendulum`"):
        make_vector_env("Pendulam-v1", 2, 0, vector=vector)


@pytest.mark.parametrize("where", ["reset", "reward"])
def test_an_error_of_an_environment_comes_through_and_everything_can_be_closed(vector, where):
    complaint = {"reset": "a non-finite observation", "reward": "the reward inf"}[where]
    with pytest.raises(EnvError, match=f"toy_envs:Broken_{where}-v0: (reset|step) gave {complaint}"):
        play(make_vector_env(f"toy_envs:Broken_{where}-v0", 2, 0, vector=vector), 3)


@pytest.mark.parametrize("lengths", [[3, 1], [3, 4]])
def test_environments_of_unlike_spaces_are_refused_rather_than_broadcast(vector, lengths):
    with pytest.raises(EnvError, match=f"^{VARYING}: environments differ, . observed numbers and 1 of"):
        make_vector_env(VARYING, 4, 0, vector=vector, workers=2, kwargs={"lengths": lengths, "by_reset": False})


@pytest.mark.parametrize("vector", ["serial", "threads"])
def test_environments_are_closed_once_also_where_the_first_reset_fails(monkeypatch, vector):
    closed = []
    monkeypatch.setattr("toy_envs.Broken.close", lambda self: closed.append(id(self)), raising=False)
    with pytest.raises(EnvError, match="a non-finite observation"):
        make_vector_env("toy_envs:Broken_reset-v0", 3, 0, vector=vector, workers=2)
    assert len(closed) == 1 + 3  # one for the sizes


def test_torchrl_takes_every_way_for_an_environment_of_its_own(vector):
    env = GymWrapper(make_vector_env("toy_envs:CountingLong-v0", 2, 0, vector=vector, max_episode_steps=3))
    try:
        rows = env.rollout(3, break_when_any_done=False, auto_cast_to_device=False)
        assert rows["next", "truncated"][..., 0].tolist() == [[False, False, True]] * 2
        assert rows["next", "observation"][..., 2].tolist() == [[1.0, 2.0, 3.0]] * 2
        assert rows["next", "reward"].dtype == torch.float32
    finally:
        env.close()


def test_numbers_of_info_come_with_each_step_whatever_steps(vector):
    envs = make_vector_env(COUNTING, 3, 0, vector=vector, workers=2, log_info=("count", "absent"))
    try:
        envs.reset()
        assert envs.info.shape == (3, 2) and np.isnan(envs.info).all()
        for count in (1, 2):
            envs.step(np.zeros((3, 1), np.float32))
            assert envs.info[:, 0].tolist() == [count] * 3 and np.isnan(envs.info[:, 1]).all()
    finally:
        envs.close()


def test_a_step_under_way_says_the_same_after_it_was_saved():
    def make():
        return make_vector_env(COUNTING, 2, 0, log_info=("count",))

    one, other = make(), make()
    one.reset()
    one.step_async(np.zeros((2, 1), np.float32))
    other.load_state_dict(one.state_dict())
    one.step_wait(), other.step_wait()
    assert one.info.tolist() == other.info.tolist() == [[1.0], [1.0]]
