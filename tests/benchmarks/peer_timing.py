"""Times of calls that take from microseconds to minutes, taken in turns."""

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from libraries import Library
from records import timed

CALLS = ("forward", "gradient")
ROUNDS = 15
SHORTEST, LONGEST = 5e-3, 15.0
"""Seconds that a measurement takes at least, by repeating the call, and that a call may take."""


@dataclass
class Cell:
    """One library's call on one batch.

    Attributes:
        library: Whose.
        kind: One of `CALLS`.
        batch: Samples in a call.
        call: Does it.
        first: Seconds of the first call, which compiles where the library does.
        seconds: Of a call, one entry for each measurement.
    """

    library: str
    kind: str
    batch: int
    call: Callable[[], Any]
    first: float = math.nan
    seconds: list[float] = field(default_factory=list)
    _repeats: int = 1

    def warm_up(self) -> float:
        """Call twice, and return the seconds of the second time; of a long call that is the first measurement."""
        self.first, again = timed(self.call), timed(self.call)
        self._repeats = max(1, math.ceil(SHORTEST / again))
        if self._repeats == 1:
            self.seconds.append(again)
        return again

    def measure(self) -> None:
        """Take one measurement; short calls are preceded by one that brings caches and threads back."""
        if self._repeats > 1:
            self.call()
        self.seconds.append(timed(self.call, self._repeats))

    def as_record(self) -> dict[str, Any]:
        """Return the result as plain data: the median, and the quartiles' distance in units of it."""
        median = statistics.median(self.seconds)
        low, high = np.percentile(self.seconds, [25, 75])
        return {
            "library": self.library,
            "kind": self.kind,
            "batch": self.batch,
            "microseconds_per_sample": 1e6 * median / self.batch,
            "spread": float((high - low) / median),
            "measurements": len(self.seconds),
            "first_call_seconds": self.first,
        }


def measure_batch(cells: Iterable[Cell], budget: float, expected: dict[tuple[str, str], float]) -> list[str]:
    """Measure cells of one batch in turns, and return what was left out and why.

    Args:
        cells: What to measure; those left out stay without `seconds`.
        budget: Seconds for each cell, which gets as many of `ROUNDS` measurements as fit, at least one.
        expected: Seconds per sample of each library and kind at the batch before; brought up to date.
    """
    ready, skipped = [], []
    for cell in cells:
        key = cell.library, cell.kind
        guess = expected.get(key, 0.0) * cell.batch
        if guess > LONGEST:
            skipped.append(f"{cell.library}, {cell.kind}, batch {cell.batch}: one call would take about {guess:.0f} s")
            continue
        took = cell.warm_up()
        expected[key] = took / cell.batch
        ready.append((cell, int(budget / max(took, SHORTEST))))
    for turn in range(ROUNDS):
        for cell, affordable in ready:
            if turn == 0 or turn < affordable:
                cell.measure()
    return skipped


def cells_of(libraries: Iterable[Library], angles: np.ndarray) -> list[Cell]:
    """Return the cells of all libraries for angles (B, P), forward and gradient."""
    cells = []
    for library in libraries:
        own = library.angles(angles)
        for kind, function in zip(CALLS, (library.expectations, library.gradient), strict=True):
            if function is not None:
                cells.append(Cell(library.name, kind, len(angles), lambda f=function, a=own: f(a)))  # type: ignore[misc]
    return cells
