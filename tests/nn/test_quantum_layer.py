"""A quantum layer in its three phases: the block acts, the estimator is fitted, the estimator lets gradients pass."""

import copy
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from two_layer_actors import NAMES

from qtrl.errors import CircuitError, ConfigError, EngineError, ShapeError
from qtrl.meters import Cost
from qtrl.nn import (
    FC,
    PQC,
    RBG,
    Block,
    Direct,
    ExactEstimator,
    GradientEstimator,
    HybridActor,
    PairBuffer,
    ParameterShiftEstimator,
    QtDNNEstimator,
    QuantumLayer,
    Zeros,
    approximated,
    classical_parameters,
    estimator_parameters,
    perturbed,
    quantum_layers,
    replaced,
)
from qtrl.quantum import efficient_su2, make_engine
from qtrl.surrogate import bridge

OBSERVATION, ACTION, N_IN, N_OUT = 5, 2, 8, 2


class CountedPQC(PQC):
    calls = 0

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        self.calls += 1
        return super().forward(q_in, generator)


def pqc(readout: str = "expectation", surrogate: bool = True) -> CountedPQC:
    circuit = efficient_su2(N_OUT, reps=1)
    engine = make_engine("statevector")
    return CountedPQC(N_IN, N_OUT, circuit=circuit, engine=engine, readout=readout, surrogate=surrogate)


def actor_with(block: Block, estimator: GradientEstimator | None = None) -> HybridActor:
    return HybridActor(OBSERVATION, ACTION, block, lambda *_: estimator, hidden=16, links=3)


def approximate(actor: nn.Module, generator: torch.Generator | None = None) -> Tensor:
    with approximated(actor):
        return actor(observations(), generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def observations() -> Tensor:
    return torch.randn(6, OBSERVATION, generator=seeded(1))


def qtdnn(value: str = "surrogate") -> QtDNNEstimator:
    return QtDNNEstimator(N_IN, N_OUT, hidden=32, value=value)


def angles(rows: int = 6) -> Tensor:
    return torch.randn(rows, N_IN, generator=seeded(3))


def two_layers(kind: type[nn.Module], block: Block | None = None) -> nn.Module:
    torch.manual_seed(0)
    return kind(OBSERVATION, ACTION, block or pqc(), lambda *_: qtdnn())


@pytest.fixture(params=NAMES, ids=lambda kind: kind.__name__)
def model(request: pytest.FixtureRequest) -> nn.Module:
    return two_layers(request.param)


def test_acting_runs_the_block_and_records_the_pair_detached() -> None:
    layer, q_in = QuantumLayer(pqc(), qtdnn()), angles().requires_grad_()
    assert layer.pair is None
    q_out = layer(q_in)
    assert layer.block.calls == 1
    assert torch.equal(layer.pair[0], q_in) and torch.equal(layer.pair[1], q_out)
    assert not any(value.requires_grad for value in layer.pair)
    assert copy.deepcopy(layer).pair is None
    assert not [name for name in layer.state_dict() if "pair" in name]


def test_the_approximate_layer_is_the_estimator_and_records_nothing() -> None:
    layer = QuantumLayer(pqc(), qtdnn())
    layer(angles())
    before = layer.pair
    with approximated(layer):
        assert torch.equal(layer(angles(3)), layer.estimator(layer.block, angles(3)))
    assert layer.pair is before and layer.block.calls == 1


def test_phases_nest_and_end_with_an_error() -> None:
    layer = QuantumLayer(pqc(), qtdnn())
    with pytest.raises(ValueError, match="stop"), approximated(layer), replaced(layer, lambda *_: torch.zeros(1)):
        raise ValueError("stop")
    with approximated(layer):
        with approximated(layer):
            pass
        layer(angles())  # still approximated
        assert layer.block.calls == 0
        with replaced(layer, lambda q_in, generator: q_in + 1):
            assert torch.equal(layer(angles()), angles() + 1)
    layer(angles())
    assert layer.block.calls == 1


@pytest.mark.parametrize("estimator", [None, qtdnn()])
def test_without_an_estimator_or_a_wish_for_one_it_is_the_block_itself(estimator: GradientEstimator | None) -> None:
    layer = QuantumLayer(pqc(surrogate=estimator is None), estimator)
    assert isinstance(layer.estimator, Direct)
    assert layer.cost(5, gradient=True) == layer.block.cost(5) == Cost(circuits=5)


def test_an_estimator_that_cannot_stand_in_for_the_block_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="ExactEstimator: block RBG has no circuit"):
        QuantumLayer(RBG(N_IN, N_OUT, surrogate=True), ExactEstimator(N_IN, N_OUT))


class SamplingOnly:
    """The capabilities of an engine that computes nothing exactly."""

    exact = False

    def __init__(self, capabilities: object) -> None:
        self._capabilities = capabilities

    def __getattr__(self, name: str) -> object:
        return getattr(self._capabilities, name)


def test_estimators_that_need_exact_values_refuse_an_engine_that_can_only_sample() -> None:
    block = pqc("mean")
    block.executable.capabilities = SamplingOnly(block.executable.capabilities)
    for estimator in (ExactEstimator(N_IN, N_OUT), ParameterShiftEstimator(N_IN, N_OUT)):
        with pytest.raises(EngineError, match="engine 'statevector' can only sample"):
            QuantumLayer(block, estimator)
    for estimator in (qtdnn(), ParameterShiftEstimator(N_IN, N_OUT, shots=10)):
        QuantumLayer(block, estimator)


def test_layers_are_found_by_name_each_once(model: nn.Module) -> None:
    layers = quantum_layers(model)
    assert tuple(layers) == NAMES[type(model)]
    model.again = next(iter(layers.values()))
    assert len(quantum_layers(model)) == 2


def test_every_parameter_is_fitted_or_classical(model: nn.Module) -> None:
    fitted, classical = estimator_parameters(model), classical_parameters(model)
    assert {*map(id, fitted)} | {*map(id, classical)} == {*map(id, model.parameters())}
    assert {*map(id, fitted)}.isdisjoint(map(id, classical))
    nets = [layer.estimator for layer in quantum_layers(model).values()]
    assert len(fitted) == sum(len(list(net.parameters())) for net in nets)


def test_each_layer_records_its_own_pair(model: nn.Module) -> None:
    model(observations(), seeded())
    layers = list(quantum_layers(model).values())
    for layer in layers:
        assert layer.pair[0].shape == (6, N_IN) and layer.pair[1].shape == (6, N_OUT)
    assert not torch.equal(layers[0].pair[0], layers[1].pair[0])


def test_costs_of_layers_add_up(model: nn.Module) -> None:
    layers = quantum_layers(model)
    assert layers.block_cost(6) == Cost(circuits=12)
    assert layers.cost(6, gradient=True) == Cost()
    model(observations(), seeded())
    assert layers.seconds == pytest.approx(sum(layer.block.seconds for layer in layers.values()))
    assert min(layer.block.seconds for layer in layers.values()) > 0


def test_an_approximated_model_follows_its_blocks_after_their_fits_and_runs_no_circuit(model: nn.Module) -> None:
    exact = model(observations()).detach()
    optimizer = torch.optim.Adam(estimator_parameters(model), lr=1e-2)
    for _ in range(300):
        for layer in quantum_layers(model).values():
            layer.fit(*layer.pair, optimizer=optimizer)
    runs = [layer.block.calls for layer in quantum_layers(model).values()]
    torch.testing.assert_close(approximate(model), exact, atol=0.02, rtol=0)
    assert [layer.block.calls for layer in quantum_layers(model).values()] == runs


def test_a_fit_moves_the_estimator_of_its_own_layer_alone(model: nn.Module) -> None:
    model(observations())
    first, second = quantum_layers(model).values()
    optimizer = torch.optim.Adam(estimator_parameters(model), lr=1e-2)
    for layer, other in ((first, second), (second, first)):
        before, kept = copy.deepcopy(layer.state_dict()), copy.deepcopy(other.state_dict())
        layer.fit(*layer.pair, optimizer=optimizer)
        assert not any(torch.equal(before[name], value) for name, value in layer.state_dict().items())
        assert all(torch.equal(kept[name], value) for name, value in other.state_dict().items())


def test_a_gradient_passes_all_layers(model: nn.Module) -> None:
    approximate(model).sum().backward()
    assert all(parameter.grad.any() for parameter in classical_parameters(model))


@pytest.mark.parametrize("block", [FC(N_IN, N_OUT), Zeros(N_IN, N_OUT), RBG(N_IN, N_OUT)], ids=["fc", "zeros", "rbg"])
def test_direct_acts_as_the_actor_itself(block: Block) -> None:
    actor = actor_with(block)
    assert torch.equal(approximate(actor, seeded()), actor(observations(), seeded()))
    assert not actor.layer.estimator.trainable
    assert actor.layer.cost(6, gradient=True) == Cost()


@pytest.mark.parametrize(("block", "passes"), [(FC(N_IN, N_OUT), True), (RBG(N_IN, N_OUT), False)], ids=["fc", "rbg"])
def test_direct_passes_the_blocks_own_gradient(block: Block, passes: bool) -> None:
    actor = actor_with(block)
    approximate(actor, seeded()).sum().backward()
    to_angles, to_links = actor.pre[-1].weight.grad[:N_IN], actor.pre[-1].weight.grad[N_IN:]
    assert bool(to_angles.any()) == passes
    assert to_links.any()  # the links go round the block


def test_the_surrogates_value_is_used_without_running_the_circuit() -> None:
    estimator = qtdnn()
    actor = actor_with(pqc(), estimator)
    action = approximate(actor)
    action.sum().backward()
    assert actor.layer.block.calls == 0
    assert actor.pre[-1].weight.grad[:N_IN].any()
    assert actor.layer.cost(6, gradient=True) == Cost()
    q_in, links = actor.encode(observations())
    assert torch.equal(action, actor.decode(bridge(q_in, estimator.net), links))


def test_the_blocks_value_runs_the_circuit_once_and_keeps_the_surrogates_gradient() -> None:
    actor = actor_with(pqc(), qtdnn("block"))
    action = approximate(actor)
    assert actor.layer.block.calls == 1
    assert torch.equal(action, actor(observations()))
    action.sum().backward()
    assert actor.pre[-1].weight.grad[:N_IN].any()
    assert actor.layer.cost(6, gradient=True) == Cost(circuits=6)


def test_a_qtdnn_held_fixed_lets_the_gradient_through_and_receives_none() -> None:
    actor = actor_with(pqc(), qtdnn())
    actor.layer.estimator.requires_grad_(False)
    approximate(actor).sum().backward()
    assert actor.pre[0].weight.grad.any()
    assert all(parameter.grad is None for parameter in actor.layer.estimator.parameters())
    assert actor.layer.estimator.trainable


def test_the_fitted_gradient_points_along_the_circuits_exact_one() -> None:
    block, generator = pqc(), seeded()
    q_in = torch.randn(1, N_IN, generator=generator) + 0.3 * torch.randn(256, N_IN, generator=generator)
    torch.manual_seed(0)
    estimator = QtDNNEstimator(N_IN, N_OUT, hidden=256, fit_epochs=300)
    estimator.fit(q_in, block(q_in), optimizer=torch.optim.Adam(estimator.parameters(), lr=1e-2))

    leaf = q_in.requires_grad_()
    (exact,) = torch.autograd.grad(block.executable.expectations(leaf).sum(), leaf)
    (learned,) = torch.autograd.grad(estimator(block, leaf).sum(), leaf)
    assert torch.nn.functional.cosine_similarity(learned.flatten(), exact.flatten(), dim=0) > 0.9


def test_fit_batches_and_epochs_reach_the_fit() -> None:
    estimator = QtDNNEstimator(N_IN, N_OUT, hidden=4, fit_batches=3, fit_epochs=2)
    optimizer = torch.optim.Adam(estimator.parameters())
    losses = []

    def backward(loss: Tensor) -> None:
        losses.append(loss)
        loss.backward()

    result = estimator.fit(
        torch.randn(6, N_IN), torch.rand(6, N_OUT), optimizer=optimizer, generator=seeded(), backward=backward
    )
    assert result.steps == len(losses) == 6
    assert estimator.trainable


def test_direct_has_nothing_to_fit() -> None:
    optimizer = torch.optim.Adam(torch.nn.Linear(1, 1).parameters())
    assert Direct().fit(torch.zeros(2, N_IN), torch.zeros(2, N_OUT), optimizer=optimizer) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"value": "both"}, "value is 'both', expected one of surrogate, block"),
        ({"pairs": "all"}, "pairs is 'all', expected one of"),
        ({"fit_every_updates": 0}, "fit_every_updates is 0"),
        ({"fit_batches": 0}, "fit_batches is 0"),
        ({"fit_epochs": 0}, "fit_epochs is 0"),
        ({"hidden": 0}, "hidden is 0"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QtDNNEstimator(N_IN, N_OUT, **options)


def test_noise_reaches_the_block_and_is_recorded_and_an_approximated_layer_has_none():
    layer = QuantumLayer(pqc(), QtDNNEstimator(N_IN, N_OUT, hidden=4))
    q_in = torch.zeros(2_000, N_IN)
    with perturbed([layer], 0.3, seeded()):
        layer(q_in)
        noisy, q_out = layer.pair
        with approximated(layer):
            assert torch.equal(layer(q_in[:1]), layer.estimator(layer.block, q_in[:1]))
    assert noisy.std() == pytest.approx(0.3, rel=0.02) and noisy.mean().abs() < 0.01
    torch.testing.assert_close(q_out, layer.block.executable.expectations(noisy))
    layer(q_in)
    assert torch.equal(layer.pair[0], q_in)


def test_a_qtdnn_is_centered_on_the_circuits_base_if_asked_for():
    circuit = efficient_su2(N_OUT, reps=1, base="plus")
    block = PQC(N_IN, N_OUT, circuit=circuit, engine=make_engine("statevector"))
    for centered, expected in ((True, circuit.base), (False, (0.0,) * N_IN)):
        layer = QuantumLayer(block, QtDNNEstimator(N_IN, N_OUT, hidden=4, centered=centered))
        torch.testing.assert_close(layer.estimator.net.center, torch.tensor(expected))


def from_circuit(**options) -> QuantumLayer:
    circuit = efficient_su2(N_OUT, reps=1, base="plus")
    return QuantumLayer.from_circuit(circuit, **{"engine": "statevector", "readout": "expectation", **options})


def test_a_circuit_makes_a_layer_with_the_local_recipes_qtdnn_and_a_buffer() -> None:
    layer = from_circuit()
    assert (layer.n_in, layer.n_out, layer.buffer.capacity, layer.pairs) == (N_IN, N_OUT, 5_000, "recent")
    torch.testing.assert_close(layer.estimator.net.center, layer.block.base)
    out = layer(angles())
    torch.testing.assert_close(out, layer.block.executable.expectations(angles()))
    assert all(torch.equal(*pair) for pair in zip(layer.buffer.newest(6), (angles(), out), strict=True))


def test_a_circuit_takes_any_engine_readout_and_estimator() -> None:
    engine = make_engine("auto", candidates=["statevector"])
    layer = from_circuit(engine=engine, readout="mean", shots=7, gradient=partial(QtDNNEstimator, hidden=3))
    assert (layer.block.readout, layer.block.shots, layer.estimator.net.layers[0].out_features) == ("mean", 7, 3)
    assert layer.pairs == "stored"
    with pytest.raises(EngineError, match="unknown engine 'fast'"):
        from_circuit(engine="fast")
    with pytest.raises(ConfigError, match="PairBuffer: capacity is 0"):
        from_circuit(buffer_size=0)


@pytest.mark.parametrize("phase", [nullcontext, approximated])
def test_inputs_may_have_any_number_of_axes(phase: Callable) -> None:
    layer, q_in = from_circuit(), angles(12).view(3, 2, 2, N_IN)
    with phase(layer) if phase is approximated else phase():
        out = layer(q_in)
        torch.testing.assert_close(out.reshape(-1, N_OUT), layer(q_in.reshape(-1, N_IN)))
        torch.testing.assert_close(layer(q_in[0, 0, 0]), out[0, 0, 0])
        assert layer(q_in[:0]).shape == (0, 2, 2, N_OUT)
    assert out.shape == (3, 2, 2, N_OUT)
    assert len(layer.buffer) == (0 if phase is approximated else 25)


@pytest.mark.parametrize("shape", [(6, N_IN + 1), (N_IN - 1,), (), (2, 3, 1)])
@pytest.mark.parametrize("block", [pqc(), FC(N_IN, N_OUT)], ids=["pqc", "fc"])
def test_inputs_of_another_width_are_refused_in_both_phases(shape: tuple[int, ...], block: Block) -> None:
    layer = QuantumLayer(block)
    message = rf"QuantumLayer: q_in has shape {re.escape(str(shape))}, expected \(..., 8\), the inputs of block"
    with pytest.raises(ShapeError, match=message):
        layer(torch.zeros(shape))
    with pytest.raises(ShapeError, match=message), approximated(layer):
        layer(torch.zeros(shape))


def test_a_circuit_refuses_what_is_not_finite_and_records_nothing_of_it() -> None:
    layer, q_in = from_circuit(), angles()
    q_in[1, 2] = torch.nan
    with pytest.raises(CircuitError, match="angle 2 of sample 1 is nan"):
        layer(q_in)
    assert len(layer.buffer) == 0 and layer.pair is None


def test_a_buffer_of_another_size_is_refused() -> None:
    message = r"buffer is PairBuffer\(5, 8, 3\), 0 pairs, but block .*PQC has 8 inputs and 2 outputs"
    with pytest.raises(ShapeError, match=message):
        QuantumLayer(pqc(), qtdnn(), PairBuffer(5, N_IN, N_OUT + 1))


def test_under_autocast_circuits_and_records_keep_single_precision() -> None:
    torch.manual_seed(0)
    layer = from_circuit()
    model = nn.Sequential(nn.Linear(OBSERVATION, N_IN), layer, nn.Linear(N_OUT, 1))
    with torch.autocast("cpu"):
        model(observations())
        with approximated(model):
            loss = model(observations()).sum()
    loss.backward()
    assert model[0].weight.grad.any()
    assert {values.dtype for values in (*layer.pair, *layer.buffer.newest(6))} == {torch.float32}
    with pytest.raises(CircuitError, match="angles have dtype torch.bfloat16, expected torch.float32"):
        layer(angles().bfloat16())


def test_layers_learn_from_what_inference_mode_recorded() -> None:
    layer = from_circuit()
    with torch.inference_mode():
        layer(angles())
    optimizer = torch.optim.Adam(layer.estimator.parameters())
    assert layer.fit(*layer.buffer.sample(4, seeded()), optimizer=optimizer).steps == 1
