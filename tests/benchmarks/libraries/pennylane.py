"""PennyLane, with both of its simulators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from libraries.base import Library, bits_matrix, torch_gradient
from qtrl.quantum import Circuit


def pennylane_default(circuit: Circuit, weights: Sequence[float]) -> Library:
    """PennyLane's default.qubit: parameter broadcasting, torch interface, backpropagation."""
    import pennylane

    bits = bits_matrix(circuit.n_qubits).double()
    device = pennylane.device("default.qubit", wires=circuit.n_qubits)

    @pennylane.qnode(device, interface="torch", diff_method="backprop")
    def probabilities(angles: torch.Tensor) -> Any:
        _run_pennylane(circuit, angles)
        return pennylane.probs(wires=range(circuit.n_qubits))

    def expectations(angles: torch.Tensor) -> torch.Tensor:
        return probabilities(angles) @ bits.to(angles.device)

    how = "torch, complex128 (it has no other), broadcast, backprop"
    gradient = torch_gradient(expectations, weights)
    name, packages = "PennyLane default.qubit", ("pennylane",)
    return Library(name, how, packages, torch.tensor, probabilities, expectations, gradient)


def pennylane_lightning(circuit: Circuit, weights: Sequence[float]) -> Library:
    """PennyLane's lightning.qubit: C++, one sample after the other, adjoint gradient."""
    import pennylane

    wires, bits = range(circuit.n_qubits), bits_matrix(circuit.n_qubits).numpy()
    device = pennylane.device("lightning.qubit", wires=circuit.n_qubits, c_dtype=np.complex64)
    # A probability of reading 1 is (1 - Z) / 2; the constant has no gradient.
    loss = pennylane.Hamiltonian([-weight / 2 for weight in weights], [pennylane.PauliZ(wire) for wire in wires])

    @pennylane.qnode(device, diff_method=None)
    def probabilities(row: np.ndarray) -> Any:
        _run_pennylane(circuit, row)
        return pennylane.probs(wires=wires)

    @pennylane.qnode(device, diff_method="adjoint")
    def expected_loss(row: Any) -> Any:
        _run_pennylane(circuit, row)
        return pennylane.expval(loss)

    def rows_of_probabilities(angles: np.ndarray) -> np.ndarray:
        return np.stack([probabilities(row) for row in angles])

    def expectations(angles: np.ndarray) -> np.ndarray:
        return rows_of_probabilities(angles) @ bits

    def gradient(angles: np.ndarray) -> np.ndarray:
        rows = (pennylane.numpy.array(row, requires_grad=True) for row in angles)
        return np.stack([pennylane.grad(expected_loss)(row) for row in rows])

    how = "C++, complex64, a loop over samples, adjoint"
    name, packages = "PennyLane lightning.qubit", ("pennylane-lightning",)
    return Library(name, how, packages, np.asarray, rows_of_probabilities, expectations, gradient)


def _run_pennylane(circuit: Circuit, angles: Any) -> None:
    import pennylane

    operations = {"ry": pennylane.RY, "rz": pennylane.RZ, "cx": pennylane.CNOT}
    for gate in circuit.gates:
        operations[gate.name](*(angles[..., place] for place in gate.angles), wires=gate.qubits)
