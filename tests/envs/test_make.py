import warnings
from functools import partial

import gymnasium as gym
import numpy as np
import pytest

from qtrl.envs import env_spec, make_env
from qtrl.errors import ConfigError, EnvError, RenderError
from qtrl.specs import EnvSpec


@pytest.mark.parametrize(
    ("env_id", "observation_size", "action_size", "max_episode_steps"),
    [
        ("Humanoid-v4", 376, 17, 1000),
        ("Pendulum-v1", 3, 1, 200),
        ("toy_envs:Counting-v0", 3, 1, 4),
        ("toy_envs:CountingFree-v0", 3, 1, None),
        ("toy_envs:EchoMatrix-v0", 6, 6, None),
        ("toy_envs:ScalarSpaces-v0", 1, 1, None),
        ("toy_envs:MatrixObservation-v0", 60, 1, None),
        ("toy_envs:DiscreteObservation-v0", 5, 1, None),
    ],
)
def test_spec_tells_the_flat_sizes_and_the_time_limit(env_id, observation_size, action_size, max_episode_steps):
    assert env_spec(env_id) == EnvSpec(env_id, observation_size, action_size, max_episode_steps)


@pytest.mark.parametrize("name", ["DictObservation", "MatrixObservation", "DiscreteObservation", "ScalarSpaces"])
def test_observations_are_flat_float32(name):
    env = make_env(f"toy_envs:{name}-v0")
    for observation in (env.reset(seed=0)[0], env.step(np.zeros(1))[0]):
        assert observation.dtype == np.float32
        assert env.observation_space.contains(observation)


def test_dict_observation_is_flattened_entry_by_entry():
    env = make_env("toy_envs:DictObservation-v0")
    observation, _ = env.reset(seed=3)
    space = env.unwrapped.observation_space
    space.seed(3)
    sample = space.sample()
    expected = [np.eye(3)[sample[key]] if key == "gear" else sample[key].flatten() for key in space]
    np.testing.assert_allclose(observation, np.concatenate(expected), rtol=1e-6)


def test_parts_of_a_dict_observation_keep_their_names():
    spec = env_spec("toy_envs:DictObservation-v0")
    assert (spec.observation_size, spec.observation_parts) == (4 + 3, (("place", 4), ("gear", 3)))


def test_kwargs_reach_the_environment_and_wrappers_are_called_in_their_order():
    wrappers = [
        partial(gym.wrappers.TransformReward, func=lambda reward: reward + 1),
        partial(gym.wrappers.TransformReward, func=lambda reward: reward * 10),
    ]
    env = make_env("toy_envs:Counting-v0", kwargs={"longest": 2}, wrappers=wrappers)
    env.reset(seed=0)
    assert env.unwrapped.longest == 2
    assert [env.step(np.zeros(1))[1:3] for _ in range(2)] == [(20.0, False), (30.0, True)]


def test_the_sizes_are_those_that_wrappers_make():
    wrappers = [partial(gym.wrappers.FrameStackObservation, stack_size=2), gym.wrappers.FlattenObservation]
    spec = env_spec("toy_envs:Counting-v0", wrappers=wrappers)
    assert (spec.observation_size, spec.max_episode_steps) == (6, 4)


@pytest.mark.parametrize(
    ("wrapper", "complaint"),
    [
        (
            partial(gym.wrappers.ClipReward, max_reward=-1, min_reward=1),
            "the wrapper ClipReward of env.wrappers failed",
        ),
        (lambda env: None, "of env.wrappers gave a NoneType, expected an environment"),
        (partial(gym.wrappers.RescaleAction, min_action=0, max_action=np.inf), "RescaleAction of env.wrappers failed"),
        (gym.wrappers.ClipAction, r"the action space is Box\(-inf, inf, \(1,\), float32\), qtrl needs"),
    ],
)
def test_a_wrapper_that_cannot_be_used_is_refused_in_one_line(wrapper, complaint):
    with pytest.raises(EnvError, match=complaint):
        make_env("toy_envs:Counting-v0", wrappers=[wrapper])


def test_an_argument_that_the_environment_does_not_take_is_refused_in_one_line():
    with pytest.raises(EnvError, match="'toy_envs:Counting-v0' cannot be made: .*unexpected keyword argument 'mass'"):
        make_env("toy_envs:Counting-v0", kwargs={"mass": 1})


def test_an_id_may_name_the_module_that_registers_it():
    env = make_env("toy_envs:Counting-v0")
    assert type(env.unwrapped).__name__ == "Counting"


def test_time_limit_can_be_given():
    env = make_env("toy_envs:CountingLong-v0", max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(np.zeros(1))[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]
    assert env_spec("Pendulum-v1", max_episode_steps=7).max_episode_steps == 7


@pytest.mark.parametrize("limit", [0, -1])
def test_time_limit_below_one_is_refused(limit):
    with pytest.raises(ConfigError, match=f"max_episode_steps is {limit}"):
        make_env("Pendulum-v1", max_episode_steps=limit)


def test_humanoid_is_made_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_env("Humanoid-v4").close()


def test_humanoid_gets_its_bounds_for_plus_and_minus_one():
    ours, raw = make_env("Humanoid-v4"), gym.make("Humanoid-v4")
    np.testing.assert_array_equal(ours.reset(seed=5)[0], raw.reset(seed=5)[0].astype(np.float32))
    for sign in (1.0, -1.0):
        action = np.full(17, sign, dtype=np.float32)
        got = ours.step(action)
        expected = raw.step(action * np.float32(0.4))
        np.testing.assert_array_equal(got[0], expected[0].astype(np.float32))
        assert got[1] == expected[1]


@pytest.mark.parametrize(
    ("env_id", "complaint"),
    [
        ("Humanoyd-v4", "environment 'Humanoyd-v4' cannot be made: .* Did you mean: `Humanoid`"),
        ("Humanoid-v9", "environment 'Humanoid-v9' cannot be made: .* versioned environments: .*`v4`"),
        ("toy_envs:Countin-v0", "Did you mean: `Counting"),
        ("Zzz-v0", "environment 'Zzz-v0' cannot be made: Environment `Zzz` doesn't exist"),
        ("no_such_module:Env-v0", "environment 'no_such_module:Env-v0' cannot be made: No module named"),
        ("toy_envs:Lacking-v0", "cannot be made: No module named 'package_that_is_not_there'"),
        ("toy_envs:Failing-v0", "cannot be made: the licence server is down$"),
        ("Humanoid-v3", "cannot be made: The mujoco v2 and v3 based environments have been moved"),
        ("a:b:c", "'a:b:c' cannot be made"),
        ("", "'' cannot be made: Malformed"),
        (
            "CartPole-v1",
            r"CartPole-v1: the action space is Discrete\(2\), qtrl needs a Box of floats with finite bounds",
        ),
        ("toy_envs:DictAction-v0", r"the action space is Dict\(.*\), qtrl needs"),
        ("toy_envs:EchoInteger-v0", r"is Box\(0, 9, \(2,\), int64\), qtrl needs"),
        ("toy_envs:EchoNothing-v0", r"is Box\(\[\], \[\], \(0,\), float32\), qtrl needs"),
        ("toy_envs:EchoUnbounded-v0", r"is Box\(-inf, 1.0, \(2,\), float32\), qtrl needs"),
        ("toy_envs:SequenceObservation-v0", "the observation space is Sequence, qtrl needs one of fixed length"),
        ("toy_envs:ImageObservation-v0", "the observation space is an image, .*: qtrl's networks learn from vectors"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
def test_what_cannot_be_used_is_refused_in_one_line(env_id, complaint):
    with pytest.raises(EnvError, match=complaint) as error:
        make_env(env_id)
    assert "\n" not in str(error.value)


def test_failure_to_make_is_laid_on_a_bad_mujoco_gl(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    monkeypatch.setattr("qtrl.envs.render.find_library", lambda name: None)
    with pytest.raises(RenderError, match="MUJOCO_GL=osmesa, but its libraries were not found: install"):
        make_env("toy_envs:Failing-v0")
