"""Turns a circuit into few, large steps: the compile stage of the engine `statevector`.

Consecutive gates of one qubit become one *column*: a 2x2 matrix for each qubit, to be joined into one matrix for each
*group* of neighbouring qubits. Consecutive `cx` and `swap` become one permutation of the basis states, consecutive
`cz`, `crz` and `rzz` one vector of phases. Any other gate is a step of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from torch import Tensor

from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.engine import bits_of
from qtrl.quantum.engines.lowering import LOWERED, Affine, Phase

MAX_GROUP = 5
"""Most qubits in a group: a 32x32 matrix is quick to multiply with and still quick to make."""

MAX_PHASED = 14
"""Most qubits at which phases are joined: their weights take 2**n numbers for each angle."""


@dataclass(frozen=True)
class Column:
    """Gates of one qubit that act together.

    Attributes:
        gates: For each qubit, its gates in the order in which they act.
        index: Position among the columns of the circuit.
        active: Groups of which at least one qubit has a gate.
    """

    gates: tuple[tuple[Gate, ...], ...]
    index: int
    active: tuple[int, ...]


@dataclass(frozen=True)
class Permutation:
    """A relabelling of basis states: new amplitude i is old amplitude `sources[i]`, sources (2**n)."""

    sources: Tensor


@dataclass(frozen=True)
class Phases:
    """Phases of basis states: basis state x is multiplied by exp(i (offsets[x] + angles @ weights[:, x])).

    Attributes:
        angles: (K) places of the angles in the angle vector.
        weights: (K, 2**n) in double precision.
        offsets: (2**n) in double precision.
    """

    angles: Tensor
    weights: Tensor
    offsets: Tensor


@dataclass(frozen=True)
class Single:
    """A gate that acts by itself; `angles` (k) are their places in the angle vector."""

    name: str
    qubits: tuple[int, ...]
    angles: Tensor


Step = Column | Permutation | Phases | Single


@dataclass(frozen=True)
class Family:
    """All gates of one name at one depth: K gates of k angles, `angles` (K * k) their places in the angle vector."""

    name: str
    count: int
    angles: Tensor


@dataclass(frozen=True)
class Depth:
    """The d-th gates of every qubit of every column.

    Attributes:
        families: The gates by name.
        slots: For each qubit of each group of each column, the place of its matrix in the families joined and
            followed by the identity; None where that would be 0, 1, 2, ...
    """

    families: tuple[Family, ...]
    slots: Tensor | None


@dataclass(frozen=True)
class Plan:
    """What the engine executes.

    Attributes:
        groups: First qubit and number of qubits of each group.
        width: Qubits in the widest group; narrower ones are padded in front.
        n_columns: Number of columns.
        depths: What the 2x2 matrices of all columns are made of, in the order in which they multiply.
        steps: What acts on the state, in order.
    """

    groups: tuple[tuple[int, int], ...]
    width: int
    n_columns: int
    depths: tuple[Depth, ...]
    steps: tuple[Step, ...]


def make_plan(circuit: Circuit, device: torch.device) -> Plan:
    """Compile a circuit, with index tensors on `device`."""
    groups = _split(circuit.n_qubits)
    width = max(size for _, size in groups)
    steps = tuple(_steps(circuit, groups, device))
    columns = [step for step in steps if isinstance(step, Column)]
    n_depths = max((len(gates) for column in columns for gates in column.gates), default=0)
    depths = tuple(_depth(columns, depth, groups, width, device) for depth in range(n_depths))
    return Plan(groups, width, len(columns), depths, steps)


def _split(n_qubits: int) -> tuple[tuple[int, int], ...]:
    n_groups = -(-n_qubits // MAX_GROUP)
    bounds = [-(-n_qubits * group // n_groups) for group in range(n_groups + 1)]
    return tuple((low, high - low) for low, high in pairwise(bounds))


def _kind(gate: Gate) -> str:
    if len(gate.qubits) == 1:
        return "column"
    return {"cx": "permutation", "swap": "permutation", "cz": "phases", "crz": "phases", "rzz": "phases"}.get(
        gate.name, "single"
    )


def _steps(circuit: Circuit, groups: tuple[tuple[int, int], ...], device: torch.device) -> Iterator[Step]:
    n_columns = 0
    for kind, run in groupby(circuit.gates, _kind):
        if kind == "column":
            by_qubit: list[list[Gate]] = [[] for _ in range(circuit.n_qubits)]
            for gate in run:
                by_qubit[gate.qubits[0]].append(gate)
            active = tuple(g for g, (low, size) in enumerate(groups) if any(by_qubit[low : low + size]))
            yield Column(tuple(map(tuple, by_qubit)), n_columns, active)
            n_columns += 1
        elif kind == "permutation":
            yield Permutation(_sources(run, circuit.n_qubits).to(device))
        elif kind == "phases" and circuit.n_qubits <= MAX_PHASED:
            yield _phases(run, circuit.n_qubits, device)
        else:
            for gate in run:
                yield Single(gate.name, gate.qubits, torch.tensor(gate.angles, dtype=torch.long, device=device))


def _sources(gates: Iterable[Gate], n_qubits: int) -> Tensor:
    basis = torch.arange(2**n_qubits)
    sources = basis
    for gate in gates:
        a, b = (n_qubits - 1 - qubit for qubit in gate.qubits)
        flips = [(a, b)] if gate.name == "cx" else [(a, b), (b, a), (a, b)]
        for control, target in flips:
            sources = sources[basis ^ (((basis >> control) & 1) << target)]
    return sources


def _phases(gates: Iterable[Gate], n_qubits: int, device: torch.device) -> Phases:
    lowered = [step for gate in gates for step in _lowered(gate, n_qubits)]
    angles = sorted({place for step in lowered for place, _ in step.angle.terms})
    offsets = torch.zeros(2**n_qubits, dtype=torch.float64)
    weights = torch.zeros(len(angles), 2**n_qubits, dtype=torch.float64)
    basis = torch.arange(2**n_qubits)
    for step in lowered:
        parities = bits_of(basis & step.mask, n_qubits).sum(dim=1) % 2
        halves = parities.double() - 0.5  # exp(-i angle/2) where the parity is even
        offsets += step.angle.offset * halves
        for place, factor in step.angle.terms:
            weights[angles.index(place)] += factor * halves
    return Phases(torch.tensor(angles, dtype=torch.long, device=device), weights.to(device), offsets.to(device))


def _lowered(gate: Gate, n_qubits: int) -> list[Phase]:
    bits = (n_qubits - 1 - qubit for qubit in gate.qubits)
    steps = LOWERED[gate.name](*bits, *(Affine(0.0, ((place, 1.0),)) for place in gate.angles))
    return [step for step in steps if isinstance(step, Phase)]  # all of them, for the gates that come here


def _depth(
    columns: list[Column], depth: int, groups: tuple[tuple[int, int], ...], width: int, device: torch.device
) -> Depth:
    placed = _placed(columns, depth, groups, width)
    names = sorted({gate.name for gate in placed if gate})
    ordered = [(slot, gate) for name in names for slot, gate in enumerate(placed) if gate and gate.name == name]
    families = []
    for name in names:
        members = [gate for _, gate in ordered if gate.name == name]
        angles = [index for gate in members for index in gate.angles]
        families.append(Family(name, len(members), torch.tensor(angles, dtype=torch.long, device=device)))
    slots = [len(ordered)] * len(placed)  # the identity, where no gate says otherwise
    for place, (slot, _) in enumerate(ordered):
        slots[slot] = place
    in_order = slots == list(range(len(ordered)))
    return Depth(tuple(families), None if in_order else torch.tensor(slots, dtype=torch.long, device=device))


def _placed(columns: list[Column], depth: int, groups: tuple[tuple[int, int], ...], width: int) -> list[Gate | None]:
    placed: list[Gate | None] = []
    for column in columns:
        for low, size in groups:
            placed += [None] * (width - size)
            placed += [gates[depth] if depth < len(gates) else None for gates in column.gates[low : low + size]]
    return placed
