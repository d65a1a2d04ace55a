import pytest
import torch
from torch import nn

from qtrl.errors import ConfigError
from qtrl.nn import mlp


def layout(net: nn.Sequential) -> list[object]:
    return [layer.weight.shape[::-1] if isinstance(layer, nn.Linear) else type(layer).__name__ for layer in net]


def test_leaky_relu_follows_every_layer_but_the_last() -> None:
    assert layout(mlp([3, 5, 2])) == [(3, 5), "LeakyReLU", (5, 2)]
    assert layout(mlp([3, 5, 2], activate_last=True)) == [(3, 5), "LeakyReLU", (5, 2), "LeakyReLU"]
    assert layout(mlp([3, 2])) == [(3, 2)]


def test_the_slope_below_zero_is_one_hundredth() -> None:
    net = mlp([1, 1], activate_last=True)
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.zero_()
    torch.testing.assert_close(net(torch.tensor([[-2.0], [3.0]])), torch.tensor([[-0.02], [3.0]]))


@pytest.mark.parametrize("sizes", [[], [3], [3, 0, 2], [3, -1]])
def test_impossible_sizes_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ConfigError, match="expected at least two, each at least 1"):
        mlp(sizes)


def test_layer_norm_stands_before_each_leaky_relu() -> None:
    assert layout(mlp([3, 5, 2], layer_norm=True))[0] == (3, 5)
    assert [type(layer).__name__ for layer in mlp([3, 5, 2], layer_norm=True)] == [
        *("Linear", "LayerNorm", "LeakyReLU", "Linear")
    ]
