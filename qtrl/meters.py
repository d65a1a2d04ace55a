"""What is counted while a run goes on: seconds by section, circuits by purpose, operations of an update."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from qtrl.keys import PURPOSES, SECTIONS


@dataclass(frozen=True)
class Cost:
    """Circuits that one call of a block executes, one for each set of angles, and shots over all of them.

    Shots are 0 where an exact simulator reads probabilities.
    """

    circuits: int = 0
    shots: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.circuits + other.circuits, self.shots + other.shots)


@dataclass
class Ledger:
    """Circuits, shots and seconds in circuits so far, by purpose (one of `qtrl.keys.PURPOSES`).

    Seconds are the wall-clock time of circuits and gradients through them, nothing around them included;
    `parameter_shift_circuits` is what the updates so far would have executed with gradients by parameter shift.
    """

    circuits: Counter[str] = field(default_factory=Counter)
    shots: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    parameter_shift_circuits: int = 0

    def add(self, purpose: str, cost: Cost) -> None:
        """Book the circuits and shots of one call."""
        self.circuits[purpose] += cost.circuits
        self.shots[purpose] += cost.shots

    def booked_since(self, earlier: "Ledger") -> "Ledger":
        """Return circuits and shots that were booked since a copy was taken; no seconds."""
        since = self.parameter_shift_circuits - earlier.parameter_shift_circuits
        circuits, shots = self.circuits - earlier.circuits, self.shots - earlier.shots
        return Ledger(circuits, shots, parameter_shift_circuits=since)

    def copy(self) -> "Ledger":
        """Return a copy that keeps what is booked now."""
        return Ledger(self.circuits.copy(), self.shots.copy(), self.seconds.copy(), self.parameter_shift_circuits)

    def book(self, other: "Ledger") -> None:
        """Book circuits and shots of another ledger again."""
        self.circuits.update(other.circuits)
        self.shots.update(other.shots)
        self.parameter_shift_circuits += other.parameter_shift_circuits

    @contextmanager
    def timed(self, purpose: str, source: Any) -> Iterator[None]:
        """Book what is added to `source.seconds`, wall-clock seconds so far, in the `with` block."""
        start = source.seconds
        try:
            yield
        finally:
            self.seconds[purpose] += source.seconds - start

    def over_ranks(self, world_size: int) -> "Ledger":
        """Return the books of all ranks together: every rank collects and learns alike, only rank 0 tests and probes.

        Seconds stay this rank's own: ranks run side by side, so a sum would be no time that passed.
        """
        circuits, shots = (
            Counter({purpose: n if purpose in ("probe", "test") else n * world_size for purpose, n in counts.items()})
            for counts in (self.circuits, self.shots)
        )
        return Ledger(circuits, shots, self.seconds.copy(), self.parameter_shift_circuits * world_size)

    def total(self) -> Cost:
        """Sum circuits and shots over all purposes."""
        return Cost(self.circuits.total(), self.shots.total())

    def state_dict(self) -> dict[str, Any]:
        """Return the books as plain data."""
        books = {name: dict(getattr(self, name)) for name in ("circuits", "shots", "seconds")}
        return books | {"parameter_shift_circuits": self.parameter_shift_circuits}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.circuits, self.shots = (
            Counter({purpose: int(n) for purpose, n in state[name].items()}) for name in ("circuits", "shots")
        )
        self.seconds = defaultdict(float, {name: float(n) for name, n in state["seconds"].items()})
        self.parameter_shift_circuits = int(state["parameter_shift_circuits"])


class Stopwatch:
    """Wall-clock seconds by section, from a clock that never jumps.

    On an accelerator the time of a section is the time to launch its kernels, since nothing waits for them here.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Add the time spent in the `with` block to section `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def state_dict(self) -> dict[str, float]:
        """Return the seconds as plain data."""
        return dict(self.seconds)

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` returned."""
        self.seconds = defaultdict(float, {name: float(n) for name, n in state.items()})


@dataclass
class FlopCount:
    """Floating-point operations of this rank's first updates, two for each multiply-add of a matrix product."""

    updates: int = 0
    operations: int = 0

    @property
    def gflop_per_update(self) -> float | None:
        """Their mean in units of 10⁹; None where no update was counted."""
        return self.operations / self.updates / 1e9 if self.updates else None


@dataclass
class RunMeters:
    """The stopwatch, the ledger and the count of operations that all parts of a run share.

    `purposes` and `sections` are what an algorithm runs circuits and spends time for, in the order of reports.
    """

    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    ledger: Ledger = field(default_factory=Ledger)
    flops: FlopCount = field(default_factory=FlopCount)
    longest_save: float = 0.0
    """Seconds of the longest save of a checkpoint with its replay, in this session."""
    purposes: tuple[str, ...] = PURPOSES
    sections: tuple[str, ...] = SECTIONS

    def wall_seconds(self) -> float:
        """Sum up the phases of a run: warm-up, learning, and the tests and probes in between."""
        seconds = self.stopwatch.seconds
        return sum(seconds[phase] for phase in ("warmup", "learning", "test", "probe"))
