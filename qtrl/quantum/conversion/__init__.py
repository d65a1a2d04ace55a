"""Circuits in the formats of other libraries, both ways: Qiskit's `QuantumCircuit`, TorchQuantum's encoder lists.

OpenQASM 3 is written only: Qiskit reads it.

Qubits keep their numbers. Qiskit counts bits from the other end, so for its probabilities in our order ask
`Statevector(bound).probabilities(range(n)[::-1])`.
"""

from qtrl.quantum.conversion.from_qiskit import from_qiskit
from qtrl.quantum.conversion.to_qasm3 import to_qasm3
from qtrl.quantum.conversion.to_qiskit import to_qiskit
from qtrl.quantum.conversion.torchquantum import from_torchquantum, to_torchquantum

__all__ = ["from_qiskit", "from_torchquantum", "to_qasm3", "to_qiskit", "to_torchquantum"]
