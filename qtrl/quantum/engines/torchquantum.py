"""The engine `torchquantum`: the library TorchQuantum, one batched kernel for each gate (package torchquantum-ng)."""

import torch
from torch import Tensor

from qtrl.quantum.checks import Capabilities, import_package
from qtrl.quantum.circuit import Circuit
from qtrl.quantum.engine import Engine, Executable
from qtrl.quantum.gates import GATES


class TorchQuantumExecutable(Executable):
    """Applies TorchQuantum's functional gates, which compute in complex64 whatever the angles' dtype.

    Its names are ours, its wire 0 is the most significant bit as well, and its matrices equal those of our gate table.
    """

    def _probabilities(self, angles: Tensor) -> Tensor:
        from torchquantum import QuantumDevice, functional

        # A fresh one for each call: a QuantumDevice is a module whose buffers hold the state of the last call.
        device = QuantumDevice(self.circuit.n_qubits, bsz=len(angles), device=angles.device)
        for gate in self.circuit.gates:
            params = angles[:, list(gate.angles)].float() if gate.angles else None  # (B, k)
            getattr(functional, gate.name)(device, wires=list(gate.qubits), params=params)
        return torch.view_as_real(device.get_states_1d()).square().sum(dim=-1)


class TorchQuantumEngine(Engine):
    """Runs circuits by TorchQuantum; on small batches most of the time goes into launching kernels gate by gate."""

    name = "torchquantum"
    capabilities = Capabilities(frozenset(GATES), max_qubits=20, differentiable=True, double_precision=False)

    def _build(self, circuit: Circuit) -> Executable:
        import_package("torchquantum", "engine 'torchquantum'", "torchquantum-ng")
        return TorchQuantumExecutable(circuit, self)
