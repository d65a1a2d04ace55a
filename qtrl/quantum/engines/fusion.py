"""Turns a circuit into few, large steps: the compile stage of the engine `statevector`.

Consecutive gates of one qubit become one *column*: a 2x2 matrix for each qubit, to be joined into one matrix for each
*group* of neighbouring qubits. Consecutive `cx` and `swap` become one permutation of the basis states, consecutive
`cz`, `crz` and `rzz` one vector of phases. Any other gate is a step of its own.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from qtrl.quantum.circuit import Circuit, Gate
from qtrl.quantum.engine import bits_of
from qtrl.quantum.engines.steps import Flip, Phase, steps_of

MAX_GROUP = 5  # most qubits in a group: a 32x32 matrix is quick to multiply with and still quick to make
MAX_PHASED = 14  # most qubits at which phases are joined: their weights take 2**n numbers for each angle


class Column(NamedTuple):
    """Gates of one qubit that act together."""

    gates: tuple[tuple[Gate, ...], ...]  # for each qubit, in the order in which they act
    position: int  # among the columns of the circuit
    active: tuple[int, ...]  # groups of which at least one qubit has a gate


class Permutation(NamedTuple):
    """A relabelling of basis states: new amplitude i is old amplitude `sources[i]`, sources (2**n)."""

    sources: Tensor


class Phases(NamedTuple):
    """Phases of basis states: basis state x is multiplied by exp(i (offsets[x] + angles @ weights[:, x]))."""

    angles: Tensor  # (K) their places in the angle vector
    weights: Tensor  # (K, 2**n) in double precision
    offsets: Tensor  # (2**n) in double precision


class Single(NamedTuple):
    """A gate that acts by itself; `angles` (k) are their places in the angle vector."""

    name: str
    qubits: tuple[int, ...]
    angles: Tensor


Step = Column | Permutation | Phases | Single


class Family(NamedTuple):
    """All gates of one name at one depth: K gates of k angles, `angles` (K * k) their places in the angle vector."""

    name: str
    n_gates: int
    angles: Tensor


class Depth(NamedTuple):
    """The d-th gates of every qubit of every column, by name.

    For each qubit of each group of each column, `slots` has the place of its matrix in the families joined and followed
    by the identity; None where that would be 0, 1, 2, ...
    """

    families: tuple[Family, ...]
    slots: Tensor | None


class Plan(NamedTuple):
    """What the engine executes."""

    groups: tuple[tuple[int, int], ...]  # first qubit and number of qubits of each
    width: int  # qubits in the widest group; narrower ones are padded in front
    n_columns: int
    depths: tuple[Depth, ...]  # what the 2x2 matrices of all columns are made of, in the order in which they multiply
    steps: tuple[Step, ...]  # what acts on the state, in order


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


_KINDS = {"cx": "permutation", "swap": "permutation", "cz": "phases", "crz": "phases", "rzz": "phases"}


def _kind(gate: Gate) -> str:
    return "column" if len(gate.qubits) == 1 else _KINDS.get(gate.name, "single")


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
    for flip in (step for gate in gates for step in steps_of(gate, n_qubits) if isinstance(step, Flip)):  # all of them
        sources = sources[basis ^ (((basis >> flip.control) & 1) << flip.target)]
    return sources


def _phases(gates: Iterable[Gate], n_qubits: int, device: torch.device) -> Phases:
    lowered = [step for gate in gates for step in steps_of(gate, n_qubits) if isinstance(step, Phase)]  # all of them
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


def _depth(
    columns: list[Column], depth: int, groups: tuple[tuple[int, int], ...], width: int, device: torch.device
) -> Depth:
    placed: list[Gate | None] = []
    for column in columns:
        for low, size in groups:
            placed += [None] * (width - size)
            placed += [gates[depth] if depth < len(gates) else None for gates in column.gates[low : low + size]]
    ordered = sorted([(slot, gate) for slot, gate in enumerate(placed) if gate], key=lambda member: member[1].name)
    families = []
    for name, run in groupby(ordered, lambda member: member[1].name):
        members = [gate for _, gate in run]
        angles = [index for gate in members for index in gate.angles]
        families.append(Family(name, len(members), torch.tensor(angles, dtype=torch.long, device=device)))
    slots = [len(ordered)] * len(placed)  # the identity, where no gate says otherwise
    for place, (slot, _) in enumerate(ordered):
        slots[slot] = place
    in_order = slots == list(range(len(ordered)))
    return Depth(tuple(families), None if in_order else torch.tensor(slots, dtype=torch.long, device=device))
