"""Estimators learn from what their layers recorded, and the records can be saved."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError, ShapeError
from qtrl.nn import (
    ExactEstimator,
    PairBuffer,
    QtDNNEstimator,
    QuantumLayer,
    classical_parameters,
    estimator_parameters,
    fit_quantum_layers,
    load_pair_buffers,
    local_qtdnn,
    pair_buffers_state,
)
from qtrl.quantum import efficient_su2

P, Q = 8, 2


SMALL = partial(local_qtdnn, hidden=4)


def quantum_layer(gradient=SMALL, buffer_size: int = 50) -> QuantumLayer:
    torch.manual_seed(0)
    circuit = efficient_su2(Q, reps=1, base="plus")
    return QuantumLayer.from_circuit(circuit, engine="statevector", gradient=gradient, buffer_size=buffer_size)


def model_of(*layers: QuantumLayer) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (nn.Linear(Q, P), layer)))


def fitter_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(estimator_parameters(model), lr=1e-2)


def inputs(rows: int = 6) -> Tensor:
    return torch.randn(rows, Q, generator=torch.Generator().manual_seed(1))


class Recorder(QtDNNEstimator):
    """Keeps what it is fitted to."""

    def fit(self, q_in, q_out, **options):
        self.seen = q_in
        return super().fit(q_in, q_out, **options)


@pytest.mark.parametrize(
    ("options", "length", "newest"),
    [
        ({"pairs": "stored"}, 100, 20),
        ({"pairs": "recent", "window": 6}, 100, 6),
        ({"pairs": "fresh"}, 20, 20),
        ({"pairs": "fresh", "fresh_rows": 3}, 3, 3),
        ({"pairs": "mixed", "fresh_rows": 3}, 103, 20),
    ],
)
def test_the_estimator_says_which_pairs_it_is_fitted_to(options: dict, length: int, newest: int) -> None:
    layer = quantum_layer(partial(Recorder, hidden=4, **options))
    model = model_of(layer)
    model(inputs(20))
    fit_quantum_layers(model, fitter_of(model), rows=100)
    kept, seen = layer.buffer.newest(20)[0], layer.estimator.seen
    assert len(seen) == length
    assert {tuple(row) for row in seen.tolist()} == {tuple(row) for row in kept[-newest:].tolist()}
    if "fresh_rows" in options:
        assert torch.equal(seen[-3:], kept[-3:])


def test_each_fit_makes_the_loss_of_every_layer_smaller() -> None:
    model = model_of(quantum_layer(), quantum_layer())
    model(inputs(50))
    fitter = fitter_of(model)
    losses = [fit_quantum_layers(model, fitter, rows=50) for _ in range(60)]
    for name in ("1", "3"):
        assert losses[-1][name].loss_after < losses[0][name].loss_before
    assert set(losses[0]) == {"1", "3"}


def test_equal_generators_fit_equally_and_backward_is_the_callers() -> None:
    states, calls = [], []
    for _ in range(2):
        model = model_of(quantum_layer())
        model(inputs())
        generator = torch.Generator().manual_seed(3)
        backward = lambda loss: calls.append(loss) or loss.backward()  # noqa: E731
        result = fit_quantum_layers(model, fitter_of(model), rows=4, generator=generator, backward=backward)
        states.append(model.state_dict())
    assert len(calls) == 2 and torch.equal(calls[-1], result["1"].loss_after)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_layers_with_nothing_to_learn_are_passed_over_and_need_no_buffer() -> None:
    layer = quantum_layer(ExactEstimator)
    assert layer.buffer is None
    model = model_of(layer, quantum_layer())
    model(inputs())
    assert set(fit_quantum_layers(model, fitter_of(model), rows=4)) == {"3"}
    assert set(pair_buffers_state(model)) == {"3"}


def test_what_cannot_be_fitted_is_refused_with_the_name_of_the_layer() -> None:
    model = model_of(quantum_layer())
    with pytest.raises(ConfigError, match="rows is 0"):
        fit_quantum_layers(model, fitter_of(model), rows=0)
    with pytest.raises(ConfigError, match="layer '1' has recorded no pairs; run the model on data first"):
        fit_quantum_layers(model, fitter_of(model), rows=4)
    model(inputs())
    learner = torch.optim.Adam(classical_parameters(model))
    with pytest.raises(ConfigError, match="lacks parameters of .* layer '1'; make it over estimator_parameters"):
        fit_quantum_layers(model, learner, rows=4)
    noisy = model_of(quantum_layer(partial(local_qtdnn, pairs="mixed", fresh_noise=0.1)))
    noisy(inputs())
    with pytest.raises(ConfigError, match="fresh_noise of layer '1' is 0.1, .* run the model within `perturbed`"):
        fit_quantum_layers(noisy, fitter_of(noisy), rows=4)
    bare = model_of(QuantumLayer(quantum_layer().block, local_qtdnn(P, Q)))
    bare(inputs())
    with pytest.raises(ConfigError, match="layer '1' has no buffer; make it with QuantumLayer.from_circuit, or"):
        fit_quantum_layers(bare, fitter_of(bare), rows=4)


def test_fits_go_on_bit_for_bit_after_the_records_are_put_back() -> None:
    def go_on(model: nn.Module) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(4)
        fit_quantum_layers(model, torch.optim.SGD(estimator_parameters(model), lr=0.1), rows=4, generator=generator)
        return model.state_dict()

    model, other = (model_of(quantum_layer(buffer_size=8), quantum_layer(buffer_size=8)) for _ in range(2))
    for _ in range(2):
        model(inputs())
    load_pair_buffers(other, pair_buffers_state(model))
    one, two = go_on(model), go_on(other)
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_records_of_another_model_are_refused() -> None:
    model, deeper = model_of(quantum_layer()), model_of(quantum_layer(), quantum_layer())
    with pytest.raises(ShapeError, match=r"buffers of unlike layers, \['1'\] and \['1', '3'\]"):
        load_pair_buffers(deeper, pair_buffers_state(model))
    with pytest.raises(ShapeError, match="state has q_in"):
        load_pair_buffers(model, {"1": PairBuffer(3, P + 1, Q).state_dict()})
