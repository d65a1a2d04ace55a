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


def test_circuits_are_hashable_and_equal_by_value():
    circuit, twin = (Circuit.from_gates(2, [("ry", 1), ("cx", 0, 1)]) for _ in range(2))
    assert circuit == twin and len({circuit, twin}) == 1
    assert circuit.n_angles == 1 and pickle.loads(pickle.dumps(circuit)) == circuit


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


def test_constants_stand_behind_the_angles_and_are_not_counted_among_them():
    circuit = Circuit(2, (Gate("ry", (0,), (0,)), Gate("u3", (1,), (2, 1, 2))), constants=(0.5, -1.0))
    assert (circuit.n_angles, circuit.n_places) == (1, 3)


def test_a_circuit_may_have_constants_alone():
    circuit = Circuit(1, (Gate("ry", (0,), (0,)),), constants=(0.5,))
    assert (circuit.n_angles, circuit.n_places) == (0, 1)


def test_unused_angles_are_counted_wherever_they_stand():
    assert Circuit(1, (Gate("ry", (0,), (1,)),), unused=(0,)).n_angles == 2
    assert Circuit(1, (Gate("ry", (0,), (0,)),), unused=(2, 1)).n_angles == 3
    assert Circuit(1, (), unused=(0, 1)).n_angles == 2
    assert Circuit(1, (Gate("ry", (0,), (2,)),), constants=(0.5,), unused=(0, 1)).n_angles == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_constants_must_be_finite(value):
    with pytest.raises(CircuitError, match=r"the constants \(0\.5, -?(nan|inf)\) are not all finite"):
        Circuit(1, (Gate("ry", (0,), (0,)), Gate("ry", (0,), (1,))), constants=(0.5, value))


@pytest.mark.parametrize(
    ("places", "constants", "unused", "message"),
    [
        ((0, 2), (), (), "angle 1 is used by no gate: number the angles 0 to P-1 without a gap"),
        ((1,), (0.5,), (), "angle 0 is used by no gate"),
        ((0, 2), (0.5,), (), "angle 1 is used by no gate"),
        ((0, 3), (0.1, 0.2), (1,), "angle 2 is used by no gate"),
        ((0,), (0.1, 0.2), (), "2 constants, but the gates read 1 angles in all"),
        ((), (0.1,), (), "1 constants, but the gates read 0 angles in all"),
        ((0, 1), (), (1,), "unused names 1, which is read by a gate or is no angle"),
        ((0,), (0.5,), (0,), "unused names 0, which is read by a gate or is no angle"),
        ((0,), (0.5,), (1,), "unused names 1, which is read by a gate or is no angle"),
        ((0,), (), (-1,), "unused names -1, which is read by a gate or is no angle"),
    ],
)
def test_places_that_do_not_add_up_are_refused_in_one_line(places, constants, unused, message):
    gates = tuple(Gate("ry", (0,), (place,)) for place in places)
    with pytest.raises(CircuitError, match=message) as refused:
        Circuit(1, gates, constants, unused)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("angles", "message"),
    [((), "has 0 angles, expected 1"), ((0, 1), "has 2 angles"), ((-1,), "negative"), ((1,), "angle 0 is used by no")],
)
def test_malformed_angle_places_are_refused(angles, message):
    with pytest.raises(CircuitError, match=message):
        Circuit(1, (Gate("ry", (0,), angles),))
