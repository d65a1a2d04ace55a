"""The libraries of the peers' benchmark, one file for each."""

from collections.abc import Sequence

from libraries.base import Library
from libraries.pennylane import pennylane_default, pennylane_lightning
from libraries.qiskit_aer import qiskit_aer
from libraries.qtrl_engines import KERNEL, engines, kernel
from libraries.qulacs import qulacs
from libraries.tensorcircuit import tensorcircuit
from libraries.torchquantum import torchquantum
from qtrl.quantum import Circuit

PEERS = (torchquantum, pennylane_default, pennylane_lightning, qiskit_aer, qulacs, tensorcircuit)
"""Each takes the circuit and the weights of the loss."""


def all_libraries(circuit: Circuit, weights: Sequence[float]) -> list[Library]:
    """Make all of them ready; qtrl's own come last."""
    return [*(make(circuit, weights) for make in PEERS), *engines(circuit, weights), kernel(circuit, weights)]


__all__ = ["KERNEL", "Library", "all_libraries"]
