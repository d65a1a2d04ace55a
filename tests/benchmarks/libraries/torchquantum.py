"""TorchQuantum."""

from collections.abc import Sequence

import torch

from libraries.base import Library, bits_matrix, torch_gradient
from qtrl.quantum import Circuit


def torchquantum(circuit: Circuit, weights: Sequence[float]) -> Library:
    """TorchQuantum: functional gates on a batch of states."""
    from torchquantum import QuantumDevice, functional

    bits = bits_matrix(circuit.n_qubits)

    def probabilities(angles: torch.Tensor) -> torch.Tensor:
        device = QuantumDevice(circuit.n_qubits, bsz=len(angles))
        for gate in circuit.gates:
            params = angles[:, list(gate.angles)] if gate.angles else None
            getattr(functional, gate.name)(device, wires=list(gate.qubits), params=params)
        return device.get_states_1d().abs().square()

    def expectations(angles: torch.Tensor) -> torch.Tensor:
        return probabilities(angles) @ bits

    how = "torch, complex64, batched, autograd"
    gradient = torch_gradient(expectations, weights)
    return Library("TorchQuantum", how, ("torchquantum-ng",), torch.tensor, probabilities, expectations, gradient)
