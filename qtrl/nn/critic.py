"""Classical critics. Shapes: `B` batch, `O` observation, `A` action."""

import torch
from torch import Tensor, nn

from qtrl.nn.mlp import mlp
from qtrl.nn.sizes import check_sizes


class Critic(nn.Module):
    """Estimate the discounted return of an action; the action joins after the first layer.

    Args:
        observation_size: O.
        action_size: A.
        hidden: Width of both hidden layers.

    Raises:
        ConfigError: A size is below 1.

    Source: arXiv:2503.09119, table 1.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int = 256) -> None:
        super().__init__()
        check_sizes("Critic", observation_size=observation_size, action_size=action_size, hidden=hidden)
        self.features = mlp([observation_size, hidden], activate_last=True)
        self.head = mlp([hidden + action_size, hidden, 1])

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return values (B,) for observations (B, O) and actions (B, A)."""
        features = self.features(observation)
        return self.head(torch.cat([features, action], dim=-1)).squeeze(-1)


class TwinCritic(nn.Module):
    """Two critics of equal sizes and independent weights.

    Takes the arguments of `Critic`.

    Source: arXiv:1802.09477, clipped double Q-learning.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int = 256) -> None:
        super().__init__()
        self.q1 = Critic(observation_size, action_size, hidden)
        self.q2 = Critic(observation_size, action_size, hidden)

    def forward(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return both critics' values, each (B,), for observations (B, O) and actions (B, A)."""
        return self.q1(observation, action), self.q2(observation, action)

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first critic's values (B,) alone, which the actor maximises."""
        return self.q1(observation, action)
