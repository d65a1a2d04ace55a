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


@pytest.mark.parametrize("method", ["u", "r"])
def test_the_order_is_that_in_which_gates_are_written_whatever_they_become(method, recwarn):
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    getattr(circuit, method)(*((a + b, b, 0.3) if method == "u" else (a, b)), 0)
    from_qiskit(circuit)
    assert not recwarn.list


@pytest.mark.parametrize(("controls", "multiple"), [(1, 2), (2, 4)])
def test_the_advice_for_the_halves_of_a_controlled_gate_leads_to_the_same_probabilities(controls, multiple):
    t, x = Parameter("t"), Parameter("x")
    gate = library.CPhaseGate(t) if controls == 1 else library.RYGate(t).control(2, annotated=False)
    circuit = QuantumCircuit(controls + 1)
    circuit.h(range(controls + 1))
    circuit.append(gate, range(controls + 1))
    circuit.h(range(controls + 1))
    with pytest.raises(CircuitError, match=rf"circuit.assign_parameters\({{p: {multiple} \* x, ...}}\)"):
        from_qiskit(circuit)
    whole = circuit.assign_parameters({t: multiple * x})
    angles = torch.tensor([[0.4]], dtype=torch.float64)
    assert torch.allclose(theirs(whole, angles), ours(from_qiskit(whole), angles), atol=1e-12)


def test_parameters_become_angles_in_the_order_of_qiskit():
    v, a = ParameterVector("v", 12), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(v[10], 0)
    circuit.rz(a, 1)
    circuit.rx(v[2], 1)
    with pytest.warns(UserWarning, match="'a' comes before 'v'"):
        gates = from_qiskit(circuit).gates
    assert gates == (Gate("ry", (0,), (2,)), Gate("rz", (1,), (0,)), Gate("rx", (1,), (1,)))


@pytest.mark.parametrize("names", [["t1", "t2", "t10"], ["theta", "x", "phi"]])
def test_names_in_another_order_than_the_circuit_reads_them_are_warned_of(names):
    circuit = QuantumCircuit(1)
    for name in names:
        circuit.ry(Parameter(name), 0)
    with pytest.warns(UserWarning, match=r"sorts parameters by name.*circuit\.parameters") as warned:
        from_qiskit(circuit)
    assert warned[0].filename == __file__


def test_names_in_order_and_vectors_of_any_order_bring_no_warning():
    v, circuit = ParameterVector("v", 12), QuantumCircuit(1)
    for parameter in (Parameter("a1"), Parameter("a2"), v[10], v[2], Parameter("z")):
        circuit.ry(parameter, 0)
    assert from_qiskit(circuit).n_angles == 5


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


A, B, V = Parameter("a"), Parameter("b"), ParameterVector("v", 2)
SUMS = [2 * A, A + 0.1, A - B, -A, -3 * B + A - 2, B - B + 0.2, (A + 0.3) * 2 - B, V[1] - 2 * V[0]]
GATES_OF_ANGLES = [name for name, spec in GATES.items() if spec.n_angles]


@pytest.mark.parametrize("angle", SUMS, ids=str)
def test_a_sum_of_parameters_and_numbers_becomes_gates_that_do_the_same(angle):
    circuit = QuantumCircuit(2)
    for name in GATES_OF_ANGLES:
        for qubit in range(2):
            circuit.h(qubit), circuit.ry(0.4 + qubit, qubit)
        values = [angle, -angle, 0.7] if name == "u3" else [angle]
        getattr(circuit, "u" if name == "u3" else name)(*values, *range(GATES[name].n_qubits))
    angles = some_angles(from_qiskit(circuit))
    assert torch.allclose(ours(from_qiskit(circuit), angles), theirs(circuit, angles), atol=1e-12)


@pytest.mark.parametrize("angle", [A / 2, A * B, A.sin(), 101 * A, 1 / A, A**2, abs(A)], ids=str)
def test_an_angle_that_is_no_such_sum_is_refused_in_one_line(angle):
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    with pytest.raises(CircuitError, match=r"gate 0 \(ry on qubits \(0,\)\) has the angle .*a.*, expected") as refused:
        from_qiskit(circuit)
    assert "\n" not in str(refused.value)


def test_what_the_error_of_an_angle_advises_helps():
    circuit, half = QuantumCircuit(2), Parameter("half")
    circuit.cp(A, 0, 1)
    with pytest.raises(CircuitError, match=r"put 2 \* x in the place of each parameter"):
        from_qiskit(circuit)
    circuit = QuantumCircuit(2)
    circuit.h(0), circuit.h(1), circuit.cp(2 * half, 0, 1), circuit.h(1)
    angles = some_angles(from_qiskit(circuit))
    assert torch.allclose(ours(from_qiskit(circuit), angles), theirs(circuit, angles), atol=1e-12)


def build(add):
    circuit = QuantumCircuit(3, 1)
    add(circuit)
    return circuit


OTHER_GATES = {
    "sx": build(lambda circuit: circuit.sx(0)),
    "sxdg": build(lambda circuit: circuit.sxdg(0)),
    "ecr": build(lambda circuit: circuit.ecr(2, 0)),
    "id": build(lambda circuit: circuit.id(1)),
    "delay": build(lambda circuit: circuit.delay(100, 1)),
    "global_phase": build(lambda circuit: circuit.append(library.GlobalPhaseGate(0.3), [])),
    "iswap": build(lambda circuit: circuit.iswap(0, 2)),
    "csx": build(lambda circuit: circuit.csx(1, 2)),
    "cp": build(lambda circuit: circuit.cp(0.4, 1, 2)),
    "ccx": build(lambda circuit: circuit.ccx(0, 1, 2)),
    "cx_o0": build(lambda circuit: circuit.cx(0, 1, ctrl_state=0)),
    "QFT": build(lambda circuit: circuit.append(library.QFTGate(3), [2, 0, 1])),
    "unitary": build(lambda circuit: circuit.unitary(library.XGate().to_matrix() * 1j, [0])),
    "state": build(lambda circuit: circuit.prepare_state([0.6, 0.8j], 0)),
}


@pytest.mark.parametrize("name", OTHER_GATES)
def test_a_gate_that_the_table_lacks_is_read_as_qiskit_defines_it(name):
    circuit = QuantumCircuit(3, 1)
    for qubit in range(3):
        circuit.u(0.3 + qubit, 0.2, -0.9 * qubit, qubit)
    circuit = circuit.compose(OTHER_GATES[name])
    for qubit in range(3):
        circuit.h(qubit)
    if name == "state":  # is for a qubit at 0
        circuit = OTHER_GATES[name]
    none = torch.zeros(1, 0, dtype=torch.float64)
    assert torch.allclose(ours(from_qiskit(circuit), none), theirs(circuit, none), atol=1e-10)


UNKNOWN = {
    "if_else": build(lambda circuit: circuit.if_test((0, 1), QuantumCircuit(3, 1), [0, 1, 2], [0])),
    "h": build(lambda circuit: circuit.append(TheirGate("h", 2, []), [0, 1])),  # not the gate of that name
    "annotated": build(lambda circuit: circuit.append(library.HGate().control(2, annotated=True), [0, 1, 2])),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_gate_or_has_no_definition_is_named(name):
    with pytest.raises(CircuitError, match=r"^gate 0 \(.* on qubits \(0, 1.*\)\) cannot be converted") as refused:
        from_qiskit(UNKNOWN[name])
    assert "\n" not in str(refused.value)


def test_what_the_error_advises_helps():
    none = torch.zeros(1, 0, dtype=torch.float64)
    converted = from_qiskit(transpile(UNKNOWN["annotated"], basis_gates=["u", "cx"]))
    assert torch.allclose(ours(converted, none), theirs(UNKNOWN["annotated"], none), atol=1e-10)


def test_a_reset_before_all_gates_is_left_out_and_any_other_refused():
    circuit = QuantumCircuit(2)
    circuit.reset(0)
    circuit.h(1)
    assert from_qiskit(circuit).gates == (Gate("h", (1,)),)
    circuit.reset(0)
    circuit.initialize([0.6, 0.8], 0)  # resets first
    assert ours(from_qiskit(circuit), torch.zeros(1, 0, dtype=torch.float64))[2].item() == pytest.approx(0.32)
    circuit.reset(1)
    with pytest.raises(CircuitError, match=r"gate 4 \(reset on qubits \(1,\)\) comes behind gates"):
        from_qiskit(circuit)


def three_qubits(*angles):
    circuit = QuantumCircuit(3)
    for qubit, angle in enumerate(angles):
        circuit.ry(angle, qubit)
    circuit.swap(0, 2)
    circuit.cx(0, 2)
    circuit.rx(angles[1], 1)
    return circuit


def on_device(circuit, size=3, basis=("rz", "sx", "x", "cx"), **options):
    line = [[qubit, qubit + 1] for qubit in range(size - 1)] + [[qubit + 1, qubit] for qubit in range(size - 1)]
    return transpile(circuit, basis_gates=list(basis), coupling_map=line, seed_transpiler=1, **options)


DEVICES = {
    "of the same size": {"optimization_level": 2, "basis": ("u", "cx")},
    "larger": {"size": 7, "optimization_level": 2},
    "laid out": {"size": 5, "initial_layout": [4, 1, 3], "optimization_level": 1},
    "laid out by hand alone": {"size": 5, "initial_layout": [2, 4, 0], "optimization_level": 0},
    "of ECR": {"size": 5, "basis": ("rz", "sx", "x", "ecr"), "optimization_level": 3},
    "with idle gates": {"size": 5, "basis": ("id", "rz", "sx", "x", "cz"), "initial_layout": [0, 2, 4]},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("measured", [False, True])
def test_qubits_that_transpile_moved_get_back_their_numbers(device, measured):
    circuit, none = three_qubits(0.5, 1.5, 2.5), torch.zeros(1, 0, dtype=torch.float64)
    if measured:
        circuit.measure_all()
    read = ours(from_qiskit(on_device(circuit, **DEVICES[device])), none)
    circuit.remove_final_measurements()
    assert torch.allclose(read.view(8, -1).sum(1), theirs(circuit, none), atol=1e-10)


def test_angles_pass_through_a_device():
    circuit = three_qubits(*ParameterVector("x", 3))
    moved, angles = on_device(circuit, size=5, optimization_level=3), some_angles(from_qiskit(circuit))
    read = from_qiskit(moved)
    assert read.n_angles == 3 and len(read.gates) > len(moved.data)  # sums such as π + x
    assert torch.allclose(ours(read, angles).view(8, -1).sum(1), theirs(circuit, angles), atol=1e-10)


def test_qubits_that_transpile_added_are_left_out_where_they_idle():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    moved = on_device(circuit, size=9, initial_layout=[7, 6], optimization_level=1)
    moved.measure_all()
    moved.delay(100, 0)
    assert from_qiskit(moved).n_qubits == 2
    used = on_device(circuit, size=4, initial_layout=[0, 3], optimization_level=0)
    assert from_qiskit(used).n_qubits == 4  # swaps pass through the others


def test_a_circuit_for_a_device_that_lacks_a_definition_is_not_to_be_transpiled_twice():
    moved = on_device(three_qubits(0.1, 0.2, 0.3), size=5)
    moved.append(TheirGate("mystery", 1, []), [0])
    with pytest.raises(CircuitError, match="from before it was transpiled") as refused:
        from_qiskit(moved)
    assert "\n" not in str(refused.value)


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
