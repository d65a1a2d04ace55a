import math

import pytest
import torch
import torch.nn.functional as F

from qtrl.surrogate.fidelity import bce_floor, calibration_error


@pytest.mark.parametrize(("mean", "floor"), [(0.0, 0.0), (0.5, math.log(2)), (0.25, math.log(4) - 0.75 * math.log(3))])
def test_the_floor_is_the_entropy_of_a_bit_in_nats(mean, floor):
    assert bce_floor(torch.full((3, 2), mean)).item() == pytest.approx(floor)


def test_the_floor_is_reached_by_the_means_themselves_on_drawn_bits_and_missed_by_a_divergence():
    means = torch.tensor([[0.1, 0.6], [0.9, 0.3]], dtype=torch.float64)
    bits = torch.bernoulli(means.expand(40_000, 2, 2), generator=torch.Generator().manual_seed(0))
    perfect = F.binary_cross_entropy_with_logits(torch.logit(means).expand_as(bits), bits)
    assert perfect.item() == pytest.approx(bce_floor(means).item(), abs=5e-3)
    fair = F.binary_cross_entropy_with_logits(torch.zeros_like(means), means) - bce_floor(means)
    divergence = (means * (2 * means).log() + (1 - means) * (2 - 2 * means).log()).mean()
    assert fair.item() == pytest.approx(divergence.item())


def test_calibration_error_is_the_mean_distance_output_by_output():
    means = torch.tensor([[0.5, 0.5], [0.9, 0.5]])
    probabilities = torch.tensor([[0.25, 0.5], [0.8, 1 - 1e-6]])
    torch.testing.assert_close(calibration_error(torch.logit(probabilities), means), torch.tensor([0.175, 0.25]))
