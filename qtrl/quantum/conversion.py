"""Circuits in the formats of other libraries, both ways: Qiskit's `QuantumCircuit`, TorchQuantum's encoder lists.

Qubits keep their numbers. Qiskit counts bits from the other end, so for its probabilities in our order ask
`Statevector(bound).probabilities(range(n)[::-1])`.

An encoder list is what TorchQuantum's `GeneralEncoder` takes. Its entries are
`{"input_idx": [0], "func": "ry", "wires": [0]}`: columns of the inputs, name of the gate, qubits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtrl.errors import CircuitError
from qtrl.quantum.checks import import_package
from qtrl.quantum.circuit import Circuit, Gate, places_of
from qtrl.quantum.gates import GATES

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction

QISKIT_NAMES = {"u": "u3", "u1": "p"}
TORCHQUANTUM_NAMES = {"hadamard": "h", "paulix": "x", "pauliy": "y", "pauliz": "z", "phaseshift": "p", "u1": "p"}
TORCHQUANTUM_NAMES |= {"u": "u3", "cnot": "cx", "xx": "rxx", "yy": "ryy", "zz": "rzz"}


def to_qiskit(circuit: Circuit) -> "QuantumCircuit":
    """Write a circuit as a `QuantumCircuit`.

    Angles become the elements of one `ParameterVector`, constants become numbers. Unused angles enter the global phase,
    which no measurement shows, so that `assign_parameters` takes a row of P angles whatever the circuit. A base point
    stands in the metadata, under `base`.

    Raises:
        EngineError: If Qiskit is not installed.
    """
    qiskit = import_package("qiskit", "to_qiskit", "qiskit")
    angles = qiskit.circuit.ParameterVector("θ", circuit.n_angles)
    values = (*angles, *circuit.constants)
    converted = qiskit.QuantumCircuit(circuit.n_qubits, global_phase=sum(angles[place] for place in circuit.unused))
    converted.metadata = {"base": list(circuit.base)} if circuit.base else {}
    for gate in circuit.gates:
        method = "u" if gate.name == "u3" else gate.name
        getattr(converted, method)(*(values[place] for place in gate.angles), *gate.qubits)
    return converted


def from_qiskit(circuit: "QuantumCircuit") -> Circuit:
    """Read a `QuantumCircuit` of gates that the gate table has; `u` and `u1` are its `u3` and `p`.

    Its parameters become the angles, in the order of `circuit.parameters`; those that no gate reads are unused angles.
    Numbers become constants, equal ones sharing a place. Barriers and measurements are left out: circuits end by
    reading every qubit. Qubits that Qiskit's `transpile` has moved get back their numbers. A base point is read where
    `to_qiskit` writes it.

    Raises:
        CircuitError: If there is another gate, a gate behind a measurement of its qubit, or an angle that is neither a
            parameter nor a number.
    """
    moved = circuit.layout.final_index_layout(filter_ancillas=False) if circuit.layout else range(circuit.num_qubits)
    numbers = {circuit.qubits[index]: number for number, index in enumerate(moved)}
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
            _check_instruction(instruction, label, bool(measured & set(qubits)))
            angles = tuple(_place(value, places, label) for value in instruction.params)
            gates.append(Gate(QISKIT_NAMES.get(name, name), qubits, angles))
    read = _circuit(circuit.num_qubits, gates, n_angles, tuple(list(places)[n_angles:]))
    return replace(read, base=tuple((circuit.metadata or {}).get("base", ())))


def to_torchquantum(circuit: Circuit) -> list[dict[str, Any]]:
    """Write a circuit as an encoder list.

    The format knows no constants: an encoder that is made of the list expects them as inputs behind the angles. It
    knows no base point either.
    """
    return [
        {"input_idx": list(gate.angles) or None, "func": gate.name, "wires": list(gate.qubits)}
        for gate in circuit.gates
    ]


def from_torchquantum(
    encoder: Iterable[Mapping[str, Any]], n_qubits: int | None = None, constants: Sequence[float] = ()
) -> Circuit:
    """Read an encoder list; its inputs become the angles, those that it skips are unused angles.

    Args:
        encoder: The list, of gates that the gate table has, also by TorchQuantum's other names for them.
        n_qubits: Number of qubits; None takes those that gates act on.
        constants: Values of the last inputs, in radians, where these are the same in every run.

    Raises:
        CircuitError: If an entry is malformed or names another gate, or if the circuit is.
    """
    gates = [_encoded(position, entry) for position, entry in enumerate(encoder)]
    if n_qubits is None:
        n_qubits = 1 + max((qubit for gate in gates for qubit in gate.qubits), default=-1)
    n_angles = 1 + max(places_of(gates), default=-1) - len(constants)
    return _circuit(n_qubits, gates, n_angles, tuple(constants))


def _circuit(n_qubits: int, gates: list[Gate], n_angles: int, constants: tuple[float, ...]) -> Circuit:
    unused = sorted(set(range(n_angles)) - places_of(gates))
    return Circuit(n_qubits, tuple(gates), constants, tuple(unused))


def _check_instruction(instruction: "CircuitInstruction", label: str, measured: bool) -> None:
    name = instruction.operation.name
    if not instruction.is_standard_gate() or QISKIT_NAMES.get(name, name) not in GATES:
        known = ", ".join([*GATES, *QISKIT_NAMES])
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


def _encoded(position: int, entry: Mapping[str, Any]) -> Gate:
    try:
        func, wires, inputs = str(entry["func"]), _integers(entry["wires"]), _integers(entry.get("input_idx"))
    except (KeyError, TypeError, ValueError, AttributeError):
        expected = "{'input_idx': [0], 'func': 'ry', 'wires': [0]}"
        raise CircuitError(f"entry {position} of the encoder is {entry}, expected the form {expected}") from None
    name = TORCHQUANTUM_NAMES.get(func, func)
    if name not in GATES:
        known = ", ".join([*GATES, *TORCHQUANTUM_NAMES])
        raise CircuitError(f"entry {position} of the encoder is the gate {func!r}, expected one of {known}")
    return Gate(name, wires, inputs if GATES[name].n_angles else ())


def _integers(value: int | Iterable[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(int(number) for number in value)
