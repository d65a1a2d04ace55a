import math
import sys

import pytest
import torch
from all_gates import CONVERTED
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Gate as TheirGate
from qiskit.circuit import Parameter, ParameterVector, library
from qiskit.quantum_info import Statevector

from qtrl.errors import CircuitError, EngineError
from qtrl.quantum import (
    GATES,
    Circuit,
    Gate,
    data_reuploading,
    efficient_su2,
    fix_angles,
    from_qiskit,
    make_engine,
    to_qiskit,
)

CIRCUITS = {
    **CONVERTED,
    "fixed reuploading": fix_angles(data_reuploading(2, 2), 0),
    "no gates": Circuit(2, ()),
    "constants alone": Circuit(1, (Gate("u3", (0,), (0, 1, 2)),), constants=(0.3, -2.0, 1.0)),
    "unused at the end": Circuit(1, (Gate("ry", (0,), (0,)),), unused=(1, 2)),
}


@pytest.fixture(params=CIRCUITS)
def circuit(request):
    return CIRCUITS[request.param]


def some_angles(circuit):
    return 6 * torch.rand(1, circuit.n_angles, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 3


def ours(circuit, angles):
    return make_engine("reference").prepare(circuit).probabilities(angles)[0]


def theirs(circuit, angles):
    bound = circuit.assign_parameters(angles[0].tolist())
    return torch.tensor(Statevector(bound).probabilities(list(range(circuit.num_qubits))[::-1]))


def test_there_and_back_is_the_same_circuit(circuit):
    assert from_qiskit(to_qiskit(circuit)) == circuit


def test_probabilities_are_those_of_qiskit(circuit):
    angles = some_angles(circuit)
    assert torch.allclose(theirs(to_qiskit(circuit), angles), ours(circuit, angles), atol=1e-12)


def test_the_random_circuits_hold_every_gate_and_every_kind_of_angle():
    circuit = CIRCUITS["random 1"]
    assert {gate.name for gate in circuit.gates} == set(GATES)
    assert circuit.constants and circuit.unused
    assert len({place for gate in circuit.gates for place in gate.angles}) < sum(len(g.angles) for g in circuit.gates)


def test_qubits_keep_their_numbers():
    converted = to_qiskit(Circuit.from_gates(3, [("x", 0), ("cx", 0, 2)]))
    assert [[converted.find_bit(qubit).index for qubit in one.qubits] for one in converted.data] == [[0], [0, 2]]
    assert Statevector(converted).probabilities_dict() == {"101": 1.0}


def test_parameters_become_angles_in_the_order_of_qiskit():
    v, a = ParameterVector("v", 12), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(v[10], 0)
    circuit.rz(a, 1)
    circuit.rx(v[2], 1)
    assert from_qiskit(circuit).gates == (Gate("ry", (0,), (2,)), Gate("rz", (1,), (0,)), Gate("rx", (1,), (1,)))


def test_qiskits_own_ansatz_becomes_ours():
    assert from_qiskit(library.efficient_su2(4, reps=3, entanglement="sca")) == efficient_su2(4, 3, entanglement="sca")


def test_numbers_become_constants_and_equal_ones_share_a_place():
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(0.5, 0)
    circuit.rz(theta, 0)
    circuit.ry(1, 0)
    circuit.ry(theta.bind({theta: 0.5}), 0)
    converted = from_qiskit(circuit)
    assert converted.constants == (0.5, 1.0) and converted.n_angles == 1
    assert [gate.angles for gate in converted.gates] == [(1,), (0,), (2,), (1,)]


def test_other_names_of_gates_of_the_table_are_understood():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.append(library.U1Gate(0.3), [0])
    circuit.append(library.U3Gate(0.1, 0.2, 0.4), [0])
    circuit.u(0.5, 0.6, 0.7, 0)
    converted = from_qiskit(circuit)
    assert [gate.name for gate in converted.gates] == ["h", "p", "u3", "u3"]
    none = torch.zeros(1, 0, dtype=torch.float64)
    assert torch.allclose(ours(converted, none), theirs(circuit, none), atol=1e-12)


def test_measurements_at_the_end_and_barriers_are_left_out():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.barrier()
    circuit.cx(0, 1)
    bell = from_qiskit(circuit)
    circuit.measure_all()
    assert from_qiskit(circuit) == bell == Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])


def test_a_gate_behind_a_measurement_of_its_qubit_is_refused():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.h(1)
    assert from_qiskit(circuit).gates == (Gate("h", (1,)),)
    circuit.cx(1, 0)
    with pytest.raises(CircuitError, match=r"gate 2 \(cx on qubits \(1, 0\)\) acts on a qubit that was measured"):
        from_qiskit(circuit)


@pytest.mark.parametrize("angle", [2 * Parameter("a"), Parameter("a") + 0.1, Parameter("a") - Parameter("b")])
def test_an_expression_of_parameters_is_refused_in_one_line(angle):
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    with pytest.raises(CircuitError, match=r"gate 0 \(ry on qubits \(0,\)\) has the angle .*a.*, expected") as refused:
        from_qiskit(circuit)
    assert "\n" not in str(refused.value)


def build(add):
    circuit = QuantumCircuit(3, 1)
    add(circuit)
    return circuit


UNKNOWN = {
    "ccx": build(lambda circuit: circuit.ccx(0, 1, 2)),
    "reset": build(lambda circuit: circuit.reset(0)),
    "cx_o0": build(lambda circuit: circuit.cx(0, 1, ctrl_state=0)),
    "QFT": build(lambda circuit: circuit.append(library.QFTGate(3), [0, 1, 2])),
    "if_else": build(lambda circuit: circuit.if_test((0, 1), QuantumCircuit(3, 1), [0, 1, 2], [0])),
    "h": build(lambda circuit: circuit.append(TheirGate("h", 2, []), [0, 1])),  # not the gate of that name
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_gate_that_the_table_lacks_is_named_with_those_that_it_has(name):
    with pytest.raises(CircuitError) as refused:
        from_qiskit(UNKNOWN[name])
    message = str(refused.value)
    assert message.startswith(f"gate 0 ({name.lower() if name == 'QFT' else name} on qubits (0")
    assert "cannot be converted, expected one of rx, ry, rz" in message and "\n" not in message


def test_what_the_error_advises_helps():
    circuit = build(
        lambda circuit: (circuit.ry(1.0, 0), circuit.ccx(2, 1, 0), circuit.append(library.QFTGate(3), [0, 1, 2]))
    )
    converted = from_qiskit(transpile(circuit, basis_gates=["u", "cx"]))
    none = torch.zeros(1, 0, dtype=torch.float64)
    assert torch.allclose(ours(converted, none), theirs(circuit, none), atol=1e-10)


@pytest.mark.parametrize("device_qubits", [3, 5])
def test_qubits_that_transpile_moved_get_back_their_numbers(device_qubits):
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.ry(0.5 + qubit, qubit)
    circuit.swap(0, 2)
    circuit.cx(0, 2)
    chain = [[qubit, qubit + 1] for qubit in range(device_qubits - 1)]
    line = transpile(circuit, basis_gates=["u", "cx"], coupling_map=chain, optimization_level=2, seed_transpiler=1)
    none = torch.zeros(1, 0, dtype=torch.float64)
    read = ours(from_qiskit(line), none).view([2] * device_qubits)
    assert torch.allclose(read.view(8, -1).sum(1), theirs(circuit, none), atol=1e-10)
    assert not torch.allclose(theirs(line, none).view(8, -1).sum(1), theirs(circuit, none), atol=1e-3)


def test_a_number_that_is_not_finite_is_refused():
    circuit = QuantumCircuit(1)
    circuit.ry(math.inf, 0)
    with pytest.raises(CircuitError, match="constants .* are not all finite"):
        from_qiskit(circuit)


def test_qiskit_absent_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit", None)
    with pytest.raises(EngineError, match="pip install qiskit"):
        to_qiskit(Circuit(1, ()))


def test_a_base_point_goes_to_qiskit_and_back():
    circuit = efficient_su2(2, 1, base="plus")
    assert to_qiskit(circuit).metadata == {"base": list(circuit.base)}
    assert from_qiskit(to_qiskit(circuit)) == circuit
    assert from_qiskit(to_qiskit(efficient_su2(2, 1))).base == ()
