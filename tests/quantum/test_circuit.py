import dataclasses
import pickle

import pytest

from qtrl.errors import CircuitError
from qtrl.quantum import Circuit, Gate


def test_from_gates_numbers_the_angles_in_gate_order():
    circuit = Circuit.from_gates(2, [("ry", 1), ("h", 0), ("u3", 0), ("crz", 1, 0)])
    assert circuit.gates == (
        Gate("ry", (1,), (0,)),
        Gate("h", (0,)),
        Gate("u3", (0,), (1, 2, 3)),
        Gate("crz", (1, 0), (4,)),
    )
    assert circuit.n_angles == 5


def test_circuits_are_frozen_hashable_and_equal_by_value():
    circuit, twin = (Circuit.from_gates(2, [("ry", 1), ("cx", 0, 1)]) for _ in range(2))
    assert circuit == twin and len({circuit, twin}) == 1
    assert circuit.n_angles == 1 and pickle.loads(pickle.dumps(circuit)) == circuit
    with pytest.raises(dataclasses.FrozenInstanceError):
        circuit.n_qubits = 3


def test_a_circuit_may_have_no_gates_or_no_angles():
    assert Circuit(1, ()).n_angles == 0
    assert Circuit.from_gates(1, [("h", 0)]).n_angles == 0


@pytest.mark.parametrize(
    ("n_qubits", "gate", "message"),
    [
        (0, None, "at least 1 qubit, got n_qubits=0"),
        (2, ("foo", 0), "unknown gate 'foo', expected one of rx, ry, rz"),
        (2, ("h", 0, 1), r"gate 0 \(h on qubits \(0, 1\)\) acts on 2 qubits, expected 1"),
        (2, ("cx", 0), "acts on 1 qubits, expected 2"),
        (2, ("cx", 1, 1), "repeats a qubit"),
        (2, ("cx", 0, 2), "names qubit 2, expected 0 to 1"),
        (2, ("h", -1), "names qubit -1, expected 0 to 1"),
    ],
)
def test_malformed_circuits_are_refused_in_one_line(n_qubits, gate, message):
    with pytest.raises(CircuitError, match=message) as refused:
        Circuit.from_gates(n_qubits, [gate] if gate else [])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("angles", "message"),
    [((), "has 0 angles, expected 1"), ((0, 1), "has 2 angles"), ((-1,), "negative"), ((1,), "angle 0 is used by no")],
)
def test_malformed_angle_places_are_refused(angles, message):
    with pytest.raises(CircuitError, match=message):
        Circuit(1, (Gate("ry", (0,), angles),))
