"""An actor as tests ask it: without noise, with its real blocks. Shapes: `N` episodes, `O` observation, `A` action."""

import torch
from torch import Tensor, nn

from qtrl.data import GraphedActing
from qtrl.seeding import seed_for


class NoiseFreePolicy:
    """Actions (N, A) for observations (N, O), both on the host.

    Args:
        actor: Acts on its own device.
        cuda_graphs: Whether it is replayed as CUDA graphs there, one for each N; they outlast a test.
    """

    def __init__(self, actor: nn.Module, *, cuda_graphs: bool = False) -> None:
        self._device = next(actor.parameters()).device
        self._actor, self._generator = actor, torch.Generator(self._device)
        self._graphs = GraphedActing(self._act, self._device, lambda: [self._generator]) if cuda_graphs else None

    def seed(self, seed: int) -> None:
        """Begin the random draws of the blocks anew."""
        self._generator.manual_seed(seed_for(seed, "test"))

    def __call__(self, observation: Tensor) -> Tensor:
        """Return the actions."""
        if self._graphs is None:
            return self._act(observation.to(self._device))[0].cpu()
        return self._graphs(observation)[0]

    def _act(self, observation: Tensor) -> list[Tensor]:
        return [self._actor(observation, self._generator)]
