"""qtrl's own engines, for the peers' benchmark."""

from collections.abc import Sequence

import numpy as np
import torch

from libraries.base import Library, torch_gradient
from qtrl.quantum import ENGINES, Circuit, make_engine

LEFT_OUT = {"auto", "reference", "torchquantum"}
"""The one that is another of them, the one that is slow on purpose, the one that is TorchQuantum."""
KERNEL = "qtrl numba, kernel alone"


def engines(circuit: Circuit, weights: Sequence[float]) -> list[Library]:
    """Return every engine that computes on a CPU, through its public call."""
    names = [name for name, engine in ENGINES.items() if "cpu" in engine.capabilities.devices]
    return [_engine(name, circuit, weights) for name in names if name not in LEFT_OUT]


def _engine(name: str, circuit: Circuit, weights: Sequence[float]) -> Library:
    executable = make_engine(name).prepare(circuit)
    expectations = executable.expectations
    gradient = torch_gradient(expectations, weights) if executable.capabilities.differentiable else None
    how = "float32 tensors in and out, autograd through the public call"
    return Library(f"qtrl {name}", how, ("torch",), torch.tensor, executable.probabilities, expectations, gradient)


def kernel(circuit: Circuit, weights: Sequence[float]) -> Library:
    """The compiled kernel of engine `numba` alone: arrays of NumPy that are there already, the same threads."""
    from qtrl.quantum.engines.cpu import kernel, threads

    executable = make_engine("numba").prepare(circuit)
    program, rows_per_part = executable._program, executable._rows_per_part
    no_floats, no_draws, no_samples = np.empty((0, 0), np.float32), np.empty((0, 0)), np.empty((0, 0), np.int64)

    def expectations(angles: np.ndarray) -> np.ndarray:
        out = np.empty((len(angles), circuit.n_qubits), np.float32)

        def work(part: slice) -> None:
            kernel.run(program, angles[part], no_floats, out[part], no_draws, no_samples, no_floats)

        threads.in_parts(work, len(angles), rows_per_part)
        return out

    def gradient(angles: np.ndarray) -> np.ndarray:
        values = np.tile(np.float32(weights), (len(angles), 1))
        out = np.zeros(angles.shape)

        def work(part: slice) -> None:
            kernel.gradient(program, angles[part], True, values[part], out[part])

        threads.in_parts(work, len(angles), rows_per_part)
        return out

    how = "the numba kernel without what lies around it: checks, tensors, autograd"
    return Library(KERNEL, how, ("numba",), np.float64, None, expectations, gradient)
