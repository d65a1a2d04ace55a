"""qulacs."""

from collections.abc import Sequence

import numpy as np

from libraries.base import Library, bits_matrix
from qtrl.quantum import Circuit


class _Simulator:
    """One circuit, whose angles are set anew for each sample. Its rotations turn the other way round than ours."""

    def __init__(self, circuit: Circuit, weights: Sequence[float]) -> None:
        from qulacs import Observable, ParametricQuantumCircuit, QuantumState

        last, self.bits = circuit.n_qubits - 1, bits_matrix(circuit.n_qubits).numpy()
        self.circuit = ParametricQuantumCircuit(circuit.n_qubits)
        self.state, self.loss = QuantumState(circuit.n_qubits), Observable(circuit.n_qubits)
        for gate in circuit.gates:
            wires = [last - qubit for qubit in gate.qubits]
            if gate.name == "cx":
                self.circuit.add_CNOT_gate(*wires)
            else:
                getattr(self.circuit, f"add_parametric_{gate.name.upper()}_gate")(*wires, 0.0)
        for qubit, weight in enumerate(weights):
            self.loss.add_operator(-weight / 2, f"Z {last - qubit}")

    def probabilities(self, angles: np.ndarray) -> np.ndarray:
        return np.stack([self._probabilities_of(row) for row in angles])

    def expectations(self, angles: np.ndarray) -> np.ndarray:
        return self.probabilities(angles) @ self.bits

    def gradient(self, angles: np.ndarray) -> np.ndarray:
        return np.array([self._gradient_of(row) for row in angles])

    def _set_angles(self, row: np.ndarray) -> None:
        for place, angle in enumerate(row.tolist()):
            self.circuit.set_parameter(place, -angle)

    def _probabilities_of(self, row: np.ndarray) -> np.ndarray:
        self._set_angles(row)
        self.state.set_zero_state()
        self.circuit.update_quantum_state(self.state)
        vector = self.state.get_vector()
        return vector.real**2 + vector.imag**2

    def _gradient_of(self, row: np.ndarray) -> list[float]:
        self._set_angles(row)
        return [-entry for entry in self.circuit.backprop(self.loss)]


def qulacs(circuit: Circuit, weights: Sequence[float]) -> Library:
    """Run qulacs: C++, one sample after the other, its own backpropagation."""
    simulator, how = _Simulator(circuit, weights), "C++, complex128 (it has no other), a loop over samples, backprop"
    calls = simulator.probabilities, simulator.expectations, simulator.gradient
    return Library("qulacs", how, ("qulacs",), np.asarray, *calls)
