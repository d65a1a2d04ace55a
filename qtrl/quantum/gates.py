"""The gate table: every gate that circuits may use, with its matrix as a function of its angles.

Conventions are Qiskit 2's, but for the order of qubits: here the first qubit that a gate lists (the control of a
controlled gate) is the most significant bit of its matrix. Angles are in radians.

Shapes: `...` any batch, `k` angles of the gate, `d` = 2 to the number of its qubits.
"""

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

MatrixOf = Callable[[Tensor], Tensor]
Rows = Sequence[Sequence[complex]]


@dataclass(frozen=True)
class GateSpec:
    """One gate of the table.

    `matrix` maps angles (..., k) to unitary matrices (..., d, d), complex64 for float32 angles and complex128 for
    float64 angles, on the angles' device and differentiable in them.
    """

    n_qubits: int
    n_angles: int
    matrix: MatrixOf


def _constant(rows: Rows, angles: Tensor) -> Tensor:
    """Build a matrix on the device of the angles by filling it, since a copy from the host would synchronize it."""
    matrix = angles.new_zeros(len(rows), len(rows), dtype=angles.dtype.to_complex())
    for row, entries in enumerate(rows):
        for column, entry in enumerate(entries):
            if entry:
                matrix[row, column].fill_(entry)
    return matrix


def _fixed(*rows: Sequence[complex]) -> MatrixOf:
    def matrix(angles: Tensor) -> Tensor:
        constant = _constant(rows, angles)
        return constant.expand(*angles.shape[:-1], *constant.shape)

    return matrix


def _rotation(word: str) -> MatrixOf:
    """Return exp(-i angle/2 P) = cos(angle/2) I - i sin(angle/2) P, P the Kronecker product of the word's Paulis."""
    pauli: Rows = [[1]]
    for letter in word:
        pauli = [[a * b for a in upper for b in lower] for upper in pauli for lower in _PAULIS[letter]]

    def matrix(angles: Tensor) -> Tensor:
        half = angles[..., 0, None, None] / 2
        identity = torch.eye(len(pauli), dtype=half.dtype, device=half.device)
        return torch.cos(half) * identity + torch.sin(half) * (-1j * _constant(pauli, angles))

    return matrix


def _controlled(target: MatrixOf) -> MatrixOf:
    def matrix(angles: Tensor) -> Tensor:
        block = target(angles)
        identity = torch.eye(2, dtype=block.dtype, device=block.device).expand_as(block)
        return F.pad(identity, (0, 2, 0, 2)) + F.pad(block, (2, 0, 2, 0))

    return matrix


def _phase(angles: Tensor) -> Tensor:
    phase = torch.exp(1j * angles[..., 0])
    return torch.diag_embed(torch.stack([torch.ones_like(phase), phase], dim=-1))


def _u3(angles: Tensor) -> Tensor:
    theta, phi, lam = angles.unbind(-1)
    cos, sin = torch.cos(theta / 2), torch.sin(theta / 2)
    entries = [cos + 0j, -torch.exp(1j * lam) * sin, torch.exp(1j * phi) * sin, torch.exp(1j * (phi + lam)) * cos]
    return torch.stack(entries, dim=-1).unflatten(-1, (2, 2))


_PAULIS: Mapping[str, Rows] = {"x": ((0, 1), (1, 0)), "y": ((0, -1j), (1j, 0)), "z": ((1, 0), (0, -1))}
_R = math.sqrt(0.5)
_T = cmath.exp(1j * math.pi / 4)

GATES: Mapping[str, GateSpec] = MappingProxyType(
    {
        "rx": GateSpec(1, 1, _rotation("x")),
        "ry": GateSpec(1, 1, _rotation("y")),
        "rz": GateSpec(1, 1, _rotation("z")),
        "p": GateSpec(1, 1, _phase),
        "u3": GateSpec(1, 3, _u3),
        "h": GateSpec(1, 0, _fixed((_R, _R), (_R, -_R))),
        "x": GateSpec(1, 0, _fixed(*_PAULIS["x"])),
        "y": GateSpec(1, 0, _fixed(*_PAULIS["y"])),
        "z": GateSpec(1, 0, _fixed(*_PAULIS["z"])),
        "s": GateSpec(1, 0, _fixed((1, 0), (0, 1j))),
        "sdg": GateSpec(1, 0, _fixed((1, 0), (0, -1j))),
        "t": GateSpec(1, 0, _fixed((1, 0), (0, _T))),
        "tdg": GateSpec(1, 0, _fixed((1, 0), (0, _T.conjugate()))),
        "cx": GateSpec(2, 0, _controlled(_fixed(*_PAULIS["x"]))),
        "cy": GateSpec(2, 0, _controlled(_fixed(*_PAULIS["y"]))),
        "cz": GateSpec(2, 0, _controlled(_fixed(*_PAULIS["z"]))),
        "swap": GateSpec(2, 0, _fixed((1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1))),
        "crx": GateSpec(2, 1, _controlled(_rotation("x"))),
        "cry": GateSpec(2, 1, _controlled(_rotation("y"))),
        "crz": GateSpec(2, 1, _controlled(_rotation("z"))),
        "rxx": GateSpec(2, 1, _rotation("xx")),
        "ryy": GateSpec(2, 1, _rotation("yy")),
        "rzz": GateSpec(2, 1, _rotation("zz")),
    }
)
"""Name to gate. Every engine states which of these it can run."""
