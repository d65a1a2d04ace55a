"""How long a run is, and when it learns."""

import math
from dataclasses import dataclass
from fractions import Fraction

from qtrl.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """How env steps and updates follow each other; all counts are sums over ranks.

    Attributes:
        total_env_steps: Env steps after which the stream ends.
        warmup_env_steps: Env steps with random actions before the first update.
        updates_per_env_step: Updates owed for each env step after warm-up; may be a fraction.
    """

    total_env_steps: int
    warmup_env_steps: int
    updates_per_env_step: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_env_steps < self.total_env_steps:
            raise ConfigError(
                f"warmup_env_steps={self.warmup_env_steps} must be at least 0 and below "
                f"total_env_steps={self.total_env_steps}; lower the one or raise the other"
            )
        if self.updates_per_env_step <= 0:
            raise ConfigError(f"updates_per_env_step={self.updates_per_env_step} must be above 0")

    @property
    def rate(self) -> Fraction:
        """Updates for each env step, exactly as the decimal number says: 0.1 is one in ten, however many they are."""
        return Fraction(str(self.updates_per_env_step))

    def updates(self, steps: int) -> int:
        """Count the updates of the whole run, whose turns make so many env steps each."""
        return int(self._learning(steps) * self.rate)

    def check_updates(self, steps: int) -> None:
        """Raise a ConfigError where no update is owed in the whole run; `steps` as in `updates`."""
        if not self.updates(steps):
            raise ConfigError(
                f"updates_per_env_step={self.updates_per_env_step} owes no update in the {self._learning(steps)} env "
                f"steps between warmup_env_steps={self.warmup_env_steps} and total_env_steps={self.total_env_steps}, "
                f"which are made {steps} at a time: raise the total, or lower the warm-up"
            )

    def _learning(self, steps: int) -> int:
        """Count the env steps of the turns that begin after warm-up."""
        return steps * (math.ceil(self.total_env_steps / steps) - math.ceil(self.warmup_env_steps / steps))
