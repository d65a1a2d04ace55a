"""The update on examples: what its phases see, and what it says of them."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer

from qtrl.algos import HDQNN, FusedAdam
from qtrl.data.example_stream import ExampleStream
from qtrl.data.tables import moons, split_table
from qtrl.errors import ConfigError
from qtrl.nn import PQC, HybridNet, Standardize, local_qtdnn, quantum_layers
from qtrl.quantum import efficient_su2, make_engine

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, met by Lightning's fit
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def made(layers=1, **options):
    split, circuit = split_table(moons(rows=60), validation=0.2, test=0.2, seed=0), efficient_su2(2, 1)
    block = PQC(circuit.n_angles, circuit.n_qubits, circuit=circuit, engine=make_engine("statevector"), shots=10)
    gradient = partial(local_qtdnn, hidden=4, pairs="fresh", fit_epochs=3)
    model = HybridNet(2, 2, block, gradient, hidden=4, layers=layers, links=0, pairs=100)
    adam = partial(FusedAdam, lr=1e-3)
    optimizers = {"model_optimizer": adam, "surrogate_optimizer": adam}
    return HDQNN(model, Standardize(split.train.inputs), **optimizers, **options), split


def trained(module, split):
    Trainer(max_epochs=1, accelerator="cpu", **QUIET).fit(
        module, ExampleStream(split.train, epochs=1, batch_size=12, seed=0)
    )
    return module


def test_circuits_and_their_qtdnns_see_the_same_dropped_inputs(monkeypatch):
    module, split = made(dropout=0.5)
    seen = []
    module.model.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    trained(module, split)
    explored, learned = seen[::2], seen[1::2]
    assert len(explored) == len(learned) == 3
    assert all(torch.equal(one, other) for one, other in zip(explored, learned, strict=True))
    dropped = torch.stack(explored) == 0
    assert 0.3 < dropped.float().mean() < 0.7
    assert not torch.equal(dropped[0], dropped[1])


def test_metrics_have_a_value_for_each_layer():
    module = trained(*made(layers=2))
    assert len(quantum_layers(module.model)) == 2
    for name in ("gradient/surrogate", "surrogate/bce_before", "surrogate/bce_after"):
        assert module.metrics[name].shape == (2,)
        assert module.metrics[name][0] != module.metrics[name][1]


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_share_that_cannot_be_is_refused(dropout):
    with pytest.raises(ConfigError, match="algo.dropout"):
        made(dropout=dropout)
