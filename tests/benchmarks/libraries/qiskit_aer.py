"""Qiskit Aer."""

from collections.abc import Sequence

import numpy as np
import torch

from libraries.base import Library, bits_matrix
from qtrl.quantum import Circuit, to_qiskit


def qiskit_aer(circuit: Circuit, weights: Sequence[float]) -> Library:
    """Qiskit Aer: all samples as parameter binds of one job."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    threads, bits = torch.get_num_threads(), bits_matrix(circuit.n_qubits).numpy()
    parallel = {"max_parallel_threads": threads, "max_parallel_experiments": threads}
    simulator = AerSimulator(method="statevector", precision="single", **parallel)
    written = to_qiskit(circuit)
    written.save_probabilities(range(circuit.n_qubits)[::-1])  # our order of bits
    ready = transpile(written, simulator, optimization_level=0)

    def probabilities(angles: np.ndarray) -> np.ndarray:
        binds = dict(zip(ready.parameters, angles.T.tolist(), strict=True))
        result = simulator.run(ready, parameter_binds=[binds], shots=1).result()
        return np.stack([result.data(row)["probabilities"] for row in range(len(angles))])

    def expectations(angles: np.ndarray) -> np.ndarray:
        return probabilities(angles) @ bits

    how = "C++, complex64, one job of parameter binds, no gradient but parameter shift"
    return Library("Qiskit Aer", how, ("qiskit", "qiskit-aer"), np.asarray, probabilities, expectations)
