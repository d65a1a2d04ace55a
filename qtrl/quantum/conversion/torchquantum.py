"""Circuits as what TorchQuantum's `GeneralEncoder` takes, both ways.

Entries of an encoder list are `{"input_idx": [0], "func": "ry", "wires": [0]}`: columns of the inputs, name of the
gate, qubits.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate, places_of
from qtrl.quantum.gates import GATES

TORCHQUANTUM_NAMES = {"hadamard": "h", "paulix": "x", "pauliy": "y", "pauliz": "z", "phaseshift": "p", "u1": "p"}
TORCHQUANTUM_NAMES |= {"u": "u3", "cnot": "cx", "xx": "rxx", "yy": "ryy", "zz": "rzz"}


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
