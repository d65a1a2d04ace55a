from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch

from qtrl.commands.export.agents.policy import Policy
from qtrl.envs.guards.wrappers import to_bounds
from qtrl.errors import QtrlError
from qtrl.nn import (
    FC,
    PQC,
    RBG,
    HybridActor,
    MLPActor,
    ParameterShiftEstimator,
    QtDNNEstimator,
    Shuffled,
    Zeros,
    approximated,
)
from qtrl.quantum import efficient_su2, make_engine

CIRCUIT = efficient_su2(2, 1)
SIZES = CIRCUIT.n_angles, CIRCUIT.n_qubits
SPACE = gym.spaces.Box(np.array([[-1], [0]], np.float32), np.array([[1], [5]], np.float32))
FITTED = partial(QtDNNEstimator, hidden=4)
ROWS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def pqc(kind=PQC, **options):
    return kind(*SIZES, circuit=CIRCUIT, engine=make_engine("reference"), **options)


def actor_with(block, gradient=FITTED):
    torch.manual_seed(0)
    return HybridActor(3, 2, block, gradient, hidden=8, links=1, normalize="running")


def in_units(actions):
    return torch.from_numpy(to_bounds(actions.detach().numpy(), SPACE))


def test_with_the_surrogate_it_acts_as_the_approximate_actor():
    actor = actor_with(pqc())
    with approximated(actor):
        expected = in_units(actor(ROWS))
    actions = Policy(actor, "surrogate", SPACE)(ROWS)
    assert actions.shape == (5, 2, 1) and torch.allclose(actions, expected, atol=1e-6)


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_with_the_exact_circuit_it_acts_as_the_actor_with_exact_expectations(error):
    actor = actor_with(pqc(readout="expectation", readout_error=error))
    assert torch.allclose(Policy(actor, "exact", SPACE)(ROWS), in_units(actor(ROWS)), atol=1e-5)
    sampled = actor_with(pqc(readout="sample", readout_error=error))
    assert torch.allclose(Policy(sampled, "exact", SPACE)(ROWS), in_units(actor(ROWS)), atol=1e-5)


@pytest.mark.parametrize("quantum", ["surrogate", "exact"])
@pytest.mark.parametrize("block", [FC, Zeros, RBG])
def test_a_block_without_a_circuit_gives_its_mean(block, quantum):
    actor = actor_with(block(*SIZES))
    q_in, links = actor.encode(ROWS)
    expected = in_units(actor.decode(actor.layer.block.mean(q_in), links))
    assert torch.allclose(Policy(actor, quantum, SPACE)(ROWS), expected, atol=1e-6)


def test_an_actor_without_a_layer_is_itself():
    actor = MLPActor(3, 2, Zeros(*SIZES), hidden=8)
    assert torch.allclose(Policy(actor, "surrogate", SPACE)(ROWS), in_units(actor(ROWS)), atol=1e-6)


@pytest.mark.parametrize(
    ("block", "gradient", "quantum", "words"),
    [
        ({}, ParameterShiftEstimator, "surrogate", "ParameterShiftEstimator fits no surrogate .*: take quantum=exact"),
        ({"readout": "majority"}, FITTED, "exact", "readout majority .*quantum=surrogate"),
        ({"kind": Shuffled}, FITTED, "exact", "Shuffled .*quantum=surrogate"),
    ],
)
def test_a_circuit_that_cannot_be_replaced_so_is_refused(block, gradient, quantum, words):
    with pytest.raises(QtrlError, match=words):
        Policy(actor_with(pqc(**block), gradient), quantum, SPACE)
