"""Qiskit's `QuantumCircuit`, both ways.

Qubits keep their numbers. Qiskit counts bits from the other end, so for its probabilities in our order ask
`Statevector(bound).probabilities(range(n)[::-1])`.
"""

from typing import TYPE_CHECKING, Any

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.gates import GATES
from qtrl.quantum.optional import import_package

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

_OUR_NAMES = {"u": "u3", "u1": "p"}


def to_qiskit(circuit: Circuit) -> "QuantumCircuit":
    """Write a circuit as a `QuantumCircuit`.

    Angles become the elements of one `ParameterVector`, constants become numbers. Unused angles enter the global phase,
    which no measurement shows, so that `assign_parameters` takes a row of P angles whatever the circuit.

    Raises:
        EngineError: If Qiskit is not installed.
    """
    qiskit = import_package("qiskit", "to_qiskit", "qiskit")
    angles = qiskit.circuit.ParameterVector("θ", circuit.n_angles)
    values = (*angles, *circuit.constants)
    converted = qiskit.QuantumCircuit(circuit.n_qubits, global_phase=sum(angles[place] for place in circuit.unused))
    for gate in circuit.gates:
        method = "u" if gate.name == "u3" else gate.name
        getattr(converted, method)(*(values[place] for place in gate.angles), *gate.qubits)
    return converted


def from_qiskit(circuit: "QuantumCircuit") -> Circuit:
    """Read a `QuantumCircuit`.

    Its parameters become the angles, in the order of `circuit.parameters`; those that no gate reads are unused angles.
    Numbers become constants, equal ones sharing a place. Barriers and measurements are left out: circuits end by
    reading every qubit. Qubits that Qiskit's `transpile` has moved get back their numbers.

    Args:
        circuit: Of gates that the gate table has; `u` and `u1` are its `u3` and `p`.

    Raises:
        CircuitError: If there is another gate, a gate behind a measurement of its qubit, or an angle that is neither a
            parameter nor a number.
    """
    numbers = _numbers(circuit)
    places: dict[Any, int] = {parameter: place for place, parameter in enumerate(circuit.parameters)}
    n_angles = len(places)
    gates: list[Gate] = []
    measured: set[int] = set()
    for position, instruction in enumerate(circuit.data):
        name, qubits = instruction.operation.name, tuple(numbers[qubit] for qubit in instruction.qubits)
        if name == "measure":
            measured.update(qubits)
        elif name != "barrier":
            label = f"gate {position} ({name} on qubits {qubits})"
            _check_gate(instruction, label, bool(measured & set(qubits)))
            angles = tuple(_place(value, places, label) for value in instruction.params)
            gates.append(Gate(_OUR_NAMES.get(name, name), qubits, angles))
    read = {place for gate in gates for place in gate.angles}
    unused = tuple(place for place in range(n_angles) if place not in read)
    return Circuit(circuit.num_qubits, tuple(gates), tuple(list(places)[n_angles:]), unused)


def _numbers(circuit: "QuantumCircuit") -> dict[Any, int]:
    """Number the qubits, each by the place that it had before a `transpile` moved it."""
    moved = circuit.layout.final_index_layout(filter_ancillas=False) if circuit.layout else range(circuit.num_qubits)
    return {circuit.qubits[index]: number for number, index in enumerate(moved)}


def _check_gate(instruction: "CircuitInstruction", label: str, measured: bool) -> None:
    name = instruction.operation.name
    if not instruction.is_standard_gate() or _OUR_NAMES.get(name, name) not in GATES:
        known = ", ".join([*GATES, *_OUR_NAMES])
        advice = "qiskit.transpile(circuit, basis_gates=['u', 'cx']) rewrites unitary gates"
        raise CircuitError(f"{label} cannot be converted, expected one of {known}; {advice}")
    if measured:
        raise CircuitError(f"{label} acts on a qubit that was measured before, expected measurements at the end")


def _place(value: Any, places: dict[Any, int], label: str) -> int:
    """Return the place of a parameter, or of a number, which gets the next one if it is new."""
    if value in places:
        return places[value]
    if getattr(value, "parameters", None):
        raise CircuitError(f"{label} has the angle {value}, expected a parameter or a number: make it a parameter")
    return places.setdefault(float(value), len(places))
