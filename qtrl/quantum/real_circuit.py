"""A circuit in real numbers: expectations by products of real matrices, for formats without complex numbers.

Shapes: `B` batch, `P` angles of the circuit, `n` qubits, `d` = 2 to the number of a gate's qubits.
"""

import math
from functools import cache

import torch
from torch import Tensor, nn

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.engine import bits_of
from qtrl.quantum.gates import GATES

MOST_QUBITS = 12
N_WAVES = 5


class RealCircuit(nn.Module):
    """Compute the probability of reading 1 on each qubit with real tensors alone, which ONNX has.

    A state has its real parts, then its imaginary parts. A gate's matrix is a trigonometric polynomial of its angle, so
    its real form is one linear map of 1 and of cosine and sine of the angle and of its half.

    Args:
        circuit: Of at most `MOST_QUBITS` qubits; time grows with gates and as 2**n.

    Raises:
        CircuitError: It has more.
    """

    bits: Tensor
    constants: Tensor

    def __init__(self, circuit: Circuit) -> None:
        super().__init__()
        if circuit.n_qubits > MOST_QUBITS:
            limit = f"exact expectations as real operations go up to {MOST_QUBITS}"
            raise CircuitError(f"the circuit has {circuit.n_qubits} qubits; {limit}: take the surrogate")
        self._n_qubits = circuit.n_qubits
        self._gates = [part for gate in circuit.gates for part in _of_one_angle(gate)]
        for name in dict.fromkeys(gate.name for gate in self._gates):
            self.register_buffer(f"waves_{name}", _coefficients(name), persistent=False)
        self.register_buffer("constants", torch.tensor(circuit.constants, dtype=torch.float64), persistent=False)
        bits = bits_of(torch.arange(2**circuit.n_qubits), circuit.n_qubits).double()
        self.register_buffer("bits", bits, persistent=False)

    def forward(self, angles: Tensor) -> Tensor:
        """Return probabilities (B, n) for angles (B, P), in their dtype."""
        waves = _waves(torch.cat([angles, self.constants.to(angles.dtype).expand(angles.shape[0], -1)], dim=1))
        dims = [2] * self._n_qubits
        state = angles.new_tensor([1.0] + [0.0] * (2 ** (1 + self._n_qubits) - 1)).expand(angles.shape[0], -1)
        state = state.reshape(-1, 2, *dims)
        order = list(range(self._n_qubits))  # the qubit that each axis stands for
        for gate in self._gates:
            width = 2 ** (1 + len(gate.qubits))
            others = [qubit for qubit in order if qubit not in gate.qubits]
            axes = [2 + order.index(qubit) for qubit in (*gate.qubits, *others)]
            rows = state.permute(0, 1, *axes).reshape(-1, width, 2 ** len(others))
            state = (self._matrix(gate, waves, width) @ rows).reshape(-1, 2, *dims)
            order = [*gate.qubits, *others]
        state = state.permute(0, 1, *(2 + order.index(qubit) for qubit in range(self._n_qubits)))
        probabilities = state.reshape(-1, 2, 2**self._n_qubits).square().sum(dim=1)
        return (probabilities @ self.bits.to(angles.dtype)).clamp(max=1.0)

    def _matrix(self, gate: Gate, waves: Tensor, width: int) -> Tensor:
        """Return a gate's real matrix, (B, 2d, 2d), or (2d, 2d) where it has no angle."""
        coefficients = getattr(self, f"waves_{gate.name}").to(waves.dtype)  # (5, 4d²)
        if not gate.angles:
            return coefficients[0].reshape(width, width)
        return (waves[:, gate.angles[0]] @ coefficients).reshape(-1, width, width)


def _of_one_angle(gate: Gate) -> list[Gate]:
    """Write a gate as gates of one angle at most."""
    if gate.name != "u3":
        return [gate]
    theta, phi, lam = gate.angles
    return [Gate(name, gate.qubits, (place,)) for name, place in (("p", lam), ("ry", theta), ("p", phi))]


def _waves(angles: Tensor) -> Tensor:
    """Return 1 and cosine and sine of half the angle and of the angle, (..., 5), for angles (...)."""
    half = angles / 2
    waves = [torch.ones_like(half), torch.cos(half), torch.sin(half), torch.cos(angles), torch.sin(angles)]
    return torch.stack(waves, dim=-1)


@cache
def _coefficients(name: str) -> Tensor:
    """Return what the waves of an angle are multiplied with, (5, 4d²), read off the gate table's matrix."""
    spec = GATES[name]
    points = torch.arange(N_WAVES, dtype=torch.float64) * (4 * math.pi / N_WAVES)  # over a whole period
    matrices = spec.matrix(points[:, None][:, : spec.n_angles])
    real, imaginary = matrices.real, matrices.imag
    joined = torch.cat([torch.cat([real, -imaginary], dim=2), torch.cat([imaginary, real], dim=2)], dim=1)
    if not spec.n_angles:
        return joined.flatten(1)
    solved = torch.linalg.solve(_waves(points), joined.flatten(1))
    exact = (2 * solved).round() / 2  # all gates of the table have coefficients that are multiples of a half
    return torch.where((solved - exact).abs() < 1e-12, exact, solved)
