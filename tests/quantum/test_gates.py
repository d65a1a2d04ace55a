import math

import pytest
import torch
from qiskit.circuit.library import get_standard_gate_name_mapping

from qtrl.quantum import GATES

THEIRS = get_standard_gate_name_mapping()


@pytest.mark.parametrize("name", GATES)
def test_matrices_are_qiskits_with_the_qubits_reversed(name):
    spec = GATES[name]
    angles = torch.tensor([0.7, -2.1, 5.3][: spec.n_angles], dtype=torch.float64)
    matrix = spec.matrix(angles)
    gate = type(THEIRS[name])(*angles.tolist())
    assert gate.num_qubits == spec.n_qubits
    theirs = torch.tensor(gate.to_matrix(), dtype=torch.complex128)
    if spec.n_qubits == 2:
        theirs = theirs.view(2, 2, 2, 2).permute(1, 0, 3, 2).reshape(4, 4)
    assert torch.allclose(matrix, theirs, atol=1e-14)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize(
    ("dtype", "complex_dtype"), [(torch.float32, torch.complex64), (torch.float64, torch.complex128)]
)
def test_matrices_are_batched_unitary_and_follow_the_dtype(name, dtype, complex_dtype):
    spec = GATES[name]
    size = 2**spec.n_qubits
    angles = torch.linspace(-4, 4, 3 * 2 * spec.n_angles, dtype=dtype).view(3, 2, spec.n_angles)
    matrix = spec.matrix(angles)
    assert matrix.shape == (3, 2, size, size) and matrix.dtype == complex_dtype
    identity = torch.eye(size, dtype=complex_dtype).expand_as(matrix)
    assert torch.allclose(matrix @ matrix.mH, identity, atol=1e-6)
    assert torch.allclose(matrix[2, 1], spec.matrix(angles[2, 1]), atol=1e-6)


@pytest.mark.parametrize("name", [name for name, spec in GATES.items() if spec.n_angles])
def test_matrices_are_differentiable_in_the_angles(name):
    angles = torch.tensor([[0.3, -1.2, 2.5]], dtype=torch.float64)[:, : GATES[name].n_angles].clone().requires_grad_()
    assert torch.autograd.gradcheck(GATES[name].matrix, (angles,))


def test_a_rotation_by_pi_about_y_takes_0_to_1():
    column = GATES["ry"].matrix(torch.tensor([math.pi]))[:, 0]
    assert torch.allclose(column, torch.tensor([0, 1], dtype=torch.complex64), atol=1e-6)


def test_the_first_qubit_of_a_controlled_gate_is_the_control():
    target = torch.tensor([[0, 0, 1, 0]], dtype=torch.complex64)  # |10>
    assert torch.equal(target @ GATES["cx"].matrix(torch.zeros(0)).mT, torch.tensor([[0, 0, 0, 1]]).to(target))
