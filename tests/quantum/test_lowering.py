import math

import pytest
import torch

from qtrl.quantum import GATES, Circuit, Gate, efficient_su2, make_engine
from qtrl.quantum.engines.lowering import lower
from qtrl.quantum.engines.steps import LOWERED, Flip


def run(circuit, angles):
    """Interpret the layers as their docstring says, in double precision."""
    n_bits = circuit.n_qubits
    basis = torch.arange(2**n_bits)
    state = (basis == 0).to(torch.complex128)
    for layer in lower(circuit):
        images = torch.zeros_like(basis)
        for bit, column in enumerate(layer.matrix(n_bits)):
            images ^= (basis >> bit & 1) * column
        state = torch.zeros_like(state).index_copy(0, images, state)
        for bit, angle in layer.turns.items():
            cosine, sine = math.cos(value(angle, angles) / 2), math.sin(value(angle, angles) / 2)
            partner = state[basis ^ 1 << bit]
            state = cosine * state + sine * (2 * (basis >> bit & 1) - 1) * partner
        for mask, angle in layer.phases.items():
            signs = torch.tensor([(-1) ** (index & mask).bit_count() for index in basis.tolist()])
            state = state * torch.exp(-0.5j * value(angle, angles) * signs.double())
    return state.abs() ** 2


def value(angle, angles):
    return angle.offset + sum(factor * angles[place].item() for place, factor in angle.terms)


def angles_for(circuit, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 6 * torch.rand(circuit.n_angles, generator=generator, dtype=torch.float64) - 3


def reference(circuit, angles):
    return make_engine("reference").prepare(circuit).probabilities(angles[None])[0]


def test_every_gate_of_the_table_is_lowered():
    assert set(LOWERED) == set(GATES)


@pytest.mark.parametrize("name", GATES)
def test_every_gate_between_random_columns_keeps_the_probabilities(name):
    qubits = (2, 0)[: GATES[name].n_qubits]
    column = [("u3", qubit) for qubit in range(3)]
    circuit = Circuit.from_gates(3, [*column, (name, *qubits), *column, ("cx", 0, 1), (name, *qubits), *column])
    angles = angles_for(circuit, seed=len(name))
    assert torch.allclose(run(circuit, angles), reference(circuit, angles), atol=1e-12)


@pytest.mark.parametrize("entanglement", ["linear", "reverse_linear", "circular", "full", "pairwise", "sca"])
def test_a_layer_of_efficient_su2_is_one_layer(entanglement):
    circuit = efficient_su2(5, 3, entanglement=entanglement)
    layers = lower(circuit)
    assert [(len(layer.turns), len(layer.phases)) for layer in layers] == [(5, 5), (5, 5), (5, 5), (5, 0)]
    assert torch.allclose(run(circuit, angles_for(circuit)), reference(circuit, angles_for(circuit)), atol=1e-12)


def test_linear_entanglement_maps_bits_to_prefix_parities():
    (_, layer) = lower(efficient_su2(3, 1))
    assert layer.flips == [Flip(2, 1), Flip(1, 0)]
    assert layer.matrix(3) == (0b001, 0b011, 0b111)  # qubit 0, which is bit 2, flips all others


def test_gates_that_cannot_be_seen_are_dropped():
    assert lower(Circuit.from_gates(2, [("rz", 0), ("cx", 0, 1), ("cz", 0, 1)])) == []
    (layer,) = lower(Circuit.from_gates(2, [("rz", 0), ("ry", 0), ("p", 0), ("crz", 0, 1)]))
    assert set(layer.turns) == {1} and not layer.phases and not layer.flips


def test_phases_before_a_last_map_are_dropped():
    turns, last = lower(Circuit.from_gates(2, [("ry", 0), ("rz", 0), ("ry", 1), ("cx", 0, 1)]))
    assert set(turns.turns) == {0, 1} and not turns.phases
    assert last.flips == [Flip(1, 0)] and not last.turns


def test_commuting_phases_slide_through_maps_and_meet():
    gates = [("ry", 0), ("ry", 1), ("cz", 0, 1), ("rz", 0), ("cx", 0, 1), ("rz", 0), ("ry", 1)]
    first, second = lower(Circuit.from_gates(2, gates))
    assert set(first.phases) == {0b01, 0b10, 0b11} and len(first.phases[0b10].terms) == 2
    assert set(second.turns) == {0} and second.flips == [Flip(1, 0)]


def test_shared_angles_add_up():
    circuit = Circuit(1, (Gate("ry", (0,), (0,)), Gate("ry", (0,), (0,))))
    (layer,) = lower(circuit)
    assert layer.turns[0].terms == ((0, 1.0), (0, 1.0))
