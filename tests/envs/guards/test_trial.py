import gymnasium as gym
import numpy as np
import pytest
import toy_envs

from qtrl.envs import EndlessNotice, make_env, try_out
from qtrl.envs.guards import trial
from qtrl.errors import EnvError
from qtrl.specs import EnvSpec

SINGLE = "toy_envs:Single-v0"


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert not toy_envs.Single.alive


def test_a_sound_environment_passes_without_a_word(capfd):
    for env_id in ("Pendulum-v1", "Humanoid-v4", "toy_envs:Counting-v0", "toy_envs:DictObservation-v0"):
        try_out(env_id, num_envs=1, test_envs=2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("most", "num_envs", "test_envs", "advice"),
    [
        (1, 1, 1, "only 1 can exist at the same time, .*: set callbacks.test_envs=0, so that tests are played on the"),
        (3, 1, 10, "only 3 can exist at the same time, .*: set callbacks.test_envs to at most 2; .*the port is in use"),
        (2, 2, 5, "set callbacks.test_envs=0"),
        (2, 4, 0, "set num_envs to at most 2, and callbacks.test_envs=0"),
    ],
)
def test_too_few_that_can_exist_at_once_are_told_with_what_to_set(most, num_envs, test_envs, advice):
    with pytest.raises(EnvError, match=f"^{SINGLE}: .*{advice}"):
        try_out(SINGLE, num_envs=num_envs, test_envs=test_envs, kwargs={"most": most})


def test_as_many_as_can_exist_pass():
    try_out(SINGLE, num_envs=1, test_envs=0)
    try_out(SINGLE, num_envs=1, test_envs=3, kwargs={"most": 4})


@pytest.mark.parametrize("bend", ["raise", "exit", "no_reward", "short"])
def test_a_first_step_that_fails_is_told_before_the_run(bend):
    with pytest.raises(EnvError, match="^toy_envs:Bent-v0: step (raised|gave) ") as error:
        try_out("toy_envs:Bent-v0", num_envs=1, test_envs=1, kwargs={"bend": bend})
    assert "\n" not in str(error.value)


def test_memory_for_all_is_asked_before_they_are_made(monkeypatch):
    sizes = iter([0, 3 * 10**9])
    monkeypatch.setattr(trial, "_resident", lambda: next(sizes))
    with pytest.raises(EnvError, match="11 environments at the same time need 33 GB of memory, there are 20 GB: set"):
        try_out("Pendulum-v1", num_envs=1, test_envs=10, memory=20 * 10**9)


class Outside(gym.ObservationWrapper):
    def observation(self, observation):
        return np.full(3, 99.0, np.float32)


class Seedless(gym.Wrapper):
    def reset(self):
        return self.env.reset()


def test_what_gymnasiums_checker_and_the_contract_notice_is_said_once(capfd):
    gym.register("Outside-v0", lambda: Outside(gym.make("Pendulum-v1")), max_episode_steps=10)
    try_out("Outside-v0", num_envs=1, test_envs=3)
    said = capfd.readouterr().err.splitlines()
    assert any("qtrl: Outside-v0: The obs returned by the `reset()` method is not within" in line for line in said)
    assert len(set(said)) == len(said)
    try_out("Pendulum-v1", num_envs=1, test_envs=3, wrappers=[Seedless])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("qtrl: Pendulum-v1: reset takes no seed")


def test_what_gymnasium_warns_of_when_it_makes_one_is_said_in_the_trial_alone(capfd):
    for _ in range(2):
        make_env("Pendulum").close()
    assert capfd.readouterr().err == ""
    try_out("Pendulum", num_envs=2, test_envs=2)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("qtrl: Pendulum: Using the latest versioned environment")


def test_environments_that_differ_are_told_before_the_run():
    with pytest.raises(
        EnvError, match="^toy_envs:Varying-v0: environments differ, . observed numbers and 1 of an action"
    ):
        try_out("toy_envs:Varying-v0", num_envs=1, test_envs=1, kwargs={"lengths": [2, 3], "by_reset": False})


def test_endless_episodes_are_told_once(capsys):
    ended, notice = [0], EndlessNotice(EnvSpec("X-v0", 1, 1))
    listen = notice.watch(lambda: ended[0], 100)
    listen(99)
    assert not capsys.readouterr().err
    listen(100)
    listen(200)
    notice.tell("a test episode was cut")
    told = "qtrl: X-v0 has no time limit, and no episode of training has ended in 100 env steps: set"
    assert capsys.readouterr().err == f"{told} env.max_episode_steps\n"


def test_episodes_that_end_and_time_limits_are_not_spoken_of(capsys):
    notice = EndlessNotice(EnvSpec("X-v0", 1, 1))
    notice.watch(lambda: 1, 100)(100)
    limited = EndlessNotice(EnvSpec("X-v0", 1, 1, max_episode_steps=5))
    limited.watch(lambda: 0, 100)(100)
    limited.tell("a test episode was cut")
    assert not capsys.readouterr().err
