import pytest
from qiskit.circuit import library

from qtrl.errors import CircuitError
from qtrl.quantum import ENTANGLEMENTS, Gate, efficient_su2


def qiskit_gates(n_qubits, reps, rotations, entanglement):
    theirs = library.efficient_su2(n_qubits, su2_gates=list(rotations), entanglement=entanglement, reps=reps)
    return tuple(
        Gate(
            instruction.operation.name,
            tuple(theirs.find_bit(qubit).index for qubit in instruction.qubits),
            tuple(parameter.index for parameter in instruction.operation.params),
        )
        for instruction in theirs.data
    )


@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4, 5])
def test_equals_qiskits_gate_for_gate_and_parameter_for_parameter(n_qubits, entanglement):
    for reps in (0, 1, 2, 3, 7):
        for rotations in (("ry", "rz"), ("rx",), ("p", "ry", "rx")):
            ours = efficient_su2(n_qubits, reps, rotations, entanglement)
            assert ours.gates == qiskit_gates(n_qubits, reps, rotations, entanglement)
            assert ours.n_angles == n_qubits * len(rotations) * (reps + 1)


def test_the_papers_circuit_has_220_angles():
    circuit = efficient_su2(10, 10)
    assert circuit.n_angles == 220
    assert sum(gate.name == "cx" for gate in circuit.gates) == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_qubits": 0}, "at least 1 qubit, got n_qubits=0"),
        ({"reps": -1}, "0 or more repetitions, got reps=-1"),
        ({"entanglement": "ring"}, "unknown entanglement 'ring', expected one of linear, reverse_linear, full"),
        ({"rotations": ("ry", "h")}, "unknown rotation 'h', expected one or more of rx, ry, rz, p"),
        ({"rotations": ()}, "unknown rotation none"),
    ],
)
def test_impossible_sizes_and_unknown_names_are_refused(change, message):
    with pytest.raises(CircuitError, match=message):
        efficient_su2(**{"n_qubits": 2, "reps": 1, **change})
