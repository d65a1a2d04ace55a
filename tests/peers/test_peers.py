"""Every engine against other libraries' simulators; needs the extra `bench`."""

from functools import lru_cache
from itertools import cycle, permutations

import pytest
import torch
from circuit_strategies import angles_of, circuits
from hypothesis import given, settings
from hypothesis import strategies as st
from pennylane_circuits import NAMES, run

from qtrl.quantum import ENGINES, GATES, Circuit, make_engine, to_qiskit

pytestmark = pytest.mark.peers
TESTED = sorted(
    name
    for name, engine in ENGINES.items()
    if "cpu" in engine.capabilities.devices and name not in ("auto", "reference")
)
SEEDED = {"derandomize": True, "deadline": None}
WEIGHTS = [1.0, -2.0, 0.5, 0.25, -1.0]


def pennylane_probabilities(circuit, angles):
    import pennylane

    @pennylane.qnode(pennylane.device("default.qubit", wires=circuit.n_qubits))
    def probabilities(row):
        run(circuit, row)
        return pennylane.probs(wires=range(circuit.n_qubits))

    return torch.tensor([probabilities(row).tolist() for row in angles.double().numpy()], dtype=torch.float64)


def qiskit_probabilities(circuit, angles):
    from qiskit.quantum_info import Statevector

    converted, order = to_qiskit(circuit), range(circuit.n_qubits)[::-1]
    bound = [converted.assign_parameters(row) for row in angles.tolist()]
    return torch.tensor([Statevector(one).probabilities(order).tolist() for one in bound], dtype=torch.float64)


def some_angles(circuit):
    return 6 * torch.rand(1, circuit.n_angles, generator=torch.Generator().manual_seed(0)) - 3


PEERS = {"pennylane": pennylane_probabilities, "qiskit": qiskit_probabilities}


@lru_cache(maxsize=100)
def peer_probabilities(peer, circuit, rows):
    return PEERS[peer](circuit, torch.tensor(rows))


@pytest.mark.parametrize("n_qubits", range(1, 13))
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", TESTED)
@settings(max_examples=3, **SEEDED)
@given(data=st.data())
def test_probabilities_equal_the_peers(name, peer, n_qubits, data):
    circuit = data.draw(circuits(n_qubits))
    angles = data.draw(angles_of(circuit, rows=2))
    expected = peer_probabilities(peer, circuit, tuple(map(tuple, angles.tolist())))
    found = make_engine(name).prepare(circuit).probabilities(angles)
    assert torch.allclose(found.double(), expected, rtol=0, atol=1e-5)


@lru_cache
def pennylane_gradient(device, method, circuit):
    import pennylane

    weighted = pennylane.Hamiltonian(WEIGHTS, [pennylane.PauliZ(qubit) for qubit in range(circuit.n_qubits)])

    @pennylane.qnode(pennylane.device(device, wires=circuit.n_qubits), diff_method=method)
    def signed(row):
        run(circuit, row)
        return pennylane.expval(weighted)

    row = pennylane.numpy.array(some_angles(circuit)[0].double().numpy(), requires_grad=True)
    return torch.tensor(pennylane.grad(signed)(row).tolist(), dtype=torch.float64)


# Autograd, which PennyLane differentiates with, casts to real numbers what is real.
@pytest.mark.filterwarnings("ignore:Casting complex values to real:numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize(("device", "method"), [("default.qubit", "backprop"), ("lightning.qubit", "adjoint")])
@pytest.mark.parametrize("name", [name for name in TESTED if ENGINES[name].capabilities.differentiable])
def test_gradients_equal_those_of_pennylane(name, device, method):
    pairs, rotations = cycle(permutations(range(5), 2)), [("u3", qubit) for qubit in range(5)]
    once = [(gate, *next(pairs)[: spec.n_qubits]) for gate, spec in GATES.items()]
    circuit = Circuit.from_gates(5, [*rotations, *once, *rotations])
    angles = some_angles(circuit).requires_grad_()
    # Z is 1 where a qubit reads 0, and -1 where it reads 1.
    signs = 1 - 2 * make_engine(name).prepare(circuit).expectations(angles)
    (signs @ torch.tensor(WEIGHTS)).sum().backward()
    assert torch.allclose(angles.grad[0].double(), pennylane_gradient(device, method, circuit), rtol=0, atol=1e-4)


def test_every_gate_has_a_name_in_pennylane():
    assert set(NAMES) == set(GATES)
