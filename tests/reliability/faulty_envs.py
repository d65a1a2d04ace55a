"""Environments that fail late in a run; importing this registers them, as a user's package would."""

import time

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box

STEPS = 50
"""The step, counted over all episodes, at which something happens."""


class Late(gym.Env):
    """A walk on a line; what happens at step `STEPS` is named by `what`."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, what):
        self.what, self.total, self.place = what, 0, 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-1, 1)
        return self._observation(False), {}

    def step(self, action):
        self.total += 1
        self.place += float(action[0])
        now = self.total == STEPS
        if now and self.what == "sleep":
            time.sleep(60)
        reward = np.nan if now and self.what == "reward" else -abs(self.place)
        return self._observation(now and self.what == "observation"), reward, False, False, {}

    def _observation(self, bad):
        return np.array([self.place, np.inf if bad else 1.0], dtype=np.float32)


for _what in ("sleep", "reward", "observation"):
    gym.register(f"Late_{_what}-v0", Late, kwargs={"what": _what})
