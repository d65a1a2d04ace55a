import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qtrl.errors import ConfigError, ShapeError
from qtrl.surrogate import QtDNN, fit

N_IN, N_OUT, BATCH = 4, 3, 24


class CountingAdam(torch.optim.Adam):
    steps = 0

    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)


@pytest.fixture
def net() -> QtDNN:
    torch.manual_seed(0)
    return QtDNN(N_IN, 32, N_OUT)


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    q_in = torch.randn(BATCH, N_IN, generator=generator)
    return q_in, torch.rand(BATCH, N_OUT, generator=generator)


def test_one_step_reports_the_loss_before_it_by_hand(net: QtDNN) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.layers[2].bias.fill_(math.log(3.0))  # probability 3/4
    optimizer = torch.optim.Adam(net.parameters())
    result = fit(net, optimizer, torch.zeros(2, N_IN), torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.5, 1.0]]))
    hand = -(4.5 * math.log(3 / 4) + 1.5 * math.log(1 / 4)) / 6
    assert result.loss_before.item() == pytest.approx(hand, rel=1e-6)
    assert result.steps == 1
    assert torch.equal(result.loss_before, result.loss_after)
    assert not result.loss_before.requires_grad


def test_the_loss_falls_to_the_entropy_of_soft_targets(net: QtDNN, pairs: tuple[Tensor, Tensor]) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    result = fit(net, optimizer, *pairs, epochs=400)
    entropy = F.binary_cross_entropy(pairs[1], pairs[1])
    assert result.loss_after < result.loss_before
    assert result.loss_after - entropy < 0.1 * (result.loss_before - entropy)


@pytest.mark.parametrize(("batches", "epochs"), [(1, 1), (1, 3), (4, 1), (5, 2), (BATCH, 1)])
def test_fit_equals_a_loop_written_out(net: QtDNN, pairs: tuple[Tensor, Tensor], batches: int, epochs: int) -> None:
    twin = copy.deepcopy(net)
    optimizer = CountingAdam(net.parameters(), lr=1e-2)
    result = fit(net, optimizer, *pairs, batches=batches, epochs=epochs, generator=torch.Generator().manual_seed(7))

    by_hand, generator = torch.optim.Adam(twin.parameters(), lr=1e-2), torch.Generator().manual_seed(7)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(BATCH, generator=generator) if batches > 1 else torch.arange(BATCH)
        sizes = [BATCH // batches + (part < BATCH % batches) for part in range(batches)]
        for rows in order.split(sizes):
            by_hand.zero_grad()
            losses.append(F.binary_cross_entropy_with_logits(twin(pairs[0][rows]), pairs[1][rows]))
            losses[-1].backward()
            by_hand.step()

    assert result.steps == optimizer.steps == batches * epochs
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    assert torch.equal(result.loss_before, losses[0])
    assert torch.equal(result.loss_after, losses[-1])


def test_every_forward_pass_is_a_step(net: QtDNN, pairs: tuple[Tensor, Tensor]) -> None:
    calls = []
    net.register_forward_hook(lambda *_: calls.append(1))
    fit(net, torch.optim.Adam(net.parameters()), *pairs, batches=3, epochs=2)
    assert len(calls) == 6


def test_no_gradient_reaches_the_network_that_made_the_angles(net: QtDNN, pairs: tuple[Tensor, Tensor]) -> None:
    q_in = pairs[0].requires_grad_()
    fit(net, torch.optim.Adam(net.parameters()), q_in, pairs[1])
    assert q_in.grad is None


def test_the_given_backward_replaces_the_losss_own(net: QtDNN, pairs: tuple[Tensor, Tensor]) -> None:
    before = copy.deepcopy(net.state_dict())
    seen = []
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    result = fit(net, optimizer, *pairs, epochs=2, backward=seen.append)
    assert [loss.item() for loss in seen] == [result.loss_before.item(), result.loss_after.item()]
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())  # no gradient, no move


def test_an_error_in_backward_leaves_the_parameters(net: QtDNN, pairs: tuple[Tensor, Tensor]) -> None:
    def refuse(loss: Tensor) -> None:
        raise ArithmeticError(loss)

    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ArithmeticError):
        fit(net, torch.optim.Adam(net.parameters()), *pairs, backward=refuse)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("q_in", "q_out", "message"),
    [
        (torch.zeros(4, N_IN), torch.zeros(3, N_OUT), r"\(4, 4\) and q_out \(3, 3\)"),
        (torch.zeros(N_IN), torch.zeros(N_OUT), r"\(4,\) and q_out \(3,\)"),
        (torch.zeros(4, N_IN), torch.zeros(4, 2), r"\(4, 3\) for q_out of shape \(4, 2\)"),
        (torch.zeros(4, 7), torch.zeros(4, N_OUT), r"\(4, 7\), expected \(B, 4\)"),
    ],
)
def test_pairs_that_do_not_fit_are_refused_with_their_shapes(net, q_in, q_out, message) -> None:
    with pytest.raises(ShapeError, match=message):
        fit(net, torch.optim.Adam(net.parameters()), q_in, q_out)


@pytest.mark.parametrize("options", [{"batches": 0}, {"batches": BATCH + 1}, {"epochs": 0}])
def test_impossible_numbers_of_parts_are_refused_by_name(net: QtDNN, pairs: tuple[Tensor, Tensor], options) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"{name} is {options[name]}"):
        fit(net, torch.optim.Adam(net.parameters()), *pairs, **options)
