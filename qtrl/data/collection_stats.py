"""What is counted while transitions are collected: episodes, steps that gave none, rewards, what environments said."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qtrl.data.returns.episode_returns import EpisodeReturns
from qtrl.envs.info_means import InfoMeans


class CollectionStats:
    """Counters of this rank's environments.

    Args:
        log_info: Names of the numbers in `Collector.info`.

    Attributes:
        episodes: Returns and lengths of episodes, those under way included.
        info: Means of what environments said in `info`.
        lost_steps: Env steps that gave no transition: the simulation was unstable, the environment raised, or a worker
            died.
        env_errors: Exceptions that environments raised.
        largest_reward: Largest magnitude of a reward so far.
    """

    def __init__(self, log_info: Sequence[str] = ()) -> None:
        self.episodes, self.info = EpisodeReturns(), InfoMeans(log_info)
        self.lost_steps, self.env_errors, self.largest_reward = 0, 0, 0.0

    def add(self, reward: Tensor, done: Tensor, lost: np.ndarray) -> None:
        """Count one step of every environment, each array of shape (N,).

        Args:
            reward: 0 where the step was lost.
            done: Whether the episode ended.
            lost: Whether the step gave no transition, which drops the episode.
        """
        self.episodes.add(reward, done & torch.from_numpy(~lost))
        if lost.any():
            self.lost_steps += int(lost.sum())
            self.episodes.forget(lost)
        self.largest_reward = max(self.largest_reward, reward.abs().max().item())

    def state_dict(self) -> dict[str, Any]:
        """Return all counters as plain data and tensors."""
        counters = {name: getattr(self, name) for name in ("lost_steps", "env_errors", "largest_reward")}
        said = {"info": self.info.state_dict()} if self.info.names else {}
        return {"episodes": self.episodes.state_dict(), **counters, **said}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.episodes.load_state_dict(state["episodes"])
        self.lost_steps, self.largest_reward = state["lost_steps"], state["largest_reward"]
        self.env_errors = state.get("env_errors", 0)  # which earlier versions did not count
        self.info.load_state_dict(state.get("info"))
