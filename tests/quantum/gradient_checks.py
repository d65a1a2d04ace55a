"""What the tests of gradients compare with."""

import torch
from torch import Tensor

from qtrl.quantum import Circuit, Executable


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_angles(circuit: Circuit, rows: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return 6 * torch.rand(rows, circuit.n_angles, generator=seeded(1), dtype=dtype) - 3


def weights(executable: Executable, rows: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """The derivative of some number in the expectations."""
    return torch.randn(rows, executable.circuit.n_qubits, generator=seeded(2), dtype=dtype)


def autograd(executable: Executable, angles: Tensor, grad_out: Tensor) -> Tensor:
    leaf = angles.clone().requires_grad_()
    executable.expectations(leaf).backward(grad_out)
    return leaf.grad
