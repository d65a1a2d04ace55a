"""Test episodes: a policy plays one episode per seed, without learning.

Shapes: N episodes still running, O observation, A action.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from qtrl.envs.film import Film
from qtrl.envs.info_means import InfoMeans, info_values
from qtrl.envs.make import make_env
from qtrl.envs.render import frames_per_second
from qtrl.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

ENDLESS = 10_000
"""Env steps after which a test episode is cut in an environment without a time limit."""


@dataclass(frozen=True)
class Episodes:
    """Results of test episodes, in the order of the seeds.

    Attributes:
        returns: Undiscounted sums of rewards.
        lengths: Env steps.
        frames: RGB images of the first episode, each (height, width, 3) of uint8; empty if not requested.
        fps: Frame rate at which `frames` play in the environment's real time.
        cut: How many episodes were cut before they ended.
        info: A number for each key of `info` that was asked for, see `InfoMeans`, without those that no step had.
    """

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    frames: list[np.ndarray] = field(default_factory=list, repr=False)
    fps: float = 0.0
    cut: int = 0
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
    envs_at_once: int = 10,
    cut_after: int | None = None,
    render_first: bool = False,
    frame_every: int = 2,
    log_info: Sequence[str] = (),
    **options: Any,
) -> Episodes:
    """Play one episode per seed.

    All running episodes are stepped with one call of the policy; one that has ended makes room for the next one, and
    in the end leaves the batch. They end where those of training do.

    Args:
        env_id: Anything that Gymnasium's `make` accepts.
        policy: From observations, float32 of shape (N, O), to actions of shape (N, A) in [-1, 1]; called without
            gradients. Noise, and train or eval mode, are up to the caller.
        seeds: An episode starts as Gymnasium's `reset(seed=...)` does.
        envs_at_once: Most environments that exist at the same time.
        cut_after: Env steps after which an episode is cut that has not ended; None for never in an environment with a
            time limit, and else for `ENDLESS`.
        render_first: Whether to keep frames of the first episode (0.7 MB each for a MuJoCo environment).
        frame_every: Env steps from one frame to the next.
        log_info: Keys of `info` that are summed up.
        options: As of `make_env`.

    Raises:
        ConfigError: No seeds, or a number below 1.
        EnvError: As in `make_env`, or something was not finite.
        RenderError: Frames were asked for and cannot be rendered on this machine.
        ShapeError: The policy's actions do not have shape (N, A).
    """
    if not seeds:
        raise ConfigError("no seeds for test episodes, expected at least one")
    for name, value in (("frame_every", frame_every), ("envs_at_once", envs_at_once), ("cut_after", cut_after or 1)):
        if value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")
    with ExitStack() as stack:
        envs = []
        for i in range(min(envs_at_once, len(seeds))):
            env = make_env(env_id, render=render_first and i == 0, **options)
            envs.append(stack.enter_context(env))
            env.check_sizes(envs[0].observation_space.shape[0], envs[0].action_space.shape[0])
        limit = getattr(envs[0].spec, "max_episode_steps", None)
        cut_after = cut_after or (sys.maxsize if limit else ENDLESS)
        most = min(limit or cut_after, cut_after)
        return _play(envs, policy, seeds, cut_after, Film(frame_every, most) if render_first else None, log_info)


def _play(
    envs: list[gym.Env],
    policy: "Callable[[Tensor], Tensor]",
    seeds: Sequence[int],
    cut_after: int,
    film: Film | None,
    log_info: Sequence[str],
) -> Episodes:
    returns, lengths, cut, said = [0.0] * len(seeds), [0] * len(seeds), 0, InfoMeans(log_info)
    waiting = iter(range(len(envs), len(seeds)))
    running = dict(enumerate(envs))  # each episode's environment
    observations = {episode: env.reset(seed=seeds[episode])[0] for episode, env in running.items()}
    if film:
        film.begin(envs[0])
    while running:
        actions = _act(policy, np.stack([observations[episode] for episode in running]), envs[0].action_space.shape)
        for (episode, env), action in zip(tuple(running.items()), actions, strict=True):
            observations[episode], reward, terminated, truncated, info = env.step(action)
            returns[episode] += reward
            lengths[episode] += 1
            said.add(np.array([info_values(info, log_info)]), np.array([terminated or truncated]))
            if film and episode == 0:
                film.step(env, lengths[0])
            ends = terminated or truncated
            if ends or lengths[episode] >= cut_after:
                cut += not ends
                del running[episode], observations[episode]
                if (following := next(waiting, None)) is not None:
                    running[following], observations[following] = env, env.reset(seed=seeds[following])[0]
    shown = (film.frames, frames_per_second(envs[0]) / film.every) if film else ([], 0.0)
    return Episodes(tuple(returns), tuple(lengths), *shown, cut, said.pop())


def _act(policy: "Callable[[Tensor], Tensor]", observations: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    import torch  # imported late: worker processes use this package without torch

    with torch.no_grad():
        actions = policy(torch.from_numpy(observations)).cpu()
    expected = (len(observations), *shape)
    if actions.shape != expected:
        raise ShapeError(f"the policy gave actions of shape {tuple(actions.shape)}, expected {expected}")
    return actions.numpy()
