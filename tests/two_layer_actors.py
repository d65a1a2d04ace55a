"""Actors with two quantum layers, as a user may write them."""

import copy

import torch
from torch import Tensor, nn

from qtrl.nn import QuantumLayer
from qtrl.nn.norms.normalization import make_norm


class SeriesActor(nn.Module):
    """The second quantum layer reads what the first one returned, and lies deeper in the model."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        block,
        gradient=None,
        *,
        hidden: int = 8,
        layer_norm: bool = False,
        normalize=None,
    ) -> None:
        super().__init__()
        self.norm = make_norm(normalize, observation_size)
        blocks = block, copy.deepcopy(block)
        self.pre = nn.Linear(observation_size, block.n_in)
        self.first, second = (QuantumLayer(block, gradient(block.n_in, block.n_out)) for block in blocks)
        self.rest = nn.Sequential(nn.Linear(block.n_out, block.n_in), second)
        self.post = nn.Linear(block.n_out, action_size)

    def forward(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        between, second = self.rest
        q_out = second(between(self.first(self.pre(self.norm(observation)), generator)), generator)
        return torch.tanh(self.post(q_out))


class ParallelActor(nn.Module):
    """Both quantum layers read the observation."""

    def __init__(self, observation_size: int, action_size: int, block, gradient=None, *, hidden: int = 8) -> None:
        super().__init__()
        blocks = {"left": block, "right": copy.deepcopy(block)}
        self.pre = nn.Linear(observation_size, 2 * block.n_in)
        self.branches = nn.ModuleDict(
            {name: QuantumLayer(block, gradient(block.n_in, block.n_out)) for name, block in blocks.items()}
        )
        self.post = nn.Linear(2 * block.n_out, action_size)

    def forward(self, observation: Tensor, generator: torch.Generator | None = None) -> Tensor:
        halves = zip(self.branches.values(), self.pre(observation).chunk(2, dim=-1), strict=True)
        return torch.tanh(self.post(torch.cat([layer(q_in, generator) for layer, q_in in halves], dim=-1)))


NAMES = {SeriesActor: ("first", "rest.1"), ParallelActor: ("branches.left", "branches.right")}
"""The names of the layers."""
