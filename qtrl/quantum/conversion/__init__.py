"""Circuits in the formats of other libraries, both ways."""

from qtrl.quantum.conversion.qiskit import from_qiskit, to_qiskit
from qtrl.quantum.conversion.torchquantum import from_torchquantum, to_torchquantum

__all__ = ["from_qiskit", "from_torchquantum", "to_qiskit", "to_torchquantum"]
