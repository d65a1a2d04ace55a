import pytest
import torch
from torch import nn

from qtrl.errors import ConfigError
from qtrl.nn import PQC, Block, MLPActor, Zeros, classical_parameters, quantum_layers
from qtrl.quantum import efficient_su2, make_engine


def test_it_is_the_network_of_plain_td3() -> None:
    actor = MLPActor(3, 1, Zeros(40, 5))
    widths = [(layer.in_features, layer.out_features) for layer in actor.modules() if isinstance(layer, nn.Linear)]
    assert widths == [(3, 256), (256, 256), (256, 1)]


def test_it_has_no_quantum_layer_and_keeps_nothing_of_the_block() -> None:
    actor, observation = MLPActor(3, 2, Zeros(4, 5), hidden=8), torch.randn(6, 3)
    action = actor(observation)
    assert action.shape == (6, 2) and action.abs().max() <= 1
    torch.testing.assert_close(action, torch.tanh(actor.net(observation)))
    assert not quantum_layers(actor)
    assert classical_parameters(actor) == list(actor.parameters())


def test_a_size_below_one_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="MLPActor: hidden is 0"):
        MLPActor(3, 1, Zeros(4, 5), hidden=0)


def circuit_block() -> Block:
    return PQC(12, 3, circuit=efficient_su2(3, reps=1), engine=make_engine("statevector"), surrogate=False)


@pytest.mark.parametrize(
    ("block", "what"),
    [(circuit_block(), "PQC runs a circuit"), (Zeros(4, 5, surrogate=True), "Zeros wants a surrogate")],
)
def test_a_circuit_or_a_surrogate_for_nothing_is_refused(block: Block, what: str) -> None:
    with pytest.raises(ConfigError, match=f"MLPActor: block {what}, but .*; set block=zeros, or actor=hybrid"):
        MLPActor(3, 1, block)
