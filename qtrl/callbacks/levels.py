"""Time to a level: what a run had spent when its tests first reached given returns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """What a run had spent when a test began.

    Attributes:
        env_steps: Over all ranks.
        updates: Made so far.
        gflop: Of these updates, over all ranks; None where an update's are not known.
        wall_seconds: Of warm-up, learning, probes and the tests before.
    """

    env_steps: int
    updates: int
    gflop: float | None
    wall_seconds: float


class Levels:
    """The first test whose mean return reached each level, as far as there was one.

    Args:
        levels: Returns.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self._reached: dict[str, dict[str, Any] | None] = {str(level): None for level in levels}
        self._levels = tuple(levels)

    def add(self, return_mean: float, spent: Spent) -> None:
        """Take in a test."""
        for level in self._levels:
            if return_mean >= level and self._reached[str(level)] is None:
                self._reached[str(level)] = asdict(spent)

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says; a level that was not reached has null, which is no time."""
        return {"time_to_level": dict(self._reached)}

    def load(self, reached: Mapping[str, Any]) -> None:
        """Take back what `summary` returned before the run was stopped."""
        self._reached |= {level: spent for level, spent in reached.items() if level in self._reached}
