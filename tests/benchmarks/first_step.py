"""Humanoid-v4 that ends the run at its first step and notes when that was; importing this registers it."""

import os
import time
from pathlib import Path
from typing import Any, NoReturn

import gymnasium as gym

NOTE = "QTRL_FIRST_STEP"
"""This variable names the file to write."""


class FirstStep(gym.Wrapper):
    """Write the clock and this process's seconds of computing, and end as Ctrl-C does."""

    def step(self, action: Any) -> NoReturn:
        Path(os.environ[NOTE]).write_text(f"{time.monotonic()} {time.process_time()}")
        raise KeyboardInterrupt


def make(**options: Any) -> gym.Env:
    """Make the environment."""
    return FirstStep(gym.make("Humanoid-v4", disable_env_checker=True, **options))


gym.register("FirstStep-v0", entry_point=make, max_episode_steps=1000)
