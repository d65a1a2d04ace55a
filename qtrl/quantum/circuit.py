"""What a parametrized quantum circuit is: frozen data that every engine reads.

Qubit 0 is the most significant bit of a basis index. A circuit starts in |0...0> and ends by reading every qubit.
"""

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
        angles: For each angle that the gate takes, its place in the circuit's vector of angles.
    """

    name: str
    qubits: tuple[int, ...]
    angles: tuple[int, ...] = ()


@dataclass(frozen=True)
class Circuit:
    """A circuit of gates from the gate table, with its angles left open.

    Gates may share an angle; every place of the vector of angles must be used.

    Attributes:
        n_qubits: At least 1.
        gates: The gates in the order in which they act.

    Raises:
        CircuitError: If a gate is unknown, has the wrong number of qubits or angles, or names a qubit that is
            repeated or out of range, or if a place of the vector of angles is not used.
    """

    n_qubits: int
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        if self.n_qubits < 1:
            raise CircuitError(f"a circuit needs at least 1 qubit, got n_qubits={self.n_qubits}")
        for position, gate in enumerate(self.gates):
            _check_gate(gate, self.n_qubits, f"gate {position} ({gate.name} on qubits {gate.qubits})")
        unused = set(range(self.n_angles)) - {index for gate in self.gates for index in gate.angles}
        if unused:
            raise CircuitError(f"angle {min(unused)} is used by no gate: number the angles 0 to P-1 without a gap")

    @classmethod
    def from_gates(cls, n_qubits: int, gates: Iterable[Sequence[str | int]]) -> "Circuit":
        """Build a circuit whose angles are numbered in gate order.

        Args:
            n_qubits: At least 1.
            gates: Name and qubits of each gate, such as `("ry", 0)` or `("cx", 0, 1)`.

        Raises:
            CircuitError: As the class does.
        """
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
        """Length P of the vector of angles; 0 if no gate takes an angle."""
        return max((index + 1 for gate in self.gates for index in gate.angles), default=0)


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
