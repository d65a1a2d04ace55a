import gymnasium as gym
import numpy as np
import pytest

from qtrl.envs import make_env, run_episodes
from qtrl.envs.guards.faults import ERRORS, MOST_ERRORS
from qtrl.envs.guards.simulator import LOST
from qtrl.errors import EnvError, EnvFaultError

BENT = "toy_envs:Bent-v0"


@pytest.mark.parametrize(
    ("bend", "name"), [("raise", "RuntimeError: the physics state is invalid"), ("exit", "SystemExit")]
)
def test_a_step_that_raises_is_lost_and_truncates_the_episode(bend, name, capsys):
    env = make_env(BENT, kwargs={"bend": bend, "at": 3})
    env.reset(seed=0)
    before = [env.step(np.zeros(1)) for _ in range(2)][-1]
    after, reward, terminated, truncated, info = env.step(np.zeros(1))
    assert after.tolist() == before[0].tolist()
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info == {LOST: True, ERRORS: 1}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"qtrl: {BENT}: step raised {name}")
    assert line.endswith("; the episode is dropped (1 of 10 exceptions in 10,000 env steps)")


def test_past_the_limit_the_run_ends_in_one_line():
    env = make_env(BENT, kwargs={"bend": "raise"})
    for _ in range(MOST_ERRORS):
        env.reset(seed=0)
        assert env.step(np.zeros(1))[4][LOST]
    env.reset(seed=0)
    with pytest.raises(EnvFaultError, match=f"^{BENT}: step raised .*, after 10 other exceptions") as error:
        env.step(np.zeros(1))
    assert "\n" not in str(error.value)


def test_exceptions_of_long_ago_do_not_count(monkeypatch):
    monkeypatch.setattr("qtrl.envs.guards.faults.WITHIN", 20)
    env = make_env(BENT, kwargs={"bend": "raise"})
    env.reset(seed=0)
    for _ in range(30):
        env.unwrapped.at = 10**9
        for _ in range(2):
            env.step(np.zeros(1))
        env.unwrapped.at = 1
        assert env.step(np.zeros(1))[3]
        env.reset()


class FailingReset(gym.Wrapper):
    def __init__(self, env, times):
        super().__init__(env)
        self.times = times

    def reset(self, **kwargs):
        self.times -= 1
        if self.times >= 0:
            raise OSError("no answer\nfrom the robot")
        return self.env.reset(**kwargs)


def test_a_reset_that_raises_is_tried_again_and_counted(capsys):
    env = make_env(BENT, wrappers=[lambda env: FailingReset(env, 2)])
    assert env.reset(seed=0)[0].tolist() == [1.0, 1.0, 1.0]
    assert env.step(np.zeros(1))[4] == {ERRORS: 2}
    assert env.step(np.zeros(1))[4] == {}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "reset raised OSError: no answer; trying again (2 of 10" in said[1]


def test_a_reset_that_always_raises_ends_the_run():
    with pytest.raises(EnvFaultError, match="reset raised OSError: no answer, after 10 other"):
        make_env(BENT, wrappers=[lambda env: FailingReset(env, 99)]).reset(seed=0)


def leave(self):
    raise SystemExit("bye")


@pytest.mark.parametrize(
    ("close", "said"), [(lambda self: 1 / 0, "ZeroDivisionError: division by zero"), (leave, "SystemExit: bye")]
)
def test_a_close_that_raises_ends_nothing(capsys, monkeypatch, close, said):
    monkeypatch.setattr("toy_envs.Bent.close", close)
    make_env(BENT).close()
    assert capsys.readouterr().err == f"qtrl: {BENT}: close raised {said}\n"
    with pytest.raises(EnvError, match="finite bounds"):  # and hides no other error
        make_env(BENT, wrappers=[Unbounded])


class Unbounded(gym.ActionWrapper):
    action_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)


def test_a_test_episode_ends_where_its_environment_raises():
    episodes = run_episodes(BENT, lambda rows: rows[:, :1] * 0, [0, 1], kwargs={"bend": "raise", "at": 4})
    assert (episodes.lengths, episodes.returns) == ((4, 4), (3.0, 3.0))
