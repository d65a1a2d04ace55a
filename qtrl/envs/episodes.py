"""Test episodes: a policy plays one episode per seed, without learning.

Shapes: N episodes still running, O observation, A action.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gymnasium as gym
import numpy as np

from qtrl.envs.info_means import InfoMeans, info_values
from qtrl.envs.make import make_env
from qtrl.envs.render import frames_per_second, render_frame
from qtrl.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MAX_EPISODE_STEPS = 1000
"""Time limit in env steps of a test episode in an environment without one."""


@dataclass(frozen=True)
class Episodes:
    """Results of test episodes, in the order of the seeds.

    Attributes:
        returns: Undiscounted sums of rewards.
        lengths: Env steps.
        frames: RGB images of the first episode, each (height, width, 3) of uint8; empty if not requested.
        fps: Frame rate at which `frames` play in the environment's real time.
        info: A number for each key of `info` that was asked for, see `InfoMeans`, without those that no step had.
    """

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    frames: list[np.ndarray] = field(default_factory=list, repr=False)
    fps: float = 0.0
    info: Mapping[str, float] = field(default_factory=dict)

    @property
    def env_steps(self) -> int:
        """Total env steps of all episodes."""
        return sum(self.lengths)


def run_episodes(
    env_id: str,
    policy: "Callable[[Tensor], Tensor]",
    seeds: Sequence[int],
    *,
    max_episode_steps: int | None = None,
    render_first: bool = False,
    frame_every: int = 2,
    log_info: Sequence[str] = (),
) -> Episodes:
    """Play one episode per seed.

    All running episodes are stepped with one call of the policy; one that has ended leaves the batch.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        policy: From observations, float32 of shape (N, O), to actions of shape (N, A) in [-1, 1]; called without
            gradients. Noise, and train or eval mode, are up to the caller.
        seeds: An episode starts as Gymnasium's `reset(seed=...)` does.
        max_episode_steps: Time limit in env steps in place of the environment's own; without either,
            `DEFAULT_MAX_EPISODE_STEPS`.
        render_first: Whether to keep frames of the first episode (0.7 MB each for a MuJoCo environment).
        frame_every: Env steps from one frame to the next.
        log_info: Keys of `info` that are summed up.

    Raises:
        ConfigError: No seeds, or `frame_every` or `max_episode_steps` is below 1.
        EnvError: As in `make_env`, or something was not finite.
        RenderError: Frames were asked for and cannot be rendered on this machine.
        ShapeError: The policy's actions do not have shape (N, A).
    """
    if not seeds:
        raise ConfigError("no seeds for test episodes, expected at least one")
    if frame_every < 1:
        raise ConfigError(f"frame_every is {frame_every}, expected at least 1 env step")
    with ExitStack() as stack:
        envs = []
        for i in range(len(seeds)):
            env = make_env(env_id, max_episode_steps=max_episode_steps, render=render_first and i == 0)
            envs.append(stack.enter_context(env))
        return _play(envs, policy, seeds, frame_every if render_first else None, log_info)


def _play(
    envs: list[gym.Env],
    policy: "Callable[[Tensor], Tensor]",
    seeds: Sequence[int],
    frame_every: int | None,
    log_info: Sequence[str],
) -> Episodes:
    import torch  # imported late: worker processes use this package without torch

    returns, lengths, said = [0.0] * len(envs), [0] * len(envs), InfoMeans(log_info)
    observations = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    running = list(range(len(envs)))
    frames = [render_frame(envs[0])] if frame_every else []
    for step in range(1, (envs[0].spec.max_episode_steps or DEFAULT_MAX_EPISODE_STEPS) + 1):
        with torch.no_grad():
            actions = policy(torch.from_numpy(np.stack([observations[i] for i in running]))).cpu()
        expected = (len(running), *envs[0].action_space.shape)
        if actions.shape != expected:
            raise ShapeError(f"the policy gave actions of shape {tuple(actions.shape)}, expected {expected}")
        for i, action in zip(tuple(running), actions.numpy(), strict=True):
            observations[i], reward, terminated, truncated, info = envs[i].step(action)
            returns[i] += reward
            lengths[i] = step
            said.add(np.array([info_values(info, log_info)]), np.array([terminated or truncated]))
            if frame_every and i == 0 and step % frame_every == 0:
                frames.append(render_frame(envs[0]))
            if terminated or truncated:
                running.remove(i)
        if not running:
            break
    fps = frames_per_second(envs[0]) / (frame_every or 1)
    return Episodes(tuple(returns), tuple(lengths), frames, fps, said.pop())
