"""Exploration: what is added to the actor's actions while transitions are collected. Shapes: `N` rows, `A` action."""

from typing import Any, Protocol

import torch
from torch import Tensor

from qtrl.errors import CheckpointError, ConfigError


class Exploration(Protocol):
    """What turns the actor's actions into those that are tried.

    It may have an attribute `angle_noise`: the standard deviation of the noise on what blocks receive, in radians where
    the block is a circuit; and `on_device`: whether it draws wherever the actions lie, keeps nothing between calls and
    waits for no device, so that it can run on a GPU, and in a CUDA graph. Without it actions are on the host, as is the
    generator. What it keeps between calls is `state_dict()`, plain data and tensors, and is taken back by
    `load_state_dict(state)`; without these it must keep nothing.
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

    on_device = True

    def __init__(self, noise: float = 0.1, angle_noise: float = 0.0) -> None:
        _check_deviations("GaussianNoise", noise=noise, angle_noise=angle_noise)
        self.noise, self.angle_noise = noise, angle_noise

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return the noisy actions (N, A)."""
        noise = torch.randn(action.shape, generator=generator, dtype=action.dtype, device=action.device)
        return (action + self.noise * noise).clamp(-1.0, 1.0)


class SpreadNoise:
    """Add Gaussian noise of another size in each environment: some stay near the policy, others look further.

    The sizes are equally spaced over the environments of a process; a single one has their middle.

    Args:
        low: Standard deviation in the first environment, in units of actions in [-1, 1].
        high: That in the last one.
        angle_noise: As of `GaussianNoise`.

    Raises:
        ConfigError: One is below 0, or `low` above `high`.

    Source: FastTD3, arXiv:2505.22642, which draws them at random.
    """

    on_device = True

    def __init__(self, low: float = 0.05, high: float = 0.4, angle_noise: float = 0.0) -> None:
        _check_deviations("SpreadNoise", low=low, high=high, angle_noise=angle_noise)
        if low > high:
            raise ConfigError(f"SpreadNoise: low is {low}, expected at most high, {high}")
        self.low, self.high, self.angle_noise = low, high, angle_noise

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return the noisy actions (N, A)."""
        count, middle = len(action), (self.low + self.high) / 2
        low, high = (self.low, self.high) if count > 1 else (middle, middle)
        size = torch.linspace(low, high, count, dtype=action.dtype, device=action.device)[:, None]
        noise = torch.randn(action.shape, generator=generator, dtype=action.dtype, device=action.device)
        return (action + size * noise).clamp(-1.0, 1.0)


class HeldNoise:
    """Add Gaussian noise that each environment keeps for k env steps, so that it leads somewhere.

    k is 1, 2, ... up to `longest`, with a probability in proportion to k to the power of -`exponent`: mostly short, now
    and then long. The noise goes on across the ends of episodes.

    Args:
        noise: Standard deviation, in units of actions in [-1, 1].
        longest: Largest k.
        exponent: Of its law, that of Zipf.
        angle_noise: As of `GaussianNoise`; drawn anew at each env step.

    Raises:
        ConfigError: One is below 0, or `longest` below 1.

    Source: FlashSAC, arXiv:2604.04539; ez-greedy, arXiv:2006.01782.
    """

    def __init__(self, noise: float = 0.1, longest: int = 16, exponent: float = 2.0, angle_noise: float = 0.0) -> None:
        _check_deviations("HeldNoise", noise=noise, exponent=exponent, angle_noise=angle_noise)
        if not longest >= 1:
            raise ConfigError(f"HeldNoise: longest is {longest}, expected at least 1")
        self.noise, self.angle_noise = noise, angle_noise
        self._weights = torch.arange(1, longest + 1, dtype=torch.float64) ** -exponent
        self._held, self._left = torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)

    def __call__(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return the noisy actions (N, A)."""
        if self._held.shape != action.shape:
            self._held, self._left = torch.zeros_like(action), torch.zeros(len(action), dtype=torch.int64)
        fresh = torch.randn(action.shape, generator=generator, dtype=action.dtype)
        steps = 1 + torch.multinomial(self._weights, len(action), replacement=True, generator=generator)
        due = self._left == 0  # drawn for all, so that a draw depends on no other environment
        self._held = torch.where(due[:, None], fresh, self._held)
        self._left = torch.where(due, steps, self._left) - 1
        return (action + self.noise * self._held).clamp(-1.0, 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Return the noise of each environment, (N, A), and for how many env steps more it is held, (N,)."""
        return {"held": self._held.clone(), "left": self._left.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            CheckpointError: It is malformed.
        """
        try:
            held, left = state["held"].clone(), state["left"].clone()
            fits = held.ndim == 2 and held.shape[:1] == left.shape and left.dtype == torch.int64
            sound = fits and bool(held.isfinite().all() and left.ge(0).all())
        except (AttributeError, KeyError, TypeError) as error:
            raise CheckpointError("the checkpoint's held noise is malformed") from error
        if not sound:
            raise CheckpointError("the checkpoint's held noise is malformed, or of no length")
        self._held, self._left = held, left


def _check_deviations(owner: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ConfigError(f"{owner}: {name} is {number}, expected a number of at least 0")
