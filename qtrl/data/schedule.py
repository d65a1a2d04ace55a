"""How long a run is, and when it learns."""

from dataclasses import dataclass

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
