import pytest
import torch

from qtrl.commands.export.exportable import Signature
from qtrl.commands.export.models.predictions import Probabilities, Values
from qtrl.commands.export.onnx_file import run_onnx, to_onnx
from qtrl.commands.export.parity import parity
from qtrl.errors import QtrlError
from qtrl.loaded.model import Network
from qtrl.nn import PQC, HybridNet, ParameterShiftEstimator, Standardize, approximated, local_qtdnn
from qtrl.quantum import efficient_su2, make_engine

CIRCUIT = efficient_su2(2, 0)
ROWS = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))


def network_of(outputs, gradient=lambda *sizes: local_qtdnn(*sizes, hidden=4), *, layers=2, **block):
    """Quantum layers of two qubits each, and statistics that are not 0 and 1."""
    torch.manual_seed(0)
    pqc = PQC(CIRCUIT.n_angles, 2, circuit=CIRCUIT, engine=make_engine("reference"), **{"readout": "sample", **block})
    network = Network(HybridNet(3, outputs, pqc, gradient, hidden=4, layers=layers), 3, numbers=outputs == 1)
    network.inputs = Standardize(3 * ROWS + 1)
    if network.targets is not None:
        network.targets = Standardize(torch.tensor([100.0, 140.0]))
    return network.eval()


CASES = pytest.mark.parametrize(("kind", "outputs", "shape"), [(Probabilities, 4, (50, 4)), (Values, 1, (50,))])


def told(network, rows):
    """What a network says of rows, as a loaded model says it."""
    outputs = network(rows)
    return outputs.softmax(dim=1) if network.targets is None else network.targets.undo(outputs.squeeze(-1))


@CASES
def test_with_the_exact_circuits_it_predicts_as_with_exact_expectations(kind, outputs, shape):
    exact = network_of(outputs, readout="expectation")
    found = kind(network_of(outputs), "exact")(ROWS)
    assert found.shape == shape and torch.allclose(found, told(exact, ROWS), rtol=1e-5, atol=1e-5)


@CASES
def test_with_the_surrogates_it_predicts_as_with_the_qtdnns(kind, outputs, shape):
    network = network_of(outputs)
    with approximated(network):
        expected = told(network, ROWS)
    found = kind(network, "surrogate")(ROWS)
    assert found.shape == shape and torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


@CASES
def test_onnxruntime_predicts_what_torch_does(kind, outputs, shape):
    function = kind(network_of(outputs, layers=1), "exact")
    model = to_onnx(function, Signature(3, "rows", kind.gives, cases="rows", answers=kind.answers))
    assert parity(model, function, ROWS)["largest"] < (1e-5 if kind is Probabilities else 1e-3)
    assert run_onnx(model, ROWS).shape == shape and run_onnx(model, ROWS[:1]).shape == (1, *shape[1:])
    assert b".py" not in model and b"rows" in model and kind.gives.encode() in model


def test_a_circuit_that_cannot_be_replaced_so_is_refused():
    with pytest.raises(QtrlError, match="fits no surrogate to the circuit: take quantum=exact"):
        Probabilities(network_of(2, ParameterShiftEstimator), "surrogate")
    with pytest.raises(QtrlError, match="readout majority .*quantum=surrogate"):
        Values(network_of(1, readout="majority"), "exact")
