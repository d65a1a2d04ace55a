"""The frames of an episode, kept in memory until they are written as a video."""

import gymnasium as gym
import numpy as np

from qtrl.envs.render import render_frame
from qtrl.errors import RenderError
from qtrl.process.memory import available_memory


class Film:
    """Frames of one episode.

    Args:
        every: Env steps from one frame to the next.
        most_steps: Env steps that the episode may take.

    Attributes:
        frames: RGB images, each (height, width, 3) of uint8.
    """

    def __init__(self, every: int, most_steps: int) -> None:
        self.every, self._most_steps = every, most_steps
        self.frames: list[np.ndarray] = []

    def begin(self, env: gym.Env) -> None:
        """Keep the first frame.

        Raises:
            RenderError: It cannot be rendered, or all frames of a long episode would not fit into memory.
        """
        self.frames.append(render_frame(env))
        needed, memory = self.frames[0].nbytes * (1 + self._most_steps // self.every), available_memory()
        if memory is not None and needed > memory:
            sizes = f"up to {needed / 1e9:.3g} GB of memory, there are {memory / 1e9:.3g} GB"
            raise RenderError(f"a video of up to {self._most_steps:,} env steps needs {sizes}: set a lower time limit")

    def step(self, env: gym.Env, env_steps: int) -> None:
        """Keep a frame where one is due after so many env steps."""
        if env_steps % self.every == 0:
            self.frames.append(render_frame(env))
