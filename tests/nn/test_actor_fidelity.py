import math

import pytest
import torch

from qtrl.nn.fidelity import agreement, explained_share, jacobian, relative_change, signal_to_noise


def test_gradients_are_compared_over_all_their_parts():
    estimate = [torch.tensor([[3.0, 0.0]]), torch.tensor([0.0, 0.0])]
    exact = [torch.tensor([[3.0, 0.0]]), torch.tensor([0.0, 4.0])]
    cosine, ratio = agreement(estimate, exact)
    assert (cosine.item(), ratio.item()) == pytest.approx((0.6, 0.6))
    cosine, ratio = agreement(exact, [-2 * part for part in exact])
    assert (cosine.item(), ratio.item()) == pytest.approx((-1, 0.5))


def test_no_gradient_has_no_direction():
    zero, one = [torch.zeros(2)], [torch.ones(2)]
    assert agreement(zero, one)[1] == 0
    assert not torch.isfinite(torch.stack([agreement(zero, one)[0], *agreement(one, zero)])).any()


def test_the_jacobian_of_a_linear_map_is_its_matrix_in_every_row():
    matrix, rows = torch.arange(6.0).reshape(2, 3), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = jacobian(lambda q_in: q_in @ matrix.T, rows)
    assert torch.equal(found, matrix[:, None].expand(2, 4, 3))
    assert not found.requires_grad


def test_the_jacobian_of_a_square_follows_the_row():
    rows = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    expected = torch.tensor([[[2.0, 0.0], [6.0, 0.0]], [[0.0, 4.0], [0.0, -2.0]]])
    assert torch.equal(jacobian(torch.square, rows), expected)


def test_signal_to_noise_by_hand():
    means = torch.tensor([[0.2, 0.5], [0.8, 0.5]])  # variances over the rows 0.09 and 0
    draws = means + torch.tensor([[0.1, -0.2], [-0.1, 0.2]])  # mean squares 0.01 and 0.04
    assert signal_to_noise(means, draws).item() == pytest.approx(math.sqrt(0.09 / 0.05))
    assert signal_to_noise(torch.full((2, 2), 0.5), draws).item() == 0
    assert not signal_to_noise(means, means).isfinite()


def test_signal_to_noise_grows_with_the_root_of_the_shots():
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(20_000, 3, generator=generator)
    few, many = (torch.binomial(torch.full_like(means, n), means, generator=generator) / n for n in (10, 1000))
    assert (signal_to_noise(means, many) / signal_to_noise(means, few)).item() == pytest.approx(10, rel=0.03)


def test_explained_share_by_hand():
    action = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 2.0], [-1.0, 2.0]])  # variances 1 and 1
    first_entry_alone = action * torch.tensor([1.0, 0.0])
    assert explained_share(action, first_entry_alone).item() == pytest.approx(0.5)
    assert explained_share(action, action).item() == 0
    assert explained_share(action, torch.ones_like(action)).item() == 1
    assert explained_share(action, 2 * action).item() == pytest.approx(-3)
    assert not explained_share(torch.ones(4, 1), torch.ones(4, 1)).isfinite()


def test_relative_change_by_hand():
    action = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert relative_change(action, action + 0.5).item() == pytest.approx(0.5)
    assert relative_change(action, action).item() == 0
    rows = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    assert relative_change(rows, rows.roll(1, 0)).item() == pytest.approx(math.sqrt(2), rel=0.02)
