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


def test_a_linear_path_is_added_and_begins_at_zero() -> None:
    torch.manual_seed(0)
    net, q_in = QtDNN(3, 4, 2, linear=True), torch.randn(5, 3)
    assert torch.equal(net(q_in), net.layers(q_in))
    with torch.no_grad():
        net.linear.weight.copy_(torch.tensor([[1.0, 0, 0], [0, -2.0, 0]]))
    torch.testing.assert_close(net(q_in) - net.layers(q_in), torch.stack([q_in[:, 0], -2 * q_in[:, 1]], dim=1))


def test_angles_count_from_the_center() -> None:
    torch.manual_seed(0)
    net, q_in = QtDNN(3, 4, 2, linear=True), torch.randn(5, 3)
    expected = net(q_in)
    net.center.copy_(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(net(q_in + net.center), expected)
    assert "center" not in net.state_dict()
