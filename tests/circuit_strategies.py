"""Hypothesis strategies: circuits that use the whole gate table, and angles for them."""

import math
from itertools import islice

import torch
from hypothesis import strategies as st

from qtrl.quantum import GATES, Circuit, Gate

NOTABLE = (0.0, math.pi / 2, math.pi, -math.pi, 2 * math.pi, 3 * math.pi, 1e-6, 100.0)
"""Angles at which sines, cosines or tangents are 0, 1, small or infinite, and one of many turns."""


@st.composite
def circuits(draw, n_qubits):
    """Every gate that fits, once, in any order, on any qubits; places may be shared, constant, or in any order.

    Rotations of all qubits before and after them let every gate change the probabilities.
    """
    names = draw(st.permutations([name for name, spec in GATES.items() if spec.n_qubits <= n_qubits]))
    chosen = [(name, draw(_distinct(n_qubits, GATES[name].n_qubits))) for name in names]
    opening, closing = ([(name, (qubit,)) for qubit in range(n_qubits)] for name in ("ry", "rx"))
    spelled = [*opening, *chosen, *closing]
    slots = sum(GATES[name].n_angles for name, _ in spelled)
    n_places = draw(st.integers(slots // 2, slots))
    places = iter(draw(st.permutations([slot % n_places for slot in range(slots)])))
    constants = draw(st.lists(st.floats(-3, 3, width=32), max_size=3))
    gates = (Gate(name, qubits, tuple(islice(places, GATES[name].n_angles))) for name, qubits in spelled)
    return Circuit(n_qubits, tuple(gates), tuple(constants))


def _distinct(n_qubits, count):
    return st.lists(st.integers(0, n_qubits - 1), min_size=count, max_size=count, unique=True).map(tuple)


@st.composite
def side_by_side(draw, n_qubits):
    """Two circuits on the qubits of one, all mixed up: `(whole, parts, wires)`, see `join`."""
    first, second = draw(circuits(n_qubits // 2)), draw(circuits(n_qubits - n_qubits // 2))
    wires = draw(st.permutations(range(n_qubits)))
    turns = draw(st.permutations([0] * len(first.gates) + [1] * len(second.gates)))
    return join(first, second, wires, turns), (first, second), wires


def join(first, second, wires, turns):
    """Lay the qubits of two circuits, those of `first` in front, on `wires`, and take gates by `turns`.

    The angles are those of `first`, then those of `second`.
    """
    n_angles, lines = first.n_angles + second.n_angles, []
    parts = ((first, 0, 0, 0), (second, first.n_qubits, first.n_angles, len(first.constants)))
    for part, qubits, angles, constants in parts:
        shift = [place + angles for place in range(part.n_angles)]
        shift += [n_angles + constants + place for place in range(len(part.constants))]
        lines.append(
            [
                Gate(gate.name, tuple(wires[qubits + q] for q in gate.qubits), tuple(shift[p] for p in gate.angles))
                for gate in part.gates
            ]
        )
    waiting = [iter(line) for line in lines]
    gates = tuple(next(waiting[turn]) for turn in turns)
    return Circuit(first.n_qubits + second.n_qubits, gates, first.constants + second.constants)


@st.composite
def angles_of(draw, circuit, rows=3):
    """Draw angles (rows, P) in single precision: any in [-4, 4], about one in five of them notable."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shape = (rows, circuit.n_angles)
    angles = 8 * torch.rand(shape, generator=generator) - 4
    notable = torch.tensor(NOTABLE)[torch.randint(len(NOTABLE), shape, generator=generator)]
    return torch.where(torch.rand(shape, generator=generator) < 0.2, notable, angles)
