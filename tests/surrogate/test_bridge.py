import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qtrl.errors import ConfigError, ShapeError
from qtrl.surrogate import QtDNN, bridge, fit


@pytest.fixture
def line() -> nn.Linear:
    """Logit 2x - 1 on one angle."""
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(2.0)
        net.bias.fill_(-1.0)
    return net


def test_surrogate_value_and_gradient_by_hand(line: nn.Linear) -> None:
    q_in = torch.tensor([[0.5], [1.0]], requires_grad=True)
    out = bridge(q_in, line)
    out.sum().backward()
    p = torch.tensor([[0.5], [0.7310585786]])  # sigmoid of 0 and of 1
    torch.testing.assert_close(out.detach(), p)
    torch.testing.assert_close(q_in.grad, 2 * p * (1 - p))


def test_block_value_is_exact_and_the_gradient_is_the_surrogates(line: nn.Linear) -> None:
    q_in = torch.linspace(-3, 3, 101).unsqueeze(1).requires_grad_()
    block_out = torch.rand(101, 1, generator=torch.Generator().manual_seed(0)).requires_grad_()
    out = bridge(q_in, line, "block", block_out)
    (through_block,) = torch.autograd.grad(out.sum(), q_in)
    (through_surrogate,) = torch.autograd.grad(bridge(q_in, line).sum(), q_in)
    assert torch.equal(out, block_out)
    assert torch.equal(through_block, through_surrogate)
    assert block_out.grad is None


def test_an_unknown_value_lists_the_choices(line: nn.Linear) -> None:
    with pytest.raises(ConfigError, match="value is 'mixed', expected one of surrogate, block"):
        bridge(torch.zeros(1, 1), line, "mixed")


def test_block_value_needs_the_blocks_output_in_the_right_shape(line: nn.Linear) -> None:
    with pytest.raises(ConfigError, match="needs block_out"):
        bridge(torch.zeros(2, 1), line, "block")
    with pytest.raises(ShapeError, match=r"\(2,\), expected \(2, 1\)"):
        bridge(torch.zeros(2, 1), line, "block", torch.zeros(2))


def teacher(q_in: Tensor, mix: Tensor) -> Tensor:
    """Probabilities as a product state of RY rotations by mixed angles would give them."""
    return torch.sin(q_in @ mix / 2).square()


def gradient(q_in: Tensor, weights: Tensor, function) -> Tensor:
    leaf = q_in.clone().requires_grad_()
    return torch.autograd.grad((function(leaf) * weights).sum(), leaf)[0]


@pytest.mark.parametrize("value", ["surrogate", "block"])
def test_the_gradient_of_a_locally_fitted_qtdnn_points_along_the_exact_one(value: str) -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(6, 3, generator=generator)
    centre = torch.randn(1, 6, generator=generator)
    q_in = centre + 0.3 * torch.randn(256, 6, generator=generator)
    torch.manual_seed(0)
    net = QtDNN(6, 256, 3)
    fit(net, torch.optim.Adam(net.parameters(), lr=1e-2), q_in, teacher(q_in, mix), epochs=300)

    weights = torch.randn(256, 3, generator=generator)
    exact = gradient(q_in, weights, lambda q: teacher(q, mix))
    learned = gradient(q_in, weights, lambda q: bridge(q, net, value, teacher(q, mix)))
    assert F.cosine_similarity(learned.flatten(), exact.flatten(), dim=0) > 0.9
    assert F.cosine_similarity(learned, exact, dim=1).median() > 0.95


def test_single_shot_bits_teach_the_gradient_of_their_expectation() -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(4, 2, generator=generator) / 2
    q_in = 0.5 + 0.5 * torch.randn(16384, 4, generator=generator)
    bits = torch.bernoulli(teacher(q_in, mix), generator=generator)
    torch.manual_seed(0)
    net = QtDNN(4, 64, 2)
    fit(net, torch.optim.Adam(net.parameters(), lr=1e-2), q_in, bits, batches=16, epochs=12, generator=generator)

    weights = torch.ones(1, 2)
    exact = gradient(q_in, weights, lambda q: teacher(q, mix))
    learned = gradient(q_in, weights, lambda q: bridge(q, net))
    assert F.cosine_similarity(learned.flatten(), exact.flatten(), dim=0) > 0.9
