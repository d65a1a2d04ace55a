"""The phases of a whole model: what its layers draw from, and what stays fixed while it learns through estimators."""

import pytest
import torch
from torch import Tensor, nn

from qtrl.nn import (
    ExactEstimator,
    QuantumLayer,
    approximated,
    classical_parameters,
    drawing,
    estimator_parameters,
    quantum_layers,
)
from qtrl.quantum import efficient_su2

CIRCUIT = efficient_su2(2, reps=1, base="plus")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs() -> Tensor:
    return torch.randn(6, 2, generator=seeded(1))


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    layers = (QuantumLayer.from_circuit(CIRCUIT, engine="statevector", shots=20) for _ in range(2))
    return nn.Sequential(*(part for layer in layers for part in (nn.Linear(2, layer.n_in), layer)))


def test_layers_draw_from_the_generator_of_the_phase_else_from_torchs_own(model: nn.Sequential) -> None:
    global_state = torch.get_rng_state()
    with drawing(model, seeded()):
        first = model(inputs())
        with drawing(model, seeded(5)):
            other = model(inputs())
        following = model(inputs())
    assert torch.equal(torch.get_rng_state(), global_state)
    with drawing(model, seeded()):
        assert torch.equal(model(inputs()), first) and torch.equal(model(inputs()), following)
    assert not torch.equal(first, other)

    torch.manual_seed(0)
    free = model(inputs())
    torch.manual_seed(0)
    assert torch.equal(model(inputs()), free) and torch.equal(free, first)
    layer, q_in = model[1], model[0](inputs())
    with drawing(model, seeded(5)):
        assert torch.equal(layer(q_in, seeded()), layer(q_in, torch.default_generator.manual_seed(0)))


def test_estimators_are_held_fixed_where_a_gradient_passes_them_and_move_again_afterwards(model: nn.Sequential) -> None:
    fitted = estimator_parameters(model)
    fitted[0].requires_grad_(False)  # somebody else's wish, which stays
    with approximated(model):
        loss = model(inputs()).sum()
        assert not any(parameter.requires_grad for parameter in fitted)
    assert [parameter.requires_grad for parameter in fitted] == [False, *[True] * (len(fitted) - 1)]
    loss.backward()
    assert all(parameter.grad is None for parameter in fitted)
    assert all(parameter.grad is not None for parameter in classical_parameters(model))


def test_an_error_ends_all_phases(model: nn.Sequential) -> None:
    with pytest.raises(ValueError, match="stop"), drawing(model, seeded()), approximated(model):
        raise ValueError("stop")
    assert all(parameter.requires_grad for parameter in model.parameters())
    torch.manual_seed(0)
    model(inputs())
    assert model[1].pair is not None


GRADIENTS = {"qtdnn": {}, "exact": {"gradient": ExactEstimator}}


def compiled_steps(options: dict, depth: int, compiles: bool) -> tuple[list[float], int]:
    """Train for two steps; return losses and the pairs that were recorded."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    parts: list[nn.Module] = []
    for _ in range(depth):
        layer = QuantumLayer.from_circuit(CIRCUIT, engine="statevector", readout="expectation", **options)
        parts += [nn.Linear(2, layer.n_in), nn.Tanh(), layer]
    model = nn.Sequential(*parts)
    if compiles:
        model.compile(backend="eager" if depth == 1 else "inductor")
    learner, losses = torch.optim.SGD(classical_parameters(model), lr=0.1), []
    for _ in range(2):
        with torch.no_grad():
            acted = model(inputs())
        with approximated(model):
            loss = (model(inputs()) - 0.2).square().sum()
        learner.zero_grad()
        loss.backward()
        learner.step()
        losses += [acted.sum().item(), loss.item()]
    return losses, sum(len(layer.buffer or ()) for layer in quantum_layers(model).values())


@pytest.mark.parametrize(
    ("gradient", "depth"),
    [("qtdnn", 1), pytest.param("qtdnn", 2, marks=pytest.mark.slow), pytest.param("exact", 1, marks=pytest.mark.slow)],
)
def test_a_compiled_model_computes_the_same_and_records_the_same(gradient: str, depth: int) -> None:
    plain, compiled = (compiled_steps(GRADIENTS[gradient], depth, compiles) for compiles in (False, True))
    assert compiled[0] == pytest.approx(plain[0], rel=1e-5)
    assert compiled[1] == plain[1] == (12 * depth if gradient == "qtdnn" else 0)
