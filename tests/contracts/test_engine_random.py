"""Circuits that hypothesis makes up, on every engine, against the reference."""

from functools import lru_cache

import pytest
import torch
from circuit_strategies import angles_of, circuits, side_by_side
from engines_on_cpu import ON_CPU
from hypothesis import given, settings
from hypothesis import strategies as st

from qtrl.quantum import ENGINES, GATES, make_engine

TESTED = sorted(set(ON_CPU) - {"auto", "reference"})
SEEDED = {"derandomize": True, "deadline": None}
"""The same circuits in every run and for every engine, so that the reference computes each of them once."""


@lru_cache(maxsize=200)
def reference(circuit, rows, kind):
    """Return probabilities, or the gradients of `weigh` as well."""
    angles = torch.tensor(rows, dtype=torch.float64, requires_grad=kind == "gradients")
    executable = make_engine("reference").prepare(circuit)
    return gradients(executable, angles) if kind == "gradients" else executable.probabilities(angles)


def exact(circuit, angles, kind="probabilities"):
    return reference(circuit, tuple(map(tuple, angles.tolist())), kind)


def gradients(executable, angles):
    """Differentiate numbers that depend on every expectation and on every probability."""
    found = []
    for values in (executable.expectations(angles), executable.probabilities(angles)):
        weights = torch.linspace(-1, 2, values.shape[1], dtype=values.dtype)
        found.append(torch.autograd.grad((values @ weights).sum(), angles)[0])
    return found


@pytest.mark.parametrize("n_qubits", range(1, 9))
@pytest.mark.parametrize("name", TESTED)
@settings(max_examples=4, **SEEDED)
@given(data=st.data())
def test_probabilities_equal_the_references(name, n_qubits, data):
    circuit = data.draw(circuits(n_qubits))
    angles = data.draw(angles_of(circuit))
    found = make_engine(name).prepare(circuit).probabilities(angles)
    assert torch.allclose(found.double(), exact(circuit, angles), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_qubits", range(9, 13))
@pytest.mark.parametrize("name", TESTED)
@settings(max_examples=4, **SEEDED)
@given(data=st.data())
def test_two_circuits_mixed_up_on_many_qubits_give_the_product_of_their_probabilities(name, n_qubits, data):
    whole, (first, second), wires = data.draw(side_by_side(n_qubits))
    angles = data.draw(angles_of(whole))
    one, other = exact(first, angles[:, : first.n_angles]), exact(second, angles[:, first.n_angles :])
    product = torch.einsum("bi,bj->bij", one, other).view(-1, *[2] * whole.n_qubits)  # axes in the order of `wires`
    expected = product.permute(0, *(1 + wires.index(qubit) for qubit in range(whole.n_qubits))).flatten(1)
    found = make_engine(name).prepare(whole).probabilities(angles)
    assert torch.allclose(found.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_qubits", range(1, 7))
@pytest.mark.parametrize("name", [name for name in TESTED if ENGINES[name].capabilities.differentiable])
@settings(max_examples=3, **SEEDED)
@given(data=st.data())
def test_gradients_equal_the_references(name, n_qubits, data):
    circuit = data.draw(circuits(n_qubits))
    angles = data.draw(angles_of(circuit))
    found = gradients(make_engine(name).prepare(circuit), angles.clone().requires_grad_())
    for ours, expected in zip(found, exact(circuit, angles, "gradients"), strict=True):
        assert torch.allclose(ours.double(), expected, rtol=0, atol=1e-4)


@settings(max_examples=5, **SEEDED)
@given(circuit=circuits(2))
def test_each_circuit_has_every_gate(circuit):
    assert {gate.name for gate in circuit.gates} == set(GATES)
