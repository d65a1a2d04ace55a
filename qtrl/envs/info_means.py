"""Values that environments report in `info`, summed up. Shapes: N environments, K names."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def info_values(info: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    """Return the numbers and truth values of these names; NaN for what is not there, or is something else."""
    return [_number(info.get(name)) for name in names]


def _number(value: Any) -> float:
    try:
        return float(np.asarray(value, np.float64).reshape(()) if np.size(value) == 1 else math.nan)
    except (TypeError, ValueError):
        return math.nan


class InfoMeans:
    """One number for each name, of what was reported since the last `pop`.

    It is the mean over env steps. Where every value was 0 or 1, as of a flag, it is the mean of what stood at the ends
    of episodes: the share of successful ones, however long each was.

    Args:
        names: K keys of `info`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._clear()

    def _clear(self) -> None:
        self._sums, self._ends = np.zeros((2, len(self.names))), np.zeros((2, len(self.names)))  # totals, counts
        self._flags = np.ones(len(self.names), np.bool_)

    def add(self, values: Array, ended: Array) -> None:
        """Add a step of N environments: values (N, K), NaN where there is none, and whether episodes ended (N,)."""
        if not self.names:
            return
        there = np.isfinite(values)
        numbers = np.where(there, values, 0.0)
        self._flags &= np.isin(numbers, (0.0, 1.0)).all(axis=0)
        self._sums += numbers.sum(axis=0), there.sum(axis=0)
        self._ends += numbers[ended].sum(axis=0), there[ended].sum(axis=0)

    def pop(self) -> dict[str, float]:
        """Return the numbers since the last call, without names that had no value."""
        totals, counts = np.where(self._flags, self._ends, self._sums)
        self._clear()
        return {
            name: float(total / count)
            for name, total, count in zip(self.names, totals, counts, strict=True)
            if count and math.isfinite(total)
        }

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        sums, ends = self._sums.tolist(), self._ends.tolist()
        return {"names": list(self.names), "sums": sums, "ends": ends, "flags": self._flags.tolist()}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Take back what `state_dict` returned; nothing where there was none, or where the names were others."""
        if state is not None and tuple(state["names"]) == self.names:
            shape = (2, len(self.names))
            self._sums, self._ends = (np.array(state[key], np.float64).reshape(shape) for key in ("sums", "ends"))
            self._flags = np.array(state["flags"], np.bool_).reshape(len(self.names))
