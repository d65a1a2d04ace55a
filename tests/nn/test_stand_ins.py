import pytest
import torch

from qtrl.errors import ConfigError
from qtrl.nn import PQC, Direct, QtDNNEstimator
from qtrl.nn.stand_ins import FittedSurrogate, HeldAtMean, OtherStates, Trained
from qtrl.quantum import efficient_su2, make_engine

STAND_INS = (FittedSurrogate, HeldAtMean, OtherStates)
DRAWING = (OtherStates,)


@pytest.fixture
def trained():
    circuit = efficient_su2(3, reps=1)
    block = PQC(circuit.n_angles, 3, circuit=circuit, engine=make_engine("statevector"))
    q_out = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.5, 1.0]])
    return Trained(block, QtDNNEstimator(circuit.n_angles, 3, hidden=4), q_out)


@pytest.fixture
def q_in(trained):
    return torch.randn(1000, trained.block.n_in, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", STAND_INS)
def test_every_stand_in_has_the_sizes_of_the_block_and_no_cost(kind, trained, q_in):
    block = kind(trained)
    out = block(q_in, torch.Generator().manual_seed(0))
    assert (out.shape, out.dtype) == ((1000, 3), q_in.dtype)
    assert block.cost(5).circuits == block.cost(5).shots == 0
    assert block.executable is None
    assert torch.equal(out, block(q_in, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(block.mean(q_in).mean(dim=0), out.mean(dim=0), atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", [kind for kind in STAND_INS if kind not in DRAWING])
def test_those_that_draw_nothing_leave_the_generator_alone(kind, trained, q_in):
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    kind(trained)(q_in, generator)
    assert torch.equal(generator.get_state(), before)


def test_the_surrogate_is_the_fitted_net(trained, q_in):
    assert torch.equal(FittedSurrogate(trained)(q_in), trained.estimator.net(q_in).sigmoid())


def test_without_a_fitted_net_there_is_no_surrogate(trained):
    with pytest.raises(ConfigError, match="no surrogate was fitted"):
        FittedSurrogate(Trained(trained.block, Direct(), trained.q_out))


def test_the_mean_is_that_of_the_recorded_rows(trained, q_in):
    assert torch.equal(HeldAtMean(trained)(q_in), torch.tensor([0.5, 0.25, 1.0]).expand(1000, -1))


def test_rows_of_other_states_are_recorded_ones_drawn_evenly(trained, q_in):
    out = OtherStates(trained)(q_in, torch.Generator().manual_seed(0))
    second = (out == trained.q_out[1]).all(dim=1)
    assert ((out == trained.q_out[0]).all(dim=1) ^ second).all()
    assert 400 < second.sum() < 600


def test_rows_of_other_states_need_a_generator(trained, q_in):
    with pytest.raises(ConfigError, match="give it a torch.Generator"):
        OtherStates(trained)(q_in)
