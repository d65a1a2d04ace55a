"""How far collecting and learning have come in relation to each other."""

from fractions import Fraction

from qtrl.data.schedule import Schedule
from qtrl.errors import ConfigError


class Pace:
    """The updates that are owed for env steps that were made.

    Args:
        schedule: Of the run.

    Attributes:
        learn_from: Env steps from which on they owe updates.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule, self._owed = schedule, Fraction(0)
        self.learn_from = schedule.warmup_env_steps

    @property
    def update_is_due(self) -> bool:
        """Whether at least one update is owed."""
        return self._owed >= 1

    def collected(self, steps: int) -> None:
        """Owe updates for so many env steps."""
        self._owed += steps * self._schedule.rate

    def updated(self) -> None:
        """Owe one update less."""
        self._owed -= 1

    def refill(self, env_steps: int, rows: int) -> None:
        """Owe nothing until an empty replay has as many rows again as warm-up gives it, at most `rows`.

        Raises:
            ConfigError: The run ends before.
        """
        total = self._schedule.total_env_steps
        self.learn_from = env_steps + min(max(1, self._schedule.warmup_env_steps), rows)
        self._owed = Fraction(0)
        if env_steps < total <= self.learn_from:
            raise ConfigError(
                f"total_env_steps={total} leaves nothing to learn: without a saved replay, env steps {env_steps} to "
                f"{self.learn_from} go into filling a new one; set it higher"
            )

    @property
    def owed(self) -> float:
        """The updates that are owed, for a checkpoint."""
        return float(self._owed)

    @owed.setter
    def owed(self, number: float) -> None:
        """Owe the fraction that a saved number stands for."""
        self._owed = Fraction(float(number)).limit_denominator(self._schedule.rate.denominator)
