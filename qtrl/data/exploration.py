"""Exploration: what is added to the actor's actions while transitions are collected. Shapes: `N` rows, `A` action."""

from typing import Protocol

import torch
from torch import Tensor

from qtrl.errors import ConfigError


class Exploration(Protocol):
    """What turns the actor's actions into those that are tried."""

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return actions (N, A) in [-1, 1] for actions (N, A); all draws come from the generator."""


class GaussianNoise:
    """Add independent Gaussian noise and clamp to [-1, 1], as TD3 does.

    Args:
        noise: Standard deviation, in units of actions in [-1, 1].

    Raises:
        ConfigError: It is below 0.
    """

    def __init__(self, noise: float = 0.1) -> None:
        if not noise >= 0:
            raise ConfigError(f"GaussianNoise: noise is {noise}, expected a number of at least 0")
        self.noise = noise

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return the noisy actions (N, A)."""
        noise = torch.randn(action.shape, generator=generator, dtype=action.dtype)
        return (action + self.noise * noise).clamp(-1.0, 1.0)
