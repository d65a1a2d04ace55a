"""Exploration: what is added to the actor's actions while transitions are collected. Shapes: `N` rows, `A` action."""

from typing import Protocol

import torch
from torch import Tensor

from qtrl.errors import ConfigError


class Exploration(Protocol):
    """What turns the actor's actions into those that are tried.

    It may have an attribute `angle_noise`: the standard deviation of the noise on what blocks receive, in radians where
    the block is a circuit.
    """

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return actions (N, A) in [-1, 1] for actions (N, A); all draws come from the generator."""


class GaussianNoise:
    """Add independent Gaussian noise and clamp to [-1, 1], as TD3 does.

    Args:
        noise: Standard deviation, in units of actions in [-1, 1].
        angle_noise: Standard deviation on each input of a block, in radians where it is a circuit; it is recorded with
            the pair, in warm-up as well.

    Raises:
        ConfigError: One is below 0.
    """

    def __init__(self, noise: float = 0.1, angle_noise: float = 0.0) -> None:
        for name, deviation in (("noise", noise), ("angle_noise", angle_noise)):
            if not deviation >= 0:
                raise ConfigError(f"GaussianNoise: {name} is {deviation}, expected a number of at least 0")
        self.noise, self.angle_noise = noise, angle_noise

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return the noisy actions (N, A)."""
        noise = torch.randn(action.shape, generator=generator, dtype=action.dtype)
        return (action + self.noise * noise).clamp(-1.0, 1.0)
