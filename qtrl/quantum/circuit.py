"""Parametrized quantum circuits as immutable data that every engine reads.

Qubit 0 is the most significant bit of a basis index. A circuit starts in |0...0> and ends by reading every qubit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from qtrl.errors import CircuitError
from qtrl.quantum.gates import GATES


@dataclass(frozen=True)
class Gate:
    """One gate in a circuit.

    Attributes:
        name: Key of the gate table.
        qubits: Qubits that the gate acts on; the control comes first.
        angles: For each angle that the gate takes, its place in the vector of the circuit's angles and constants.
    """

    name: str
    qubits: tuple[int, ...]
    angles: tuple[int, ...] = ()


def places_of(gates: Iterable[Gate]) -> set[int]:
    """Return the places that gates read."""
    return {place for gate in gates for place in gate.angles}


@dataclass(frozen=True)
class Circuit:
    """A circuit of gates from the gate table, with its angles left open.

    Gates read their angles from one vector: first the P angles that each run is given, then the constants. Gates may
    share a place. Every place is read, but for the angles that `unused` names.

    Attributes:
        n_qubits: At least 1.
        gates: The gates in the order in which they act.
        constants: Angles in radians that are the same in every run.
        unused: Angles that are given but that no gate reads, on purpose.
        base: The point, P angles in radians, around which a model chooses the angles of its runs; empty means all 0.
            Angles of a run count from 0, not from there: engines do not look at it.

    Raises:
        CircuitError: If a gate is unknown, has the wrong number of qubits or angles, or names a qubit that is
            repeated or out of range, if a place is not read and not named as unused, or if the base is not P finite
            numbers.
    """

    n_qubits: int
    gates: tuple[Gate, ...]
    constants: tuple[float, ...] = ()
    unused: tuple[int, ...] = ()
    base: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.n_qubits < 1:
            raise CircuitError(f"a circuit needs at least 1 qubit, got n_qubits={self.n_qubits}")
        for position, gate in enumerate(self.gates):
            _check_gate(gate, self.n_qubits, f"gate {position} ({gate.name} on qubits {gate.qubits})")
        if not all(math.isfinite(constant) for constant in self.constants):
            raise CircuitError(f"the constants {self.constants} are not all finite")
        read = places_of(self.gates)
        idle = set(range(self.n_places)) - read - set(self.unused)
        if idle:
            raise CircuitError(f"angle {min(idle)} is used by no gate: number the angles 0 to P-1 without a gap")
        if self.n_angles < 0:
            raise CircuitError(f"{len(self.constants)} constants, but the gates read {self.n_places} angles in all")
        wrong = sorted(set(self.unused) & read) + [place for place in self.unused if not 0 <= place < self.n_angles]
        if wrong:
            raise CircuitError(f"unused names {wrong[0]}, which is read by a gate or is no angle (0 to P-1)")
        if len(self.base) not in (0, self.n_angles) or not all(map(math.isfinite, self.base)):
            raise CircuitError(f"base has {len(self.base)} numbers, expected {self.n_angles} finite ones, or none")

    @classmethod
    def from_gates(cls, n_qubits: int, gates: Iterable[Sequence[str | int]]) -> "Circuit":
        """Build a circuit, its angles numbered in gate order, of gates such as `("ry", 0)` or `("cx", 0, 1)`."""
        placed: list[Gate] = []
        n_angles = 0
        for name, *qubits in gates:
            taken = GATES[str(name)].n_angles if name in GATES else 0
            angles = tuple(range(n_angles, n_angles + taken))
            placed.append(Gate(str(name), tuple(int(qubit) for qubit in qubits), angles))
            n_angles += taken
        return cls(n_qubits, tuple(placed))

    @cached_property
    def n_angles(self) -> int:
        """Number P of the angles that each run is given."""
        return self.n_places - len(self.constants)

    @cached_property
    def n_places(self) -> int:
        """Length of the vector that gates read their angles from: angles, then constants."""
        return 1 + max(places_of(self.gates).union(self.unused), default=-1)


def unshare(circuit: Circuit) -> tuple[Circuit, tuple[int, ...]]:
    """Give every occurrence of an angle a place of its own, as shift rules need it; constants stay shared.

    Returns:
        The circuit with P' >= P angles, of which the first P are where they were, and for each of the P' the angle
        that it takes its value from. A circuit that shares no angle comes back equal.
    """
    n_angles = circuit.n_angles
    occurrences = [place for gate in circuit.gates for place in gate.angles if place < n_angles]
    n_more = len(occurrences) - len(set(occurrences))
    sources = list(range(n_angles))
    met: set[int] = set()

    def own(place: int) -> int:
        if place >= n_angles:
            return place + n_more
        if place not in met:
            met.add(place)
            return place
        sources.append(place)
        return len(sources) - 1

    gates = tuple(Gate(gate.name, gate.qubits, tuple(map(own, gate.angles))) for gate in circuit.gates)
    return Circuit(circuit.n_qubits, gates, circuit.constants, circuit.unused), tuple(sources)


def _check_gate(gate: Gate, n_qubits: int, label: str) -> None:
    spec = GATES.get(gate.name)
    if spec is None:
        raise CircuitError(f"unknown gate {gate.name!r}, expected one of {', '.join(GATES)}")
    if len(gate.qubits) != spec.n_qubits:
        raise CircuitError(f"{label} acts on {len(gate.qubits)} qubits, expected {spec.n_qubits}")
    if len(set(gate.qubits)) != len(gate.qubits):
        raise CircuitError(f"{label} repeats a qubit")
    outside = [qubit for qubit in gate.qubits if not 0 <= qubit < n_qubits]
    if outside:
        raise CircuitError(f"{label} names qubit {outside[0]}, expected 0 to {n_qubits - 1}")
    if len(gate.angles) != spec.n_angles:
        raise CircuitError(f"{label} has {len(gate.angles)} angles, expected {spec.n_angles}")
    if min(gate.angles, default=0) < 0:
        raise CircuitError(f"{label} has the negative angle index {min(gate.angles)}, expected 0 or more")
