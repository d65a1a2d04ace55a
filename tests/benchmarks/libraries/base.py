"""What a library must show: many samples of one circuit on a CPU, in single precision and batched where it can.

The loss whose gradient is taken is the sum over all samples of the expectations, each qubit with its weight.

Shapes: `B` batch, `P` angles, `n` qubits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from qtrl.quantum.engine import bits_of

Call = Callable[[Any], Any]


@dataclass(frozen=True)
class Library:
    """One library's way.

    Attributes:
        name: In tables and pictures.
        how: What a reader must know of it.
        packages: What it consists of, for the record of versions.
        angles: Turns a NumPy array (B, P) into the library's own kind of array; not timed.
        probabilities: Maps such an array to (B, 2**n); None where only parts of the work are timed.
        expectations: Maps it to the probability of reading 1 (B, n), through the probabilities.
        gradient: Maps it to the gradient of the loss (B, P); None where the library has none.
    """

    name: str
    how: str
    packages: tuple[str, ...]
    angles: Callable[[np.ndarray], Any]
    probabilities: Call | None
    expectations: Call
    gradient: Call | None = None


def bits_matrix(n_qubits: int) -> torch.Tensor:
    """Return (2**n, n): the bits of each basis index."""
    return bits_of(torch.arange(2**n_qubits), n_qubits).float()


def torch_gradient(expectations: Call, weights: Sequence[float]) -> Call:
    """Return the gradient by torch's autograd."""

    def gradient(angles: torch.Tensor) -> torch.Tensor:
        leaf = angles.detach().requires_grad_()
        values = expectations(leaf)
        return torch.autograd.grad((values @ values.new_tensor(weights)).sum(), leaf)[0]

    return gradient
