"""The engine `reference`: one full matrix for each gate, in double precision, sample by sample."""

import torch
from torch import Tensor

from qtrl.quantum.checks import Capabilities
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.gates import GATES


def embed(matrix: Tensor, qubits: tuple[int, ...], n_qubits: int) -> Tensor:
    """Extend a gate's matrix (d, d) to the full space (2**n, 2**n)."""
    others = [qubit for qubit in range(n_qubits) if qubit not in qubits]
    identity = torch.eye(2 ** len(others), dtype=matrix.dtype, device=matrix.device)
    ordered = torch.kron(matrix, identity).reshape([2] * (2 * n_qubits))  # acts on the order `qubits`, then `others`
    rows = [[*qubits, *others].index(qubit) for qubit in range(n_qubits)]
    return ordered.permute(*rows, *(n_qubits + row for row in rows)).reshape(2**n_qubits, 2**n_qubits)


class ReferenceExecutable(Executable):
    """Multiplies the full matrices of all gates into the state."""

    def _probabilities(self, angles: Tensor) -> Tensor:
        states = torch.stack([self._state(row) for row in angles.double()])
        return torch.view_as_real(states).square().sum(dim=-1)

    def _state(self, angles: Tensor) -> Tensor:
        state = torch.zeros(2**self.circuit.n_qubits, dtype=torch.complex128, device=angles.device)
        state[0] = 1
        for gate in self.circuit.gates:
            matrix = GATES[gate.name].matrix(angles[list(gate.angles)])
            state = embed(matrix, gate.qubits, self.circuit.n_qubits) @ state
        return state


class ReferenceEngine(Engine):
    """Slow but simple, for tests to compare with: time and memory of each gate grow as 4**n."""

    name = "reference"
    capabilities = Capabilities(frozenset(GATES), max_qubits=12, differentiable=True, double_precision=True)

    def _build(self, circuit: Circuit) -> Executable:
        return ReferenceExecutable(circuit, self)
