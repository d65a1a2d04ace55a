"""Every gradient estimator keeps the contract; a new one joins ESTIMATORS in families.py and inherits the tests."""

import copy
import dataclasses
import pickle
from collections.abc import Iterator

import pytest
import torch
from families import CIRCUIT, ESTIMATOR_SIZES, ESTIMATORS, EXACT, RUN_THE_CIRCUIT, SHIFTED, WITHOUT_GRADIENT
from torch import Tensor

from qtrl.errors import ConfigError, EngineError
from qtrl.meters import Cost
from qtrl.nn import (
    PQC,
    RBG,
    ExactEstimator,
    GradientEstimator,
    HybridActor,
    ParameterShiftEstimator,
    Shuffled,
    SPSAEstimator,
    TwinCritic,
    approximated,
)
from qtrl.quantum import Circuit, Engine, Executable, Gate, make_engine
from qtrl.quantum.engines.reference import ReferenceEngine, ReferenceExecutable

(N_IN, N_OUT), OBSERVATION, ACTION, BATCH = ESTIMATOR_SIZES, 5, 2, 6


class Spy(ReferenceEngine):
    """Counts what is really run, on all of its executables."""

    def __init__(self) -> None:
        self.circuits, self.shots = 0, 0

    def _build(self, circuit: Circuit) -> Executable:
        return SpyExecutable(circuit, self)


class SpyExecutable(ReferenceExecutable):
    def __init__(self, circuit: Circuit, engine: Engine) -> None:
        super().__init__(circuit, engine)
        self.spy = engine

    def _probabilities(self, angles: Tensor) -> Tensor:
        self.spy.circuits += len(angles)
        return super()._probabilities(angles)

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        self.spy.shots += len(angles) * shots
        return super()._sample(angles, shots, generator)


def pqc(engine: Engine | None = None, **options) -> PQC:
    return PQC(N_IN, N_OUT, circuit=CIRCUIT, engine=engine or make_engine("statevector"), **options)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def angles(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(BATCH, N_IN, generator=seeded(1), dtype=dtype)


def value_and_gradient(estimator: GradientEstimator, block: PQC, q_in: Tensor) -> tuple[Tensor, Tensor]:
    leaf = q_in.clone().requires_grad_()
    value = estimator(block, leaf, seeded())
    weights = torch.randn(value.shape, generator=seeded(2), dtype=value.dtype)
    # The factor 0 makes a graph where the estimator lets nothing through.
    ((value * weights).sum() + 0 * leaf.sum()).backward()
    return value.detach(), leaf.grad


def exact_gradient(block: PQC, q_in: Tensor) -> Tensor:
    return value_and_gradient(ExactEstimator(N_IN, N_OUT), block, q_in)[1]


@pytest.fixture(params=ESTIMATORS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def estimator(name: str) -> Iterator[GradientEstimator]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield ESTIMATORS[name]()


def test_values_have_the_promised_shape_the_inputs_dtype_and_lie_in_the_unit_interval(
    estimator: GradientEstimator,
) -> None:
    for dtype in (torch.float32, torch.float64):
        out = estimator.to(dtype)(pqc(), angles(dtype), seeded())
        assert out.shape == (BATCH, N_OUT) and out.dtype == dtype
        assert out.min() >= 0 and out.max() <= 1
        assert estimator(pqc(), angles(dtype)[:1], seeded()).shape == (1, N_OUT)


def test_the_actor_loss_reaches_the_angles_and_pre_dnn_and_nothing_else(
    name: str, estimator: GradientEstimator
) -> None:
    torch.manual_seed(0)
    actor = HybridActor(OBSERVATION, ACTION, pqc(), lambda *_: estimator, hidden=16, links=3)
    critic = TwinCritic(OBSERVATION, ACTION, hidden=16)
    for fixed in (critic, estimator):
        fixed.requires_grad_(False)
    observation = torch.randn(BATCH, OBSERVATION, generator=seeded(1))
    with approximated(actor):
        critic.first(observation, actor(observation, seeded())).mean().backward()
    to_angles, to_links = actor.pre[-1].weight.grad[:N_IN], actor.pre[-1].weight.grad[N_IN:]
    assert bool(to_angles.any()) == (name not in WITHOUT_GRADIENT)
    assert to_links.any() and actor.pre[0].weight.grad.any() and actor.post[0].weight.grad.any()
    assert all(parameter.grad is None for fixed in (critic, estimator) for parameter in fixed.parameters())


def test_equal_generators_give_equal_results_and_the_global_stream_is_left_alone(estimator: GradientEstimator) -> None:
    before, block = torch.get_rng_state(), pqc(shots=7)
    first, again = (value_and_gradient(estimator, block, angles()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(before, torch.get_rng_state())


def test_no_gradient_is_kept_where_none_is_asked_for(estimator: GradientEstimator) -> None:
    block, q_in = pqc(readout="expectation"), angles().requires_grad_()
    with torch.no_grad():
        out = estimator(block, q_in, seeded())
    assert not out.requires_grad
    torch.testing.assert_close(out, estimator(block, q_in, seeded()).detach())


def test_deepcopy_and_pickle_give_the_same_estimator(estimator: GradientEstimator) -> None:
    block = pqc()
    value, gradient = value_and_gradient(estimator, block, angles())
    for twin in (copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))):
        twin_value, twin_gradient = value_and_gradient(twin, copy.deepcopy(block), angles())
        assert torch.equal(twin_value, value) and torch.equal(twin_gradient, gradient)


def test_state_loads_strictly_into_another_instance(name: str, estimator: GradientEstimator) -> None:
    block, other = pqc(), ESTIMATORS[name]()
    estimator(block, angles(), seeded())
    other.load_state_dict(estimator.state_dict(), strict=True)
    assert torch.equal(other(block, angles(), seeded()), estimator(block, angles(), seeded()))
    assert bool(estimator.state_dict()) == estimator.trainable == name.startswith("qtdnn")


@pytest.mark.parametrize(("readout", "shots"), [("mean", 7), ("expectation", 0)])
@pytest.mark.parametrize("gradient", [True, False])
def test_the_cost_is_what_is_really_run(
    name: str, estimator: GradientEstimator, gradient: bool, readout: str, shots: int
) -> None:
    block, q_in = pqc(spy := Spy(), readout=readout, shots=7), angles()
    if gradient:
        value_and_gradient(estimator, block, q_in)
    else:
        with torch.no_grad():
            estimator(block, q_in, seeded())
    assert estimator.cost(block, BATCH, gradient=gradient) == Cost(spy.circuits, spy.shots)
    by_hand = {
        "qtdnn": Cost(),
        "exact": Cost(BATCH),
        "parameter_shift, 20 shots": Cost(*((1 + SHIFTED * gradient) * BATCH * n for n in (1, 20))),
        "spsa, 20 shots": Cost(*((1 + 6 * gradient) * BATCH * n for n in (1, 20))),
        "straight_through": Cost(BATCH * (1 + gradient), BATCH * shots),
        "zero": Cost(BATCH, BATCH * shots),
    }
    assert name not in by_hand or Cost(spy.circuits, spy.shots) == by_hand[name]


@pytest.mark.parametrize("exact", EXACT)
@pytest.mark.parametrize("readout_error", [0.0, 0.1])
def test_exact_ones_agree_with_each_other(exact: str, readout_error: float) -> None:
    block = pqc(readout_error=readout_error)
    _, gradient = value_and_gradient(ESTIMATORS[exact](), block, angles(torch.float64))
    torch.testing.assert_close(gradient, (1 - 2 * readout_error) * exact_gradient(pqc(), angles(torch.float64)))
    assert gradient.abs().max() > 0.1


@pytest.mark.parametrize("own", ["exact", "parameter_shift", "spsa"])
def test_values_of_those_that_measure_are_expectations_misread_as_the_blocks_are(own: str) -> None:
    block = pqc(readout="expectation", readout_error=0.1)
    torch.testing.assert_close(ESTIMATORS[own]()(block, angles(), seeded()), block(angles()))


@pytest.mark.parametrize("own", ["direct", "qtdnn, value of the block", "straight_through", "zero"])
def test_values_of_the_others_are_the_blocks_own(own: str) -> None:
    block = pqc(readout="sample")
    value, _ = value_and_gradient(ESTIMATORS[own](), block, angles())
    assert torch.equal(value, block(angles(), seeded()))


def test_an_input_that_the_circuit_ignores_gets_no_gradient(name: str, estimator: GradientEstimator) -> None:
    frozen = Circuit(N_OUT, (Gate("ry", (0,), (N_IN,)),), constants=(1.0,), unused=tuple(range(N_IN)))
    block = PQC(N_IN, N_OUT, circuit=frozen, engine=make_engine("statevector"))
    _, gradient = value_and_gradient(estimator, block, angles())
    assert bool(gradient.any()) == name.startswith("qtdnn")


@pytest.mark.parametrize(("name", "owner"), RUN_THE_CIRCUIT.items())
def test_those_that_run_the_circuit_refuse_a_block_without_one(name: str, owner: str) -> None:
    block, estimator = RBG(N_IN, N_OUT, surrogate=True), ESTIMATORS[name]()
    message = f"{owner}: block RBG has no circuit .*; set block=pqc, block.surrogate=false or gradient=qtdnn"
    with pytest.raises(ConfigError, match=message):
        estimator.check(block)
    with pytest.raises(ConfigError, match=message):
        estimator(block, angles().requires_grad_(), seeded())


def test_those_that_run_the_circuit_refuse_a_block_that_changes_its_outputs_and_the_others_do_not(
    name: str, estimator: GradientEstimator
) -> None:
    block = Shuffled(N_IN, N_OUT, circuit=CIRCUIT, engine=make_engine("statevector"))
    if name not in RUN_THE_CIRCUIT:
        return estimator.check(block)
    message = f"{RUN_THE_CIRCUIT[name]}: runs the circuit itself .* block Shuffled .*; set block=pqc, gradient=qtdnn"
    with pytest.raises(ConfigError, match=message):
        estimator.check(block)


def test_every_estimator_takes_a_circuit_and_the_others_any_block(name: str, estimator: GradientEstimator) -> None:
    estimator.check(pqc())
    if name not in RUN_THE_CIRCUIT:
        estimator.check(RBG(N_IN, N_OUT))


def test_only_exact_gradients_need_a_differentiable_engine(name: str, estimator: GradientEstimator) -> None:
    block = pqc()
    block.executable.capabilities = dataclasses.replace(block.executable.capabilities, differentiable=False)
    if name not in ("exact", "straight_through"):
        return estimator.check(block)
    with pytest.raises(EngineError, match="engine 'statevector' has no exact gradient: take one of .*reference"):
        estimator.check(block)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (ParameterShiftEstimator, {"shots": 0}, "ParameterShiftEstimator: shots is 0"),
        (SPSAEstimator, {"shots": 0}, "SPSAEstimator: shots is 0"),
        (SPSAEstimator, {"step": -1.0}, "step is -1.0, expected radians above 0"),
        (SPSAEstimator, {"repetitions": 0}, "repetitions is 0"),
    ],
)
def test_impossible_options_are_refused_by_name(kind, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(N_IN, N_OUT, **options)


def test_spsa_asks_for_a_generator() -> None:
    with pytest.raises(ConfigError, match="SPSAEstimator: generator is None"):
        SPSAEstimator(N_IN, N_OUT)(pqc(), angles())
