"""The list of dictionaries that TorchQuantum's `GeneralEncoder` takes, both ways.

An entry is `{"input_idx": [0], "func": "ry", "wires": [0]}`: columns of the inputs, name of the gate, qubits. Wires
count as our qubits do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.gates import GATES

_OUR_NAMES = {
    "hadamard": "h",
    "paulix": "x",
    "pauliy": "y",
    "pauliz": "z",
    "phaseshift": "p",
    "u1": "p",
    "u": "u3",
    "cnot": "cx",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
}


def to_torchquantum(circuit: Circuit) -> list[dict[str, Any]]:
    """Write a circuit as the list of an encoder.

    The format knows no constants: an encoder that is made of the list expects them as inputs behind the angles.
    """
    return [
        {"input_idx": list(gate.angles) or None, "func": gate.name, "wires": list(gate.qubits)}
        for gate in circuit.gates
    ]


def from_torchquantum(
    encoder: Iterable[Mapping[str, Any]], n_qubits: int | None = None, constants: Sequence[float] = ()
) -> Circuit:
    """Read the list of an encoder.

    Its inputs become the angles; those that it skips are unused angles.

    Args:
        encoder: The list, of gates that the gate table has, also by TorchQuantum's other names for them.
        n_qubits: Number of qubits; None takes those that gates act on.
        constants: Values of the last inputs, in radians, where these are the same in every run.

    Raises:
        CircuitError: If an entry is malformed or names another gate, or if the circuit is.
    """
    gates = [_gate(position, entry) for position, entry in enumerate(encoder)]
    if n_qubits is None:
        n_qubits = 1 + max((qubit for gate in gates for qubit in gate.qubits), default=-1)
    read = {place for gate in gates for place in gate.angles}
    n_angles = 1 + max(read, default=-1) - len(constants)
    unused = tuple(place for place in range(n_angles) if place not in read)
    return Circuit(n_qubits, tuple(gates), tuple(constants), unused)


def _gate(position: int, entry: Mapping[str, Any]) -> Gate:
    try:
        func, wires, inputs = str(entry["func"]), _integers(entry["wires"]), _integers(entry.get("input_idx"))
    except (KeyError, TypeError, ValueError, AttributeError):
        expected = "{'input_idx': [0], 'func': 'ry', 'wires': [0]}"
        raise CircuitError(f"entry {position} of the encoder is {entry}, expected the form {expected}") from None
    name = _OUR_NAMES.get(func, func)
    if name not in GATES:
        known = ", ".join([*GATES, *_OUR_NAMES])
        raise CircuitError(f"entry {position} of the encoder is the gate {func!r}, expected one of {known}")
    return Gate(name, wires, inputs if GATES[name].n_angles else ())


def _integers(value: int | Iterable[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(int(number) for number in value)
