"""A circuit in real numbers: expectations by products of real matrices, for formats without complex numbers.

Shapes: `B` batch, `P` angles of the circuit, `n` qubits, `d` = 2 to the number of a gate's qubits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from qtrl.errors import CircuitError
from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.engine import bits_of
from qtrl.quantum.gates import GATES

MOST_QUBITS = 12
N_WAVES = 5


@dataclass(frozen=True)
class Turn:
    """Gates on the same qubits, one after the other: one product of matrices."""

    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Shuffle:
    """A permutation of the basis: where each entry comes from, and the qubits that it touches."""

    sources: Tensor
    qubits: frozenset[int]


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
        self._steps = _plan(circuit)
        self._keep("constants", torch.tensor(circuit.constants, dtype=torch.float64))
        self._keep("bits", bits_of(torch.arange(2**circuit.n_qubits), circuit.n_qubits).double())
        gates = [gate for step in self._steps if isinstance(step, Turn) for gate in step.gates]
        self._read: dict[str, list[int]] = {}  # places that gates of each name read
        for name in dict.fromkeys(gate.name for gate in gates):
            self._read[name] = places = sorted({place for gate in gates if gate.name == name for place in gate.angles})
            self._keep(f"waves_{name}", _coefficients(name))
            self._keep(f"places_{name}", torch.tensor(places, dtype=torch.long))
        for position, step in enumerate(self._steps):
            if isinstance(step, Shuffle):
                self._keep(f"sources_{position}", step.sources)

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def forward(self, angles: Tensor) -> Tensor:
        """Return probabilities (B, n) for angles (B, P), in their dtype."""
        matrices = self._matrices(torch.cat([angles, self.constants.to(angles).expand(angles.shape[0], -1)], dim=1))
        n, dims = self._n_qubits, [2] * self._n_qubits
        state = torch.ones_like(angles[:, :1]) if angles.shape[1] else angles.new_ones(angles.shape[0], 1)
        state = nn.functional.pad(state, (0, 2 ** (1 + n) - 1)).reshape(-1, 2, *dims)
        order = list(range(n))  # the qubit that each axis stands for
        for position, step in enumerate(self._steps):
            if isinstance(step, Shuffle):
                rows = _reordered(state, order, range(n)).reshape(-1, 2, 2**n)
                state = rows.index_select(2, getattr(self, f"sources_{position}")).reshape(-1, 2, *dims)
                order = list(range(n))
                continue
            qubits = step.gates[0].qubits
            front = [*qubits, *(qubit for qubit in order if qubit not in qubits)]
            rows = _reordered(state, order, front).reshape(-1, 2 ** (1 + len(qubits)), 2 ** (n - len(qubits)))
            matrix, *later = (matrices[gate.name, gate.angles[:1]] for gate in step.gates)
            for each in later:
                matrix = each @ matrix
            state, order = (matrix @ rows).reshape(-1, 2, *dims), front
        probabilities = _reordered(state, order, range(n)).reshape(-1, 2, 2**n).square().sum(dim=1)
        return (probabilities @ self.bits.to(angles)).clamp(max=1.0)

    def _matrices(self, places: Tensor) -> dict[tuple[str, tuple[int, ...]], Tensor]:
        """Return the real matrix of each gate at each of its places, (B, 2d, 2d), or (2d, 2d) where it has no angle."""
        made: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        for name, read in self._read.items():
            coefficients, width = getattr(self, f"waves_{name}").to(places), 2 ** (1 + GATES[name].n_qubits)
            if not read:
                made[name, ()] = coefficients[0].reshape(width, width)
                continue
            chosen = places.index_select(1, getattr(self, f"places_{name}"))
            several = _waves(chosen) @ coefficients  # (B, places, 4d²)
            parts = several.reshape(-1, len(read), width, width).unbind(1)
            made |= {(name, (place,)): part for place, part in zip(read, parts, strict=True)}
        return made


def _reordered(state: Tensor, order: list[int], wanted: Sequence[int]) -> Tensor:
    """Move the axes of the qubits, which stand in `order`, to the wanted order."""
    axes = [2 + order.index(qubit) for qubit in wanted]
    return state if axes == list(range(2, 2 + len(axes))) else state.permute(0, 1, *axes)


def _plan(circuit: Circuit) -> list[Turn | Shuffle]:
    """Join gates: those of one qubit in a row, and permutations in a row."""
    steps: list[Turn | Shuffle] = []
    waiting: dict[int, list[Gate]] = {}

    def turn(gates: list[Gate]) -> None:
        last = steps[-1] if steps else None
        apart = isinstance(last, Shuffle) and last.qubits.isdisjoint(gates[0].qubits)
        steps.insert(len(steps) - apart, Turn(tuple(gates)))

    for gate in (part for each in circuit.gates for part in _of_one_angle(each)):
        if len(gate.qubits) == 1:
            waiting.setdefault(gate.qubits[0], []).append(gate)
            continue
        for qubit in gate.qubits:
            if qubit in waiting:
                turn(waiting.pop(qubit))
        sources = _sources(gate, circuit.n_qubits)
        if sources is None:
            turn([gate])
        elif steps and isinstance(last := steps[-1], Shuffle):
            steps[-1] = Shuffle(last.sources[sources], last.qubits | set(gate.qubits))
        else:
            steps.append(Shuffle(sources, frozenset(gate.qubits)))
    for gates in waiting.values():
        turn(gates)
    return steps


def _sources(gate: Gate, n_qubits: int) -> Tensor | None:
    """Return from which basis state each takes its amplitude, (2**n,), where a gate permutes them; else None."""
    spec = GATES[gate.name]
    matrix = spec.matrix(torch.zeros(spec.n_angles, dtype=torch.float64))
    if spec.n_angles or not ((matrix == 0) | (matrix == 1)).all():
        return None
    basis = torch.arange(2**n_qubits)
    shifts = [n_qubits - 1 - qubit for qubit in gate.qubits]
    local = sum(((basis >> shift) & 1) << place for place, shift in enumerate(reversed(shifts)))
    moved = matrix.real.argmax(dim=1)[local]
    for place, shift in enumerate(reversed(shifts)):
        basis = (basis & ~(1 << shift)) | (((moved >> place) & 1) << shift)
    return basis


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
