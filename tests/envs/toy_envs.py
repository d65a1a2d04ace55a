"""Environments whose numbers a test can tell by hand; importing this registers them, as a user's package would."""

import os
import signal
import time
from typing import ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Sequence

REAL_LINE = {"low": -np.inf, "high": np.inf}


class Counting(gym.Env):
    """Observation (start, length, steps so far), reward steps so far; ends after `length` steps, 2 to 6 by the seed."""

    observation_space = Box(**REAL_LINE, shape=(3,), dtype=np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, longest=6):
        self.longest = longest

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.start, self.length = self.np_random.uniform(), self.np_random.integers(2, self.longest + 1)
        self.count = 0
        return self._observation(), {}

    def step(self, action):
        self.count += 1
        ended = self.count == self.length
        return self._observation(), float(self.count), ended, False, {"count": self.count, "is_success": ended}

    def _observation(self):
        return np.array([self.start, self.length, self.count], dtype=np.float64)


class Echo(gym.Env):
    """The observation is the action that arrived, which must lie in the action space."""

    def __init__(self, action_space):
        self.action_space = action_space
        self.observation_space = Box(**REAL_LINE, shape=action_space.shape, dtype=np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(self.action_space.shape), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return action.astype(np.float64), 0.0, False, False, {}


class Broken(gym.Env):
    """Gives NaN in the place named by `where`; the first step is sound."""

    observation_space = Box(**REAL_LINE, shape=(2,), dtype=np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, where):
        self.where = where

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self._observation(self.where == "reset"), {}

    def step(self, action):
        self.count += 1
        bad = self.count == 2
        reward = {"reward": float("inf"), "large_reward": 1e39}.get(self.where, 0.0) if bad else 0.0
        return self._observation(bad and self.where == "observation"), reward, False, False, {}

    def _observation(self, bad):
        return np.array([1.0, np.nan if bad else 2.0], dtype=np.float32)


class Ending(Counting):
    """Its own code ends an episode after 60 steps, as a time limit would."""

    def __init__(self):
        super().__init__(longest=10**9)

    def step(self, action):
        *result, _, info = super().step(action)
        return *result, self.count >= 60, info


class Bent(gym.Env):
    """Keeps Gymnasium's contract up to call number `at` of `step`, and then gives `bend` of what it should give."""

    observation_space = Box(**REAL_LINE, shape=(3,), dtype=np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, bend="nothing", at=1):
        self.bend, self.at, self.calls = BENDS[bend], at, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(3, np.float32), {}

    def step(self, action):
        self.calls += 1
        given = np.full(3, self.calls, np.float32), 1.0, False, False, {}
        return self.bend(*given) if self.calls >= self.at else given


def _raise(error):
    raise error


BENDS = {
    "nothing": lambda *given: given,
    "reward_array": lambda o, r, *rest: (o, np.array([r]), *rest),
    "no_reward": lambda o, r, *rest: (o, None, *rest),
    "short": lambda o, *rest: (o[:1], *rest),
    "raise": lambda *given: _raise(RuntimeError("the physics state is invalid")),
    "exit": lambda *given: _raise(SystemExit("the window was closed")),
}


class Varying(gym.Env):
    """Has observations of another length than the environment made before, or after each reset: `lengths` in turns."""

    action_space = Box(-1.0, 1.0, (1,), np.float32)
    made = 0

    def __init__(self, lengths=(2,), by_reset=True):
        self.lengths, self.by_reset = lengths, by_reset
        Varying.made += 1
        self._grow(0 if by_reset else Varying.made)

    def _grow(self, turn):
        length = self.lengths[turn % len(self.lengths)]
        self.observation_space = Box(**REAL_LINE, shape=(length,), dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.by_reset:
            self._grow(1)
        return np.ones(self.observation_space.shape, np.float32), {}

    def step(self, action):
        return np.ones(self.observation_space.shape, np.float32), 0.0, False, False, {}


class Single(Counting):
    """Of which only so many can exist at the same time."""

    alive: ClassVar[list] = []

    def __init__(self, most=1):
        super().__init__(longest=10**9)
        if len(Single.alive) >= most:
            raise RuntimeError("the port is in use")
        Single.alive.append(self)

    def close(self):
        Single.alive.remove(self)


class Faulty(Counting):
    """Has a fault in the step of an action of 1, or in the reset that follows a step of an action of 0.5."""

    def __init__(self, fault):
        super().__init__(longest=10**9)
        self.fault, self.armed = fault, False

    def reset(self, *, seed=None, options=None):
        if self.armed:
            self._fail()
        return super().reset(seed=seed)

    def step(self, action):
        self.armed = action[0] == 0.5
        if action[0] == 1.0:
            self._fail()
        return super().step(action)

    def _fail(self):
        match self.fault:
            case "die":
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise ValueError("a fault")
            case "hang":
                time.sleep(600)


class Unruly(Counting):
    """Starts where its own dice say, which nobody can seed."""

    def reset(self, *, seed=None, options=None):
        _, info = super().reset(seed=seed)
        self.start = np.random.default_rng().uniform()
        return self._observation(), info


class OldDice(Counting):
    """Has a generator whose state is not a few integers."""

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.np_random = np.random.Generator(np.random.MT19937(seed))
        return super().reset()


def unstable(every):
    """Make a Humanoid whose body is thrown about in every so many env steps."""
    from gymnasium.envs.mujoco.humanoid_v4 import HumanoidEnv

    class Unstable(HumanoidEnv):
        taken = 0

        def step(self, action):
            self.taken += 1
            if self.taken % every == 0:
                self.data.qvel[0] = 1e12
            return super().step(action)

    return Unstable()


class Spaces(gym.Env):
    """Whatever spaces are asked for, sampled."""

    def __init__(self, observation_space=None, action_space=None):
        self.observation_space = observation_space or Box(0.0, 1.0, (2,), np.float32)
        self.action_space = action_space or Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


class Drawless(Spaces):
    def __init__(self, render_mode=None):
        super().__init__()

    def render(self):
        return None


class Failing(gym.Env):
    def __init__(self):
        raise ValueError("the licence server is down\nand there is more to say")


def _register(name, entry_point, max_episode_steps=None, **kwargs):
    gym.register(f"{name}-v0", entry_point=entry_point, max_episode_steps=max_episode_steps, kwargs=kwargs)


_register("Counting", Counting, max_episode_steps=4)
_register("CountingFree", Counting)
_register("CountingLong", Counting, longest=10**9)
UNEVEN = np.array([[-0.7, 0.0, 2.0], [0.3, 10.0, 2.0]], dtype=np.float32)
_register("EchoUneven", Echo, action_space=Box(*UNEVEN, dtype=np.float32))
_register("EchoDouble", Echo, action_space=Box(np.array([-0.7, 0.1]), np.array([0.3, 0.2]), dtype=np.float64))
MATRIX = np.array([[[-2, -2, -2]] * 2, [[1, 2, 3], [4, 5, 6]]], dtype=np.float32)
_register("EchoMatrix", Echo, action_space=Box(*MATRIX, dtype=np.float32))
_register("EchoUnbounded", Echo, action_space=Box(-np.inf, 1.0, (2,), dtype=np.float32))
_register("EchoInteger", Echo, action_space=Box(0, 9, (2,), np.int64))
_register("EchoNothing", Echo, action_space=Box(-1.0, 1.0, (0,), np.float32))
for _where in ("reset", "observation", "reward", "large_reward"):
    _register(f"Broken_{_where}", Broken, where=_where)
_register("Ending", Ending)
_register("Bent", Bent, max_episode_steps=50)
_register("Single", Single, max_episode_steps=50)
_register("Varying", Varying, max_episode_steps=50)
for _fault in ("die", "kill", "raise", "hang"):
    _register(f"Faulty_{_fault}", Faulty, fault=_fault)
_register("Unruly", Unruly, longest=10**9)
_register("OldDice", OldDice, longest=10**9)
_register(
    "FallenHumanoid",
    "gymnasium.envs.mujoco.humanoid_v4:HumanoidEnv",
    max_episode_steps=150,
    terminate_when_unhealthy=False,
)
_register("Unstable3", unstable, max_episode_steps=1000, every=3)
_register("Unstable1", unstable, max_episode_steps=1000, every=1)
_register("DictAction", Spaces, action_space=Dict(a=Box(-1.0, 1.0, (1,), np.float32)))
_register("DictObservation", Spaces, observation_space=Dict(place=Box(-1.0, 1.0, (2, 2)), gear=Discrete(3)))
_register("ImageObservation", Spaces, observation_space=Box(0, 255, (4, 5, 3), np.uint8))
_register("MatrixObservation", Spaces, observation_space=Box(0.0, 1.0, (4, 5, 3)))
_register("ScalarSpaces", Spaces, observation_space=Box(0.0, 1.0, ()), action_space=Box(-2.0, 2.0, ()))
_register("DiscreteObservation", Spaces, observation_space=Discrete(5))
_register("SequenceObservation", Spaces, observation_space=Sequence(Box(0.0, 1.0, (2,))))
_register("Failing", Failing)
_register("Drawless", Drawless)
_register("Lacking", "package_that_is_not_there:Env")
