import math

import pytest
import torch

from qtrl.nn.fidelity import agreement, explained_share, relative_change


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
