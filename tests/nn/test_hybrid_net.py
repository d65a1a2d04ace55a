import pytest
import torch
from families import BLOCKS

from qtrl.errors import ConfigError
from qtrl.nn import PQC, HybridNet, QtDNNEstimator, Standardize, approximated, quantum_layers
from qtrl.quantum import efficient_su2, make_engine

CIRCUIT = efficient_su2(2, 1)
SIZES = CIRCUIT.n_angles, CIRCUIT.n_qubits


def pqc():
    return PQC(*SIZES, circuit=CIRCUIT, engine=make_engine("reference"), readout="mean", shots=10, surrogate=True)


def net(block, **options):
    return HybridNet(3, 4, block, QtDNNEstimator, **{"hidden": 8, "links": 2, **options})


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("links", [0, 2])
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_goes_into_any_number_of_layers(block, links, layers):
    model = net(BLOCKS[block](), layers=layers, links=links)
    outputs = model(torch.randn(5, 3), torch.Generator().manual_seed(0))
    assert outputs.shape == (5, 4) and outputs.isfinite().all()
    assert list(quantum_layers(model)) == [f"stages.{number}.layer" for number in range(layers)]


def test_layers_have_blocks_estimators_and_pairs_of_their_own():
    model = net(pqc(), layers=2, pairs=3)
    first, second = quantum_layers(model).values()
    assert first.block is not second.block and first.estimator is not second.estimator
    model(torch.randn(5, 3), torch.Generator().manual_seed(0))
    assert len(first.buffer) == len(second.buffer) == 3
    assert not torch.equal(first.pair[0], second.pair[0])


def test_a_gradient_reaches_what_lies_before_every_layer():
    model = net(pqc(), layers=2, links=0)
    with approximated(model):
        model(torch.randn(5, 3)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.stages[0].encoder.parameters())


def test_angles_stay_within_their_bound_of_the_base():
    block = pqc()
    block.base += 1.0
    model = net(block, angle_scale=0.1, angle_bound="tanh")
    model(100 * torch.randn(50, 3), torch.Generator().manual_seed(0))
    angles, _ = quantum_layers(model)["stages.0.layer"].pair
    assert (angles - 1).abs().max() <= 0.1 + 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 0},
        {"layers": 0},
        {"links": -1},
        {"angle_scale": 0.0},
        {"angle_bound": "box"},
        {"pairs": 0},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong)).rpartition("_")[2]):
        net(pqc(), **wrong)


def test_standardized_rows_have_mean_0_and_deviation_1_and_come_back():
    rows = torch.tensor([[1.0, 5.0, 1e6], [3.0, 5.0, 1e6 + 2], [8.0, 5.0, 1e6 + 7]])
    scale = Standardize(rows)
    scaled = scale(rows)
    assert scaled.mean(dim=0).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert scaled.std(dim=0, correction=0).tolist() == pytest.approx([1, 0, 1], abs=1e-3)
    assert torch.allclose(scale.undo(scaled), rows)
