import pytest
import torch
from all_gates import CONVERTED
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from qtrl.quantum import Circuit, Gate, efficient_su2, make_engine, to_qasm3


@pytest.mark.parametrize("circuit", CONVERTED.values(), ids=CONVERTED)
def test_qiskit_reads_the_same_circuit(circuit):
    angles = 6 * torch.rand(1, circuit.n_angles, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 3
    read = qasm3.loads(to_qasm3(circuit))
    assert (read.num_qubits, read.num_clbits) == (circuit.n_qubits, circuit.n_qubits)
    read.remove_final_measurements()
    named = {parameter.name: parameter for parameter in read.parameters}
    inputs = {f"q_in_{place}": angle for place, angle in enumerate(angles[0].tolist())}
    values = {named[name]: angle for name, angle in inputs.items() if name in named}
    probabilities = Statevector(read.assign_parameters(values)).probabilities(list(range(circuit.n_qubits))[::-1])
    ours = make_engine("reference").prepare(circuit).probabilities(angles)[0]
    assert torch.allclose(torch.tensor(probabilities), ours, atol=1e-12)


def test_every_angle_is_an_input_and_constants_are_exact():
    constant = 0.1 + 1e-17 + 2 / 3
    circuit = Circuit(1, (Gate("ry", (0,), (1,)), Gate("rz", (0,), (2,))), (constant,), unused=(0,))
    lines = to_qasm3(circuit).splitlines()
    assert [line for line in lines if line.startswith("input")] == [f"input float[64] q_in_{k};" for k in range(2)]
    assert "ry(q_in_1) q[0];" in lines and f"rz({constant!r}) q[0];" in lines


def test_the_base_point_is_a_comment():
    text = to_qasm3(efficient_su2(2, 0, base="plus"))
    assert "// base point of the angles: 1.5707963267948966, 1.5707963267948966, 0.0, 0.0" in text
    assert qasm3.loads(text).num_parameters == 4
