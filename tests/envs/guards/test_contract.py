from decimal import Decimal
from types import MappingProxyType

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from qtrl.envs import make_env
from qtrl.envs.guards.contract import Contract
from qtrl.errors import EnvError

OBSERVATION = np.array([0.5, 1.0, 2.0], np.float32)
RESET, STEP = (OBSERVATION, {}), (OBSERVATION, 1.5, False, False, {})


class Given(gym.Env):
    """Gives what it was told."""

    observation_space = Box(-10.0, 10.0, (3,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, step=STEP, reset=RESET):
        self.given = {"step": step, "reset": reset}

    def reset(self, *, seed=None, options=None):
        return self.given["reset"]

    def step(self, action):
        return self.given["step"]


def stepped(**changes):
    names = ("observation", "reward", "terminated", "truncated", "info")
    step = tuple(changes.get(name, value) for name, value in zip(names, STEP, strict=True))
    return Contract(Given(step), "Given-v0").step(np.zeros(1))


@pytest.mark.parametrize(
    "reward",
    [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), np.array([2.0]), np.array([[2]]), torch.tensor([2.0]), [2.0]],
)
def test_a_reward_that_is_one_number_is_accepted(reward):
    found = stepped(reward=reward)[1]
    assert type(found) is float and found == 2.0


@pytest.mark.parametrize(
    ("reward", "came"),
    [
        (None, "None"),
        ("2.0", "'2.0'"),
        (np.array([1.0, 2.0]), r"an array of shape \(2,\) and float64"),
        (np.array([]), r"an array of shape \(0,\) and float64"),
        ({}, "a dict"),
        (2j, "2j"),
        (Decimal(2), "a Decimal"),
        (torch.tensor(2.0, requires_grad=True), "a Tensor"),
    ],
)
def test_a_reward_that_is_not_one_number_is_refused(reward, came):
    with pytest.raises(EnvError, match=f"^Given-v0: step gave the reward {came}, expected one number$"):
        stepped(reward=reward)


@pytest.mark.parametrize("flag", [True, np.True_, np.array(True), np.array([True]), 1, 1.0, torch.tensor(True)])
def test_a_flag_that_is_true_or_false_is_accepted(flag):
    assert stepped(terminated=flag)[2] is True
    assert stepped(truncated=flag)[3] is True
    assert stepped()[2:4] == (False, False)


@pytest.mark.parametrize("flag", [None, "False", 2, float("nan"), np.array([True, False]), [], {}])
def test_a_flag_that_is_neither_is_refused(flag):
    for name in ("terminated", "truncated"):
        with pytest.raises(EnvError, match=f"^Given-v0: step gave {name} as .*, expected true or false$"):
            stepped(**{name: flag})


def test_no_info_is_an_empty_one():
    assert stepped(info=None)[4] == {} == Contract(Given(reset=(OBSERVATION, None)), "Given-v0").reset()[1]
    assert stepped(info=MappingProxyType({"a": 1}))[4] == {"a": 1}


@pytest.mark.parametrize("info", ["success", [], 0.5, OBSERVATION])
def test_another_info_is_refused(info):
    with pytest.raises(EnvError, match="^Given-v0: step gave .* for info, expected a dict$"):
        stepped(info=info)
    with pytest.raises(EnvError, match="^Given-v0: reset gave .* for info, expected a dict$"):
        Contract(Given(reset=(OBSERVATION, info)), "Given-v0").reset()


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ((OBSERVATION, 0.0, False, {}), "a tuple of 4 values, expected 5 values: .*Gym before 0.26"),
        ((*STEP, {}), "a tuple of 6 values, expected 5 values: observation, reward, terminated, truncated, info$"),
        (None, "None, expected 5 values"),
        (np.zeros(5), r"an array of shape \(5,\) and float64, expected 5"),
        ({"observation": OBSERVATION}, "a dict, expected 5"),
    ],
)
def test_another_number_of_values_of_a_step_is_refused(step, complaint):
    with pytest.raises(EnvError, match=f"^Given-v0: step gave {complaint}"):
        Contract(Given(step), "Given-v0").step(np.zeros(1))


@pytest.mark.parametrize("reset", [OBSERVATION, OBSERVATION[:2], [0.5, 1.0, 2.0], None, (OBSERVATION,), {}])
def test_another_number_of_values_of_a_reset_is_refused(reset):
    with pytest.raises(EnvError, match="^Given-v0: reset gave .*, expected 2 values: observation, info; .*0.26"):
        Contract(Given(reset=reset), "Given-v0").reset()


def test_values_in_a_list_are_accepted():
    env = Contract(Given(list(STEP), list(RESET)), "Given-v0")
    assert env.reset()[1] == {} and env.step(np.zeros(1))[1] == 1.5


def test_an_observation_is_refused_by_method_and_never_broadcast():
    words = r"an observation that is not of its space: an array of shape \(1,\) and float32, expected an array of"
    with pytest.raises(EnvError, match=f"^Given-v0: step gave {words}"):
        stepped(observation=OBSERVATION[:1])
    with pytest.raises(EnvError, match=f"^Given-v0: reset gave {words}"):
        Contract(Given(reset=(OBSERVATION[:1], {})), "Given-v0").reset()


def test_an_observation_that_is_written_again_stays_what_it_was():
    buffer = OBSERVATION.copy()
    found = stepped(observation=buffer)[0]
    buffer[:] = 0
    assert found.tolist() == OBSERVATION.tolist()


class Seedless(Given):
    def reset(self):
        return np.array([self.np_random.uniform(), 0.0, 0.0]), {}


class Keywords(Given):
    def reset(self, **kwargs):
        super(Given, self).reset(seed=kwargs["seed"])
        return np.array([self.np_random.uniform(), 0.0, 0.0]), {}


class Optionless(Given):
    def reset(self, seed=None):
        super(Given, self).reset(seed=seed)
        return np.array([self.np_random.uniform(), 0.0, 0.0]), {}


@pytest.mark.parametrize("kind", [Seedless, Keywords, Optionless])
def test_every_reset_is_seeded_whatever_arguments_it_takes(kind):
    env = Contract(kind(), "Given-v0")
    assert env.takes_seed is (kind is not Seedless)
    starts = [env.reset(seed=seed)[0][0] for seed in (3, 4, 3, None, 3, None)]
    expected = np.random.Generator(np.random.PCG64(3))
    assert starts[0] == starts[2] == starts[4] == expected.uniform()
    assert starts[3] == starts[5] == expected.uniform()
    assert starts[1] != starts[0]


@pytest.mark.parametrize("at", [1, 7])
def test_what_is_bent_is_noticed_at_any_step_beneath_the_time_limit(at):
    for bend, complaint in (("no_reward", "the reward None, expected one number"), ("short", "an observation that is")):
        env = make_env("toy_envs:Bent-v0", kwargs={"bend": bend, "at": at})
        env.reset(seed=0)
        for _ in range(at - 1):
            env.step(np.zeros(1))
        with pytest.raises(EnvError, match=f"^toy_envs:Bent-v0: step gave {complaint}"):
            env.step(np.zeros(1))


def test_what_means_the_same_trains_the_same():
    straight, bent = (make_env("toy_envs:Bent-v0", kwargs={"bend": bend}) for bend in ("nothing", "reward_array"))
    for env in (straight, bent):
        env.reset(seed=0)
    for _ in range(50):
        one, other = straight.step(np.zeros(1)), bent.step(np.zeros(1))
        assert one[0].tolist() == other[0].tolist() and one[1:] == other[1:]
    assert other[3]  # the time limit


def test_a_wrapper_that_breaks_the_contract_is_refused_too():
    class Shorter(gym.ObservationWrapper):
        def observation(self, observation):
            return observation[:1]

    with pytest.raises(EnvError, match="reset gave an observation that is not of its space"):
        make_env("toy_envs:Bent-v0", wrappers=[Shorter]).reset(seed=0)
