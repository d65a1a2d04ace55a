"""What is counted while a run goes on: seconds by section, and circuits and shots by purpose."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """What one call of a block costs on a quantum computer.

    Attributes:
        circuits: Circuits executed, one for each set of angles.
        shots: Measurements taken over all of them; 0 where an exact simulator reads probabilities.
    """

    circuits: int = 0
    shots: int = 0


@dataclass
class Ledger:
    """Circuits and shots so far, by purpose (`collect`, `fit`, `target`, `actor`, `test`)."""

    circuits: Counter[str] = field(default_factory=Counter)
    shots: Counter[str] = field(default_factory=Counter)

    def add(self, purpose: str, cost: Cost) -> None:
        """Book one call."""
        self.circuits[purpose] += cost.circuits
        self.shots[purpose] += cost.shots

    def over_ranks(self, world_size: int) -> "Ledger":
        """Return the books of all ranks together: every rank collects and learns alike, only rank 0 tests."""
        books = (
            Counter({purpose: count * (1 if purpose == "test" else world_size) for purpose, count in counts.items()})
            for counts in (self.circuits, self.shots)
        )
        return Ledger(*books)

    def total(self) -> Cost:
        """Sum over all purposes."""
        return Cost(self.circuits.total(), self.shots.total())

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts as plain data."""
        return {"circuits": dict(self.circuits), "shots": dict(self.shots)}

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        """Take back what `state_dict` returned."""
        self.circuits = Counter(state["circuits"])
        self.shots = Counter(state["shots"])


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
        self.seconds = defaultdict(float, state)


@dataclass
class RunMeters:
    """The stopwatch and the ledger that all parts of a run share."""

    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    ledger: Ledger = field(default_factory=Ledger)
