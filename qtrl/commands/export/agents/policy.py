"""A policy as one deterministic function, observation to action.

Shapes: `B` batch, `O` flat observation.
"""

import gymnasium as gym
import torch
from torch import Tensor, nn

from qtrl.commands.export.stand_ins import WithoutCircuits


class Policy(nn.Module):
    """Map flat observations (B, O) to actions (B, *shape of the action space), in the environment's units.

    Args:
        actor: Maps observations to actions in [-1, 1], its normalization included.
        quantum: What computes in the place of circuits, as of `WithoutCircuits`.
        space: Of actions.

    Raises:
        QtrlError: A layer's circuit cannot be replaced so.
    """

    low: Tensor
    high: Tensor

    def __init__(self, actor: nn.Module, quantum: str, space: gym.spaces.Box) -> None:
        super().__init__()
        self.network = WithoutCircuits(actor, quantum)
        for name in ("low", "high"):
            self.register_buffer(name, torch.as_tensor(getattr(space, name)).float())
        self.eval()

    def forward(self, observation: Tensor) -> Tensor:
        """Return actions within the bounds of the space, float32."""
        weight = (self.network(observation).clamp(-1.0, 1.0).reshape(-1, *self.low.shape) + 1.0) / 2.0
        return torch.minimum(torch.maximum(self.low * (1.0 - weight) + self.high * weight, self.low), self.high)
