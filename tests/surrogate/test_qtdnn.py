import pytest
import torch

from qtrl.errors import ConfigError, ShapeError
from qtrl.surrogate import QtDNN


def test_logits_by_hand() -> None:
    net = QtDNN(1, 2, 1)
    with torch.no_grad():
        net.layers[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        net.layers[0].bias.zero_()
        net.layers[2].weight.copy_(torch.tensor([[1.0, 10.0]]))
        net.layers[2].bias.fill_(0.25)
    # For 2 the hidden units are 2 and -2 * 0.01.
    assert net(torch.tensor([[2.0]])).item() == pytest.approx(2 - 10 * 0.02 + 0.25)


def test_sizes_of_the_paper() -> None:
    net = QtDNN(220, 2048, 10)
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert shapes == [(2048, 220), (2048,), (10, 2048), (10,)]


@pytest.mark.parametrize("name", ["n_in", "hidden", "n_out"])
def test_a_size_below_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        QtDNN(**({"n_in": 2, "hidden": 2, "n_out": 2} | {name: 0}))


def test_inputs_of_another_width_are_refused_with_both_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(4, 3\), expected \(B, 2\)"):
        QtDNN(2, 4, 1)(torch.zeros(4, 3))
