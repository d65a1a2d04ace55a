"""Every block keeps the contract; a new block joins BLOCKS in families.py and inherits the tests."""

import copy
import pickle

import pytest
import torch
from families import BLOCK_SIZES, BLOCKS, CIRCUITS, DRAWING, TRAINED, build_pqc
from sampling_engine import SamplingEngine

from qtrl.errors import CircuitError, ConfigError, EngineError, QtrlError
from qtrl.meters import Cost
from qtrl.nn import FC, PQC, RBG, Bernoulli, Block, FCMatched, QtDNNEstimator, Shuffled, Zeros
from qtrl.quantum import READOUTS, efficient_su2, make_engine

(N_IN, N_OUT), BATCH = BLOCK_SIZES, 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def angles(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(BATCH, N_IN, generator=seeded(1), dtype=dtype)


@pytest.fixture(params=BLOCKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def block(name: str) -> Block:
    return BLOCKS[name]()


def test_output_has_the_promised_shape_and_the_inputs_dtype(block: Block) -> None:
    assert (block.n_in, block.n_out) == (N_IN, N_OUT)
    out = block(angles(), seeded())
    assert out.shape == (BATCH, N_OUT)
    assert out.dtype == torch.float32
    assert block(angles()[:1], seeded()).shape == (1, N_OUT)
    assert block.double()(angles(torch.float64), seeded()).dtype == torch.float64


def test_equal_generators_give_equal_outputs_and_the_global_stream_is_left_alone(block: Block) -> None:
    before = torch.get_rng_state()
    assert torch.equal(block(angles(), seeded()), block(angles(), seeded()))
    assert torch.equal(before, torch.get_rng_state())


def test_deepcopy_and_pickle_give_the_same_block(block: Block) -> None:
    out = block(angles(), seeded())
    assert torch.equal(copy.deepcopy(block)(angles(), seeded()), out)
    assert torch.equal(pickle.loads(pickle.dumps(block))(angles(), seeded()), out)


def test_state_loads_strictly_into_another_instance(name: str, block: Block) -> None:
    other = BLOCKS[name]()
    other.load_state_dict(block.state_dict(), strict=True)
    assert torch.equal(other(angles(), seeded()), block(angles(), seeded()))


def test_only_trained_blocks_have_state_parameters_and_a_gradient(name: str, block: Block) -> None:
    out = block(angles().requires_grad_(), seeded())
    assert (out.grad_fn is not None) == (name in TRAINED)
    assert bool(block.state_dict()) == (name in TRAINED)
    assert bool(list(block.parameters())) == (name in TRAINED)


def test_only_circuits_have_a_surrogate_by_default_and_cost_circuits(name: str, block: Block) -> None:
    assert block.surrogate == (name in CIRCUITS)
    assert (block.cost(BATCH) == Cost()) == (name not in CIRCUITS)


def test_outputs_are_probabilities_where_a_block_says_so(name: str, block: Block) -> None:
    out = block(10 * angles(), seeded())
    assert block.gives_probabilities == (name != "fc")
    assert (out.min() >= 0 and out.max() <= 1) == block.gives_probabilities


def test_the_mean_is_what_many_draws_average_to(block: Block) -> None:
    drawn = block(angles()[:1].expand(4000, -1), seeded()).mean(0)
    mean = block.mean(angles()[:1])
    assert mean.shape == (1, N_OUT) and not mean.requires_grad
    assert (drawn - mean[0]).abs().max() < 5 * 0.5 / 4000**0.5  # five standard errors of a fair bit


def test_seconds_are_those_of_the_circuit(name: str, block: Block) -> None:
    assert block.seconds == 0
    block(angles(), seeded())
    assert (block.seconds > 0) == (name in CIRCUITS)


@pytest.mark.parametrize("size", ["n_in", "n_out"])
@pytest.mark.parametrize("kind", [FC, RBG, Zeros, Bernoulli, FCMatched])
def test_a_size_below_one_is_refused_by_name(kind: type[Block], size: str) -> None:
    sizes = {"n_in": N_IN, "n_out": N_OUT, size: 0}
    with pytest.raises(ConfigError, match=f"{kind.__name__}: {size} is 0"):
        kind(**sizes)


@pytest.mark.parametrize(
    ("readout", "shots"), [("sample", 1), ("mean", 7), ("majority", 7), ("most_probable", 0), ("expectation", 0)]
)
def test_pqc_readouts_stay_in_the_unit_interval_and_name_their_cost(readout: str, shots: int) -> None:
    block = build_pqc(readout=readout, shots=7)
    out = block(angles(), seeded())
    assert out.shape == (BATCH, N_OUT)
    assert out.min() >= 0 and out.max() <= 1
    assert block.cost(BATCH) == Cost(circuits=BATCH, shots=BATCH * shots)
    assert set(READOUTS) == {"sample", "mean", "majority", "most_probable", "expectation"}


def test_pqc_of_ry_angles_alone_reads_sine_squared_of_half_the_angle() -> None:
    circuit = efficient_su2(2, reps=0, rotations=("ry",))
    block = PQC(2, 2, circuit=circuit, engine=make_engine("statevector"), readout="expectation")
    q_in = torch.tensor([[0.0, torch.pi], [torch.pi / 2, -torch.pi / 3]])
    torch.testing.assert_close(block(q_in), torch.tensor([[0.0, 1.0], [0.5, 0.25]]), atol=1e-6, rtol=0)


def test_pqc_mean_of_many_shots_approaches_the_expectation() -> None:
    exact = build_pqc(readout="expectation")(angles())
    mean = build_pqc(readout="mean", shots=4000)(angles(), seeded())
    assert (mean - exact).abs().max() < 5 * 0.5 / 4000**0.5  # five standard errors of a fair bit


def test_pqc_acts_on_an_engine_that_can_only_sample_and_refuses_exact_readouts() -> None:
    circuit = efficient_su2(N_OUT, reps=1)
    block = PQC(N_IN, N_OUT, circuit=circuit, engine=SamplingEngine(shots_per_job=30), readout="mean", shots=4000)
    mean = build_pqc(readout="expectation")(angles())
    assert (block(angles(), seeded()) - mean).abs().max() < 5 * 0.5 / 4000**0.5  # five standard errors of a fair bit
    for readout in ("expectation", "most_probable"):
        with pytest.raises(EngineError, match=f"readout {readout}: engine 'sampling' can only sample"):
            PQC(N_IN, N_OUT, circuit=circuit, engine=SamplingEngine(), readout=readout)


def test_pqc_refuses_a_circuit_of_another_size_and_names_both() -> None:
    with pytest.raises(CircuitError, match=r"12 angles and 3 qubits.*n_in=10 and n_out=3"):
        PQC(10, 3, circuit=efficient_su2(3, reps=1), engine=make_engine("statevector"))


def test_pqc_refuses_unknown_readouts_and_no_shots() -> None:
    with pytest.raises(ConfigError, match=r"readout is 'median', expected one of .*majority"):
        build_pqc(readout="median")
    with pytest.raises(ConfigError, match="shots is 0"):
        build_pqc(shots=0)


def test_pqc_reads_with_its_readout_error_and_refuses_what_is_none() -> None:
    exact, read = (build_pqc(readout="expectation", readout_error=error)(angles()) for error in (0.0, 0.1))
    torch.testing.assert_close(read, 0.8 * exact + 0.1)
    with pytest.raises(ConfigError, match="readout_error is 0.6, expected a probability from 0 to 0.5"):
        build_pqc(readout_error=0.6)


def test_rbg_draws_fair_bits_from_the_generator_it_needs() -> None:
    bits = RBG(N_IN, 10)(torch.zeros(1000, N_IN), seeded())
    assert set(bits.unique().tolist()) == {0.0, 1.0}
    assert (bits.mean(0) - 0.5).abs().max() < 5 * 0.5 / 1000**0.5  # five standard errors


@pytest.mark.parametrize("drawing", DRAWING)
def test_a_block_that_draws_asks_for_a_generator(drawing: str) -> None:
    with pytest.raises(QtrlError, match=r"torch\.Generator"):
        BLOCKS[drawing]()(angles())


@pytest.mark.parametrize("kind", [FC, Bernoulli, FCMatched])
def test_a_block_with_a_gradient_of_its_own_takes_no_surrogate(kind: type[Block]) -> None:
    with pytest.raises(ConfigError, match=rf"{kind.__name__}: surrogate is true, but .*set block.surrogate=false"):
        kind(N_IN, N_OUT, surrogate=True)


def test_bernoulli_averages_independent_bits_and_has_the_gradient_of_their_probabilities() -> None:
    block, q_in = Bernoulli(N_IN, N_OUT, shots=4), angles().requires_grad_()
    out = block(q_in, seeded())
    torch.testing.assert_close((4 * out).round(), 4 * out)
    drawn, exact = (torch.autograd.grad(value.sum(), q_in)[0] for value in (out, torch.sigmoid(block.linear(q_in))))
    torch.testing.assert_close(drawn, exact)
    bits = Bernoulli(N_IN, 2, shots=1)(angles()[:1].expand(4000, -1), seeded())
    assert torch.corrcoef(bits.detach().T)[0, 1].abs() < 5 / 4000**0.5


def test_fc_matched_has_the_parameters_of_the_qtdnn() -> None:
    for n_in, n_out in ((220, 10), (40, 5)):
        sizes = [[p.shape for p in net.parameters()] for net in (FCMatched(n_in, n_out), QtDNNEstimator(n_in, n_out))]
        assert sizes[0] == sizes[1]
    assert next(FCMatched(N_IN, N_OUT, hidden=7).parameters()).shape == (7, N_IN)


def test_shuffled_keeps_the_values_of_a_row_and_forgets_whose_they_are() -> None:
    exact = build_pqc(readout="expectation")(angles())
    shuffled = build_pqc(Shuffled, readout="expectation")
    out = shuffled(angles(), seeded())
    assert torch.equal(out.sort(dim=1).values, exact.sort(dim=1).values)
    assert not torch.equal(out, exact)
    places = shuffled(angles()[:1].expand(3000, -1), seeded()) == exact[0].max()
    torch.testing.assert_close(places.float().mean(0), torch.full((N_OUT,), 1 / N_OUT), atol=0.05, rtol=0)


def test_fc_is_affine() -> None:
    block = FC(2, 1)
    with torch.no_grad():
        block.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        block.linear.bias.fill_(0.5)
    assert block(torch.tensor([[3.0, 1.0]])).item() == 5.5


def test_rbg_and_zeros_take_a_surrogate_on_request() -> None:
    assert RBG(N_IN, N_OUT, surrogate=True).surrogate
    assert Zeros(N_IN, N_OUT, surrogate=True).surrogate
    assert not Zeros(N_IN, N_OUT)(angles()).any()
