"""Counters of a run: seconds by section; circuits, shots and circuit seconds by purpose."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

OF_RANK_0 = frozenset({"probe", "test"})
"""Purposes for which only rank 0 executes circuits."""


@dataclass(frozen=True)
class Cost:
    """Cost of one call of a block on a quantum computer.

    Attributes:
        circuits: Circuits executed, one per set of angles.
        shots: Measurements over all of them; 0 for an exact simulator that reads probabilities.
    """

    circuits: int = 0
    shots: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.circuits + other.circuits, self.shots + other.shots)


class Timed(Protocol):
    """An object that accumulates its own run time."""

    @property
    def seconds(self) -> float:
        """Wall-clock seconds so far."""


@dataclass
class Ledger:
    """Circuits, shots and seconds in circuits so far, by purpose (one of `qtrl.keys.PURPOSES`).

    Attributes:
        circuits: Circuits executed.
        shots: Measurements taken.
        seconds: Wall-clock time of circuits and gradients through them alone.
        parameter_shift_circuits: Circuits that the updates so far would have executed with parameter-shift gradients.
    """

    circuits: Counter[str] = field(default_factory=Counter)
    shots: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    parameter_shift_circuits: int = 0

    def add(self, purpose: str, cost: Cost) -> None:
        """Add the circuits and shots of one call."""
        self.circuits[purpose] += cost.circuits
        self.shots[purpose] += cost.shots

    @contextmanager
    def timed(self, purpose: str, source: Timed) -> Iterator[None]:
        """Add the seconds that `source` counts in the `with` block."""
        start = source.seconds
        try:
            yield
        finally:
            self.seconds[purpose] += source.seconds - start

    def over_ranks(self, world_size: int) -> "Ledger":
        """Return the sum over ranks: every rank collects and learns alike, only rank 0 tests and probes.

        Seconds stay this rank's own, since ranks run at the same time.
        """
        circuits, shots = (
            Counter({purpose: n * (1 if purpose in OF_RANK_0 else world_size) for purpose, n in counts.items()})
            for counts in (self.circuits, self.shots)
        )
        return Ledger(circuits, shots, self.seconds.copy(), self.parameter_shift_circuits * world_size)

    def total(self) -> Cost:
        """Sum circuits and shots over all purposes."""
        return Cost(self.circuits.total(), self.shots.total())

    def state_dict(self) -> dict[str, Any]:
        """Return the counters as plain data."""
        return {
            "circuits": dict(self.circuits),
            "shots": dict(self.shots),
            "seconds": dict(self.seconds),
            "parameter_shift_circuits": self.parameter_shift_circuits,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.circuits, self.shots = (
            Counter({purpose: int(n) for purpose, n in state[name].items()}) for name in ("circuits", "shots")
        )
        self.seconds = defaultdict(float, {name: float(n) for name, n in state["seconds"].items()})
        self.parameter_shift_circuits = int(state["parameter_shift_circuits"])


class Stopwatch:
    """Wall-clock seconds by section, from a monotonic clock.

    On an accelerator this is the time to launch kernels, since nothing synchronizes here.
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
        """Restore what `state_dict` returned."""
        self.seconds = defaultdict(float, {name: float(n) for name, n in state.items()})


@dataclass
class RunMeters:
    """The counters that all parts of a run share.

    Attributes:
        stopwatch: Seconds by section.
        ledger: Circuits, shots and seconds in circuits, by purpose.
        longest_save: Seconds of the longest save of a checkpoint with its replay, in this session.
    """

    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    ledger: Ledger = field(default_factory=Ledger)
    longest_save: float = 0.0

    def wall_seconds(self) -> float:
        """Return the seconds of all phases: warm-up, learning, tests and probes."""
        seconds = self.stopwatch.seconds
        return sum(seconds[phase] for phase in ("warmup", "learning", "test", "probe"))
