"""The hybrid actor: a block between two classical networks.

Shapes: `B` batch, `O` observation, `A` action, `P` inputs of the block, `Q` its outputs, `L` links.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.nn.blocks import Block
from qtrl.nn.mlp import mlp
from qtrl.nn.sizes import check_sizes


class ActorOutput(NamedTuple):
    """An action, and what the block received and returned on the way to it.

    Attributes:
        action: Shape (B, A), in [-1, 1].
        q_in: Shape (B, P).
        q_out: Shape (B, Q).
    """

    action: Tensor
    q_in: Tensor
    q_out: Tensor


class HybridActor(nn.Module):
    """PreDNN, block and PostDNN, with classical links around the block.

    PreDNN turns the observation into the block's inputs and the links; PostDNN reads the block's outputs, then the
    links; tanh bounds the action.

    Args:
        observation_size: O.
        action_size: A.
        block: Maps (B, P) to (B, Q).
        hidden: Width of the one hidden layer of PreDNN and of PostDNN.
        links: L, the values that go round the block; may be 0.
        angle_scale: Factor on the block's inputs, in radians per unit of PreDNN's output where the block is a circuit.

    Raises:
        ConfigError: A size is below 1, `links` below 0, or `angle_scale` not above 0.

    Source: arXiv:2503.09119, figure 2 and table 1.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        block: Block,
        *,
        hidden: int = 256,
        links: int = 10,
        angle_scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_sizes("HybridActor", observation_size=observation_size, action_size=action_size, hidden=hidden)
        if not isinstance(links, int) or links < 0:
            raise ConfigError(f"HybridActor: links is {links}, expected a whole number of at least 0")
        if not 0 < angle_scale < float("inf"):
            raise ConfigError(f"HybridActor: angle_scale is {angle_scale}, expected a finite number above 0")
        self.angle_scale = angle_scale
        self.pre = mlp([observation_size, hidden, block.n_in + links])
        self.block = block
        self.post = mlp([block.n_out + links, hidden, action_size])

    def encode(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return q_in (B, P) and links (B, L) for observations (B, O)."""
        encoded = self.pre(observation)  # (B, P + L)
        n_in = self.block.n_in
        return self.angle_scale * encoded[..., :n_in], encoded[..., n_in:]

    def decode(self, q_out: Tensor, links: Tensor) -> Tensor:
        """Return actions (B, A) in [-1, 1] for q_out (B, Q) and links (B, L)."""
        return torch.tanh(self.post(torch.cat([q_out, links], dim=-1)))

    def forward(self, observation: Tensor, generator: torch.Generator | None = None) -> ActorOutput:
        """Act on observations (B, O) with the real block; `generator` feeds the block's random draws."""
        q_in, links = self.encode(observation)
        q_out = self.block(q_in, generator)
        return ActorOutput(self.decode(q_out, links), q_in, q_out)
