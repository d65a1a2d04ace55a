"""Learning rates that fall over a run."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from qtrl.errors import ConfigError

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: (1.0 + math.cos(math.pi * progress)) / 2.0,
}
"""From 1 at the beginning of a run to 0 at its end."""


@dataclass(frozen=True)
class Decay:
    """Let the learning rates of some optimizers fall.

    The rate is a function of how far the run is, and of nothing before, so that a run goes on with the rate that it
    had. If its length is changed on the way, the rate is from then on that of a run of the new length.

    Attributes:
        shape: One of `SHAPES`.
        final: Fraction of the rates that is left at the end, in [0, 1].
        optimizers: Their names.

    Raises:
        ConfigError: The shape is unknown, or the fraction out of range.
    """

    shape: str
    final: float
    optimizers: Collection[str]

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ConfigError(f"lr_decay is {self.shape!r}, expected {', '.join(SHAPES)} or null")
        if not 0 <= self.final <= 1:
            raise ConfigError(f"lr_final is {self.final!r}, expected a number from 0 to 1")

    def factor(self, progress: float) -> float:
        """Return what the rates are multiplied with after a fraction of the run."""
        return self.final + (1.0 - self.final) * SHAPES[self.shape](min(progress, 1.0))
